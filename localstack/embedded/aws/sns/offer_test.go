package sns_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	client "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sns"
)

func TestEveryOperationOfTheClientIsKnown(t *testing.T) {
	s := sns.New(sns.Options{})
	defer s.Close()
	methods, found := reflect.TypeFor[*client.Client](), 0
	for i := range methods.NumMethod() {
		m := methods.Method(i)
		if m.Type.NumIn() < 3 || !strings.HasSuffix(m.Type.In(2).String(), "."+m.Name+"Input") {
			continue
		}
		found++
		if _, ok := s.API().Operations[m.Name]; !ok {
			t.Errorf("%s is unknown", m.Name)
		}
	}
	if found < 40 || found != len(s.API().Operations) {
		t.Errorf("the client has %d operations, the service %d", found, len(s.API().Operations))
	}
}

func TestWhatIsNotOfferedSaysSo(t *testing.T) {
	run(t, "an operation of SMS or mobile push", func(t *testing.T, c *cloud) {
		_, err := c.CreatePlatformApplication(t.Context(), &client.CreatePlatformApplicationInput{
			Name: awssdk.String("app"), Platform: awssdk.String("GCM"), Attributes: map[string]string{"PlatformCredential": "x"},
		})
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != "InvalidAction" || !strings.Contains(e.ErrorMessage(), "CreatePlatformApplication is not offered") {
			t.Errorf("error %v", err)
		}
	})
	run(t, "a text message", func(t *testing.T, c *cloud) {
		for number, want := range map[string]string{"+380441234567": "sends no SMS", "12": "is not valid to publish to"} {
			_, err := c.Publish(t.Context(), &client.PublishInput{PhoneNumber: &number, Message: awssdk.String("m")})
			if !errorIs[*types.InvalidParameterException](err) || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		}
	})
	for _, protocol := range []string{"application", "email", "email-json", "firehose", "sms"} {
		run(t, "the protocol "+protocol, func(t *testing.T, c *cloud) {
			topic := c.topic()
			_, err := c.Subscribe(t.Context(), &client.SubscribeInput{TopicArn: &topic, Protocol: &protocol, Endpoint: awssdk.String("x")})
			if !errorIs[*types.InvalidParameterException](err) || !strings.Contains(fmt.Sprint(err), "does not deliver to this protocol: "+protocol) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAccountsAndRegions(t *testing.T) {
	other := func(c *cloud, account, region string) *client.Client {
		return client.New(c.Options(), func(o *client.Options) {
			o.Region, o.Credentials = region, credentials.NewStaticCredentialsProvider(account, "secret", "")
		})
	}
	run(t, "a queue of another account confirms with the token that it is sent", func(t *testing.T, c *cloud) {
		topic, endpoint := c.topic(), "arn:aws:sqs:us-east-1:222222222222:q"
		out, err := c.Subscribe(t.Context(), &client.SubscribeInput{TopicArn: &topic, Protocol: awssdk.String("sqs"), Endpoint: &endpoint, Attributes: pairs([]string{"RawMessageDelivery", "true"})})
		if err != nil || *out.SubscriptionArn != "pending confirmation" {
			t.Fatalf("subscription %v, error %v", out, err)
		}
		time.Sleep(time.Second)
		got := c.queues.in("q")
		if len(got) != 1 {
			t.Fatalf("%d messages, want the confirmation", len(got))
		}
		token := envelope(t, got[0].Body)["Token"].(string)
		if _, err := c.ConfirmSubscription(t.Context(), &client.ConfirmSubscriptionInput{TopicArn: &topic, Token: &token}); err != nil {
			t.Fatal(err)
		}
		c.publish(topic, "hello")
		time.Sleep(time.Second)
		if got := bodies(c.queues.in("q")); len(got) != 2 || got[1] != "hello" {
			t.Errorf("got %q", got)
		}
	})
	run(t, "the owner of a queue subscribes it to another account's topic without confirmation", func(t *testing.T, c *cloud) {
		topic, endpoint := c.topic(), "arn:aws:sqs:us-east-1:222222222222:q"
		out, err := other(c, "222222222222", "us-east-1").Subscribe(t.Context(), &client.SubscribeInput{TopicArn: &topic, Protocol: awssdk.String("sqs"), Endpoint: &endpoint})
		if err != nil || !strings.HasPrefix(*out.SubscriptionArn, topic+":") {
			t.Errorf("subscription %v, error %v", out, err)
		}
	})
	run(t, "topics are listed by account and region, and reached from their region only", func(t *testing.T, c *cloud) {
		topic := c.topic()
		for _, o := range []*client.Client{other(c, "222222222222", "us-east-1"), other(c, "test", "eu-west-1")} {
			out, err := o.ListTopics(t.Context(), &client.ListTopicsInput{})
			if err != nil || len(out.Topics) != 0 {
				t.Errorf("topics %v, error %v", out, err)
			}
		}
		_, err := other(c, "test", "eu-west-1").Publish(t.Context(), &client.PublishInput{TopicArn: &topic, Message: awssdk.String("m")})
		if !errorIs[*types.InvalidParameterException](err) {
			t.Errorf("error %v, want InvalidParameter", err)
		}
	})
	run(t, "a link works for a topic of any region", func(t *testing.T, c *cloud) {
		o := other(c, "test", "eu-west-1")
		topic, err := o.CreateTopic(t.Context(), &client.CreateTopicInput{Name: awssdk.String("t")})
		if err != nil {
			t.Fatal(err)
		}
		w := c.webServer("127.0.0.1:80")
		if _, err := o.Subscribe(t.Context(), &client.SubscribeInput{TopicArn: topic.TopicArn, Protocol: awssdk.String("http"), Endpoint: &w.url}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		c.get(envelope(t, w.posts("SubscriptionConfirmation")[0].body)["SubscribeURL"].(string))
	})
}

func TestPages(t *testing.T) {
	run(t, "what is created or deleted between two pages moves nothing else", func(t *testing.T, c *cloud) {
		var all []string
		for i := range 150 {
			out, err := c.CreateTopic(t.Context(), &client.CreateTopicInput{Name: awssdk.String(fmt.Sprintf("t%03d", i))})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, *out.TopicArn)
		}
		first, err := c.ListTopics(t.Context(), &client.ListTopicsInput{})
		if err != nil || len(first.Topics) != 100 {
			t.Fatal(first, err)
		}
		if _, err := c.DeleteTopic(t.Context(), &client.DeleteTopicInput{TopicArn: &all[5]}); err != nil {
			t.Fatal(err)
		}
		second, err := c.ListTopics(t.Context(), &client.ListTopicsInput{NextToken: first.NextToken})
		if err != nil || len(second.Topics) != 50 || *second.Topics[0].TopicArn != all[100] || second.NextToken != nil {
			t.Errorf("%d topics, error %v", len(second.Topics), err)
		}
	})
	run(t, "a token of somebody else's making is refused", func(t *testing.T, c *cloud) {
		_, err := c.ListTopics(t.Context(), &client.ListTopicsInput{NextToken: awssdk.String("not one of ours")})
		if !errorIs[*types.InvalidParameterException](err) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCertificateIsServedWithoutASignature(t *testing.T) {
	s := sns.New(sns.Options{})
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:4566"+sns.CertificatePath, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := aws.Transport{Handler: newEndpoint(s)}.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", resp, err)
	}
}
