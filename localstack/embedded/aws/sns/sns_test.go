package sns_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	client "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"log/slog"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sns"
)

// These tests give SNS queues and subscribers that fail when told to. What needs no failure is a rule in localstack/conformance.

// cloud is SNS in a bubble, with queues and web servers that record what they get.
type cloud struct {
	*client.Client
	t       *testing.T
	service *sns.Service
	queues  *queues
	web     *web
	names   int
}

// run runs f in a bubble of its own.
func run(t *testing.T, name string, f func(t *testing.T, c *cloud)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, newCloud(t)) })
	})
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{t: t, queues: &queues{fails: map[string]error{}}, web: &web{servers: map[string]http.Handler{}}}
	c.service = sns.New(sns.Options{Queues: c.queues, HTTP: c.web})
	t.Cleanup(c.service.Close)
	c.Client = client.New(client.Options{
		BaseEndpoint: awssdk.String("http://127.0.0.1:4566"), Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		HTTPClient:  &http.Client{Transport: aws.Transport{Handler: newEndpoint(c.service)}},
	})
	c.web.servers["127.0.0.1:4566"] = newEndpoint(c.service)
	return c
}

func newEndpoint(s *sns.Service) *aws.Endpoint {
	e := aws.NewEndpoint(slog.New(slog.DiscardHandler), s.API())
	e.Page(sns.CertificatePath, s.Certificate())
	return e
}

func (c *cloud) topic(attributes ...string) string {
	c.t.Helper()
	c.names++
	name, set := fmt.Sprintf("topic-%d", c.names), pairs(attributes)
	if set["FifoTopic"] == "true" {
		name += ".fifo"
	}
	out, err := c.CreateTopic(c.t.Context(), &client.CreateTopicInput{Name: &name, Attributes: set})
	if err != nil {
		c.t.Fatal(err)
	}
	return *out.TopicArn
}

// subscribe subscribes a queue, given by its name, or a URL.
func (c *cloud) subscribe(topic, endpoint string, attributes ...string) string {
	c.t.Helper()
	protocol := "sqs"
	if p, _, ok := strings.Cut(endpoint, "://"); ok {
		protocol = p
	} else {
		endpoint = queueARN(endpoint)
	}
	out, err := c.Subscribe(c.t.Context(), &client.SubscribeInput{
		TopicArn: &topic, Protocol: &protocol, Endpoint: &endpoint, Attributes: pairs(attributes), ReturnSubscriptionArn: true,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return *out.SubscriptionArn
}

func (c *cloud) publish(topic, body string, change ...func(*client.PublishInput)) *client.PublishOutput {
	c.t.Helper()
	in := &client.PublishInput{TopicArn: &topic, Message: &body}
	for _, f := range change {
		f(in)
	}
	out, err := c.Publish(c.t.Context(), in)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *cloud) set(subscription, name, value string) {
	c.t.Helper()
	if _, err := c.SetSubscriptionAttributes(c.t.Context(), &client.SetSubscriptionAttributesInput{
		SubscriptionArn: &subscription, AttributeName: &name, AttributeValue: &value,
	}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) attributes(subscription string) map[string]string {
	c.t.Helper()
	out, err := c.GetSubscriptionAttributes(c.t.Context(), &client.GetSubscriptionAttributesInput{SubscriptionArn: &subscription})
	if err != nil {
		c.t.Fatal(err)
	}
	return out.Attributes
}

func queueARN(name string) string { return "arn:aws:sqs:us-east-1:000000000000:" + name }

func pairs(list []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		m[list[i]] = list[i+1]
	}
	return m
}

func inGroup(group, id string) func(*client.PublishInput) {
	return func(in *client.PublishInput) {
		in.MessageGroupId = &group
		if id != "" {
			in.MessageDeduplicationId = &id
		}
	}
}

func withAttributes(n int) func(*client.PublishInput) {
	return func(in *client.PublishInput) {
		in.MessageAttributes = map[string]types.MessageAttributeValue{}
		for i := range n {
			in.MessageAttributes[fmt.Sprintf("a%d", i)] = types.MessageAttributeValue{DataType: awssdk.String("String"), StringValue: awssdk.String("x")}
		}
	}
}

// queues record deliveries by the queue's name, and fail those to a queue with an entry in fails.
type queues struct {
	mu    sync.Mutex
	fails map[string]error
	got   []received
	tries []received
}

type received struct {
	queue string
	at    time.Time
	sns.QueueMessage
}

func (q *queues) Deliver(arn string, m sns.QueueMessage) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := received{arn[strings.LastIndex(arn, ":")+1:], time.Now(), m}
	q.tries = append(q.tries, r)
	if err := q.fails[r.queue]; err != nil {
		return err
	}
	q.got = append(q.got, r)
	return nil
}

func (q *queues) fail(queue string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fails[queue] = err
}

// in returns what a queue got.
func (q *queues) in(queue string) []received {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(q.got), func(r received) bool { return r.queue != queue })
}

// attempts returns when deliveries to a queue were attempted, counted from the first.
func (q *queues) attempts(queue string) []time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	var at []time.Time
	for _, r := range q.tries {
		if r.queue == queue {
			at = append(at, r.at)
		}
	}
	return since(at)
}

func since(at []time.Time) []time.Duration {
	var d []time.Duration
	for _, t := range at {
		d = append(d, t.Sub(at[0]))
	}
	return d
}

func bodies(list []received) []string {
	var b []string
	for _, r := range list {
		b = append(b, r.Body)
	}
	return b
}

// web is a network of web servers.
type web struct {
	mu      sync.Mutex
	servers map[string]http.Handler
}

func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	h := w.servers[r.URL.Host]
	w.mu.Unlock()
	if h == nil {
		return nil, fmt.Errorf("dial tcp %s: connection refused", r.URL.Host)
	}
	return aws.Transport{Handler: h}.RoundTrip(r)
}

// errorIs says whether err is a T to errors.As.
func errorIs[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}
