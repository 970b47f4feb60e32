package sns_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sns"
)

// post sends a form to a new service and returns the status.
func postForm(t *testing.T, forms ...string) (status int, body string) {
	t.Helper()
	s := sns.New(sns.Options{})
	defer s.Close()
	e := newEndpoint(s)
	for _, form := range forms {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4566/", strings.NewReader(form))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20000101/us-east-1/sns/aws4_request, SignedHeaders=host, Signature=x")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		status, body = w.Code, w.Body.String()
	}
	return status, body
}

const (
	createTopic = "Action=CreateTopic&Name=topic"
	topicARN    = "arn:aws:sns:us-east-1:000000000000:topic"
)

func FuzzRequest(f *testing.F) {
	f.Add("Action=CreateTopic&Name=a&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=x&Tags.member.1.Key=k&Tags.member.1.Value=v")
	f.Add("Action=Publish&TopicArn=" + topicARN + "&Message=m&MessageAttributes.entry.1.Name=a&MessageAttributes.entry.1.Value.DataType=Number&MessageAttributes.entry.1.Value.StringValue=1")
	f.Add("Action=PublishBatch&TopicArn=" + topicARN + "&PublishBatchRequestEntries.member.1.Id=1&PublishBatchRequestEntries.member.1.Message=m")
	f.Add("Action=Subscribe&TopicArn=" + topicARN + "&Protocol=sqs&Endpoint=arn:aws:sqs:us-east-1:000000000000:q&Attributes.entry.1.key=FilterPolicy&Attributes.entry.1.value={\"a\":[1]}")
	f.Add("Action=SetTopicAttributes&TopicArn=" + topicARN + "&AttributeName=Policy&AttributeValue={\"Statement\":{}}")
	f.Add("Action=AddPermission&TopicArn=" + topicARN + "&Label=l&AWSAccountId.member.1=111111111111&ActionName.member.1=Publish")
	f.Add("Action=ListTopics&NextToken=x")
	f.Add("Action=ConfirmSubscription&TopicArn=" + topicARN + "&Token=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	f.Add("Action=SetTopicAttributes&TopicArn=" + topicARN + "&AttributeName=DeliveryPolicy&AttributeValue={\"http\":{\"defaultHealthyRetryPolicy\":{\"numRetries\":3}}}")
	f.Add("Action=CreateTopic&Name=a.fifo&Attributes.entry.1.key=FifoTopic&Attributes.entry.1.value=true&Attributes.entry.2.key=ArchivePolicy&Attributes.entry.2.value={\"MessageRetentionPeriod\":1}")
	f.Fuzz(func(t *testing.T, form string) {
		if status, body := postForm(t, createTopic, form); status >= 500 {
			t.Errorf("%d: %s", status, body)
		}
	})
}

func FuzzMessageStructure(f *testing.F) {
	f.Add(`{"default":"d","sqs":"s"}`)
	f.Add(`{"default":{"a":1}}`)
	f.Add(`{"default":"d","default":"e"}`)
	f.Add(`null`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, message string) {
		form := url.Values{"Action": {"Publish"}, "TopicArn": {topicARN}, "MessageStructure": {"json"}, "Message": {message}}
		if status, body := postForm(t, createTopic, form.Encode()); status != http.StatusOK && status != http.StatusBadRequest {
			t.Errorf("%d: %s", status, body)
		}
	})
}

func FuzzPolicies(f *testing.F) {
	f.Add("FilterPolicy", `{"a":[{"prefix":"x"}]}`)
	f.Add("DeliveryPolicy", `{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":2,"backoffFunction":"geometric"}}`)
	f.Add("RedrivePolicy", `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:d"}`)
	f.Add("ReplayPolicy", `{"PointType":"Timestamp","StartingPoint":"2026-12-01T00:00:00Z"}`)
	f.Add("FilterPolicyScope", "MessageBody")
	f.Fuzz(func(t *testing.T, name, value string) {
		subscribe := url.Values{
			"Action": {"Subscribe"}, "TopicArn": {topicARN}, "Protocol": {"sqs"}, "Endpoint": {"arn:aws:sqs:us-east-1:000000000000:q"},
			"Attributes.entry.1.key": {name}, "Attributes.entry.1.value": {value},
		}
		publish := url.Values{"Action": {"Publish"}, "TopicArn": {topicARN}, "Message": {`{"a":"xy"}`}}
		if status, body := postForm(t, createTopic, subscribe.Encode(), publish.Encode()); status != http.StatusOK {
			t.Errorf("publish: %d: %s", status, body)
		}
	})
}
