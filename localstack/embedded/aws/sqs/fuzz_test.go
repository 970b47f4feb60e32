package sqs_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// newFuzzed returns a service with queues in it for the requests to find.
func newFuzzed(f *testing.F) *cloud {
	c := start(f)
	c.create("dead", nil)
	c.create("q", nil)
	c.create("q.fifo", map[string]string{"FifoQueue": "true"})
	return c
}

// checkAnswer checks that a request did not make the service fail: a panic in an operation would be an InternalFailure.
func checkAnswer(t *testing.T, code int, answer, request string) {
	if code >= http.StatusInternalServerError || strings.Contains(answer, "InternalFailure") {
		t.Errorf("%d %s\nfor %s", code, answer, request)
	}
}

func mayWait(body string) bool { return strings.Contains(strings.ToLower(body), "wait") }

func FuzzJSON(f *testing.F) {
	c := newFuzzed(f)
	for _, seed := range [][2]string{
		{"CreateQueue", `{"QueueName":"a","Attributes":{"DelaySeconds":"1"},"tags":{"a":"b"}}`},
		{"SendMessage", `{"QueueUrl":"http://h/000000000000/q","MessageBody":"m","DelaySeconds":1,"MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"AAE="}}}`},
		{"SendMessageBatch", `{"QueueUrl":"http://h/000000000000/q.fifo","Entries":[{"Id":"1","MessageBody":"m","MessageGroupId":"g","MessageDeduplicationId":"d"}]}`},
		{"ReceiveMessage", `{"QueueUrl":"http://h/000000000000/q","MaxNumberOfMessages":10,"MessageAttributeNames":["a.*"],"AttributeNames":["All"]}`},
		{"ReceiveMessage", `{"QueueUrl":"http://h/000000000000/q.fifo","ReceiveRequestAttemptId":"a"}`},
		{"SetQueueAttributes", `{"QueueUrl":"http://h/000000000000/q","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:dead\",\"maxReceiveCount\":\"3\"}"}}`},
		{"SetQueueAttributes", `{"QueueUrl":"http://h/000000000000/q","Attributes":{"Policy":"{\"Statement\":[]}","RedriveAllowPolicy":"{\"redrivePermission\":\"byQueue\",\"sourceQueueArns\":[null]}"}}`},
		{"DeleteMessage", `{"QueueUrl":"//q","ReceiptHandle":"AAAA"}`},
		{"CancelMessageMoveTask", `{"TaskHandle":"eyJzb3VyY2VBcm4iOiJhcm46YXdzOnNxczp1cy1lYXN0LTE6MDAwMDAwMDAwMDAwOmRlYWQifQ=="}`},
		{"AddPermission", `{"QueueUrl":"http://h/000000000000/q","Label":"l","AWSAccountIds":["1"],"Actions":["*"]}`},
		{"ListQueues", `{"MaxResults":1,"NextToken":"YQ"}`},
		{"TagQueue", `null`},
		{"TagQueue", `[1e999`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, action, body string) {
		if strings.ContainsAny(action, "\r\n\x00") || mayWait(body) {
			t.Skip("no header, or a long poll")
		}
		w := c.do("/", action, "application/x-amz-json-1.0", body)
		checkAnswer(t, w.Code, w.Body.String(), action+" "+body)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("no JSON: %s", w.Body)
		}
	})
}

func FuzzQuery(f *testing.F) {
	c := newFuzzed(f)
	for _, seed := range []string{
		"Action=CreateQueue&QueueName=a&Attribute.1.Name=DelaySeconds&Attribute.1.Value=1&Tag.1.Key=a&Tag.1.Value=b",
		"Action=SendMessage&QueueUrl=http://h/000000000000/q&MessageBody=m&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=AAE%3D",
		"Action=SendMessageBatch&QueueUrl=http://h/000000000000/q&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=m&SendMessageBatchRequestEntry.1.DelaySeconds=x",
		"Action=ReceiveMessage&QueueUrl=http://h/000000000000/q&MaxNumberOfMessages=99999999999999999999",
		"Action=DeleteMessageBatch&QueueUrl=http://h/000000000000/q&DeleteMessageBatchRequestEntry.1.Id=1&DeleteMessageBatchRequestEntry.1.ReceiptHandle=x",
		"Action=UntagQueue&QueueUrl=%00&TagKey.1=a&TagKey.3=b&TagKey.0=c",
		"Action=ListQueues&Action=PurgeQueue&.=.&=&%zz",
	} {
		f.Add("/000000000000/q", seed)
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		if mayWait(body) {
			t.Skip("a long poll")
		}
		u := &url.URL{Path: "/" + strings.TrimLeft(path, "/")}
		w := c.do(u.EscapedPath(), "", "application/x-www-form-urlencoded", body)
		checkAnswer(t, w.Code, w.Body.String(), path+" "+body)
	})
}
