// Package conformance holds the rules that the brokers of the course keep: what a lesson may teach, each written once with the
// official client. On the embedded cloud a rule runs in virtual time, so that twelve hours cost nothing; with one of these
// variables set, the rules of that service run in real time on the given endpoint instead:
//
//	BROKERDOJO_CONFORMANCE_AWS    endpoint URL of the AWS services, or "aws" for the account of the AWS_* variables
//	BROKERDOJO_CONFORMANCE_REDIS  host:port
//	BROKERDOJO_CONFORMANCE_KAFKA  host:port,host:port
//	BROKERDOJO_CONFORMANCE_RABBITMQ             host:port
//	BROKERDOJO_CONFORMANCE_RABBITMQ_MANAGEMENT  host:port of its management API
//	BROKERDOJO_CONFORMANCE_SLOW   1 runs there also the rules that take over a minute
//
// A rule is one call of [Run] in a test function named after its service (TestSQSVisibility, TestRedisStreams), which decides
// the variable that applies. A rule takes every name from [Cloud.Name]: what stands under it on a shared endpoint is removed
// afterwards. `go test -v` prints each rule's source, the date it was checked and the target it ran on.
package conformance

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerdojo/brokerdojo/localstack/embedded"
	embeddedaws "github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
)

// A Rule is something a broker always does.
type Rule struct {
	Name    string        // a sentence: "a message reaches only who subscribed before it was published"
	Source  string        // document's title and section
	Checked string        // day on which the source was read, 2006-01-02
	Takes   time.Duration // real time that the rule needs on an endpoint; 0 is quick

	Policies bool // the rule is about permissions: the embedded cloud enforces policies
}

// services lists, by the prefix of a test function's name, what decides where its rules run.
var services = []struct{ prefix, embedded, setting string }{
	{"TestSQS", "aws", settingAWS},
	{"TestSNS", "aws", settingAWS},
	{"TestLambda", "aws", settingAWS},
	{"TestEventSource", "aws", settingAWS},
	{"TestLogs", "aws", settingAWS},
	{"TestCloudWatch", "aws", settingAWS},
	{"TestS3", "aws", settingAWS},
	{"TestSSM", "aws", settingAWS},
	{"TestSTS", "aws", settingAWS},
	{"TestIAM", "aws", settingAWS},
	{"TestKMS", "aws", settingAWS},
	{"TestCloudFormation", "aws", settingAWS},
	{"TestRedis", "redis", "BROKERDOJO_CONFORMANCE_REDIS"},
	{"TestKafka", "kafka", "BROKERDOJO_CONFORMANCE_KAFKA"},
	{"TestRabbitMQ", "rabbitmq", "BROKERDOJO_CONFORMANCE_RABBITMQ"},
}

const (
	settingAWS        = "BROKERDOJO_CONFORMANCE_AWS"
	settingManagement = "BROKERDOJO_CONFORMANCE_RABBITMQ_MANAGEMENT"
)

// afterClose is how long, in virtual time, a bubble goes on after everything was closed: clients' keep-alive goroutines notice
// only on their next tick, and a bubble's clock stops with its main goroutine.
const afterClose = time.Minute

// Run runs f as the subtest r.Name: on the embedded cloud in a synctest bubble, on a given endpoint in real time.
// All waiting in f goes through [Cloud.Sleep], [Cloud.Eventually] or a blocking call of a client.
func Run(t *testing.T, r Rule, f func(t *testing.T, c *Cloud)) {
	t.Helper()
	if _, err := time.Parse(time.DateOnly, r.Checked); err != nil || r.Name == "" || r.Source == "" {
		t.Fatalf("rule %q must have a name, a source and the day on which it was checked: %+v", r.Name, r)
	}
	for _, s := range services {
		if strings.HasPrefix(t.Name(), s.prefix) {
			run(t, r, s.embedded, os.Getenv(s.setting), f)
			return
		}
	}
	t.Fatalf("%s does not say whose rules these are: the name must start with Test and a service, as %s does", t.Name(), services[0].prefix)
}

func run(t *testing.T, r Rule, service, endpoint string, f func(t *testing.T, c *Cloud)) {
	t.Run(r.Name, func(t *testing.T) {
		t.Attr("source", r.Source)
		t.Attr("checked", r.Checked)
		if endpoint == "" {
			t.Attr("target", "embedded")
			options := embedded.Options{Services: []string{service}}
			if r.Policies {
				options.IAM = embedded.IAMEnforce
			}
			var skipped bool
			synctest.Test(t, func(t *testing.T) {
				local := embedded.InMemory(options)
				t.Cleanup(func() { // runs last: what the rule opened is closed by then
					skipped = t.Skipped()
					if err := local.Close(); err != nil {
						t.Errorf("close the embedded cloud: %v", err)
					}
					time.Sleep(afterClose)
				})
				f(t, &Cloud{t: t, service: service, local: local, prefix: "conformance-"})
			})
			if skipped {
				t.SkipNow() // the bubble's T does not pass it on
			}
			return
		}
		t.Attr("target", endpoint)
		if r.Takes > time.Minute && os.Getenv("BROKERDOJO_CONFORMANCE_SLOW") != "1" {
			t.Skipf("takes %s in real time; BROKERDOJO_CONFORMANCE_SLOW=1 runs it", r.Takes)
		}
		c := &Cloud{t: t, service: service, endpoint: endpoint, prefix: "conformance-" + strings.ToLower(rand.Text()[:10]) + "-"}
		t.Cleanup(c.removeAll)
		f(t, c)
	})
}

// A Cloud is what a rule sees: clients of the service that it is about, names, and time. Clients are closed when the rule ends.
type Cloud struct {
	t                         *testing.T
	service, endpoint, prefix string
	local                     *embedded.Cloud
	names                     int
}

// Embedded says whether the rule runs on the embedded cloud, in virtual time.
func (c *Cloud) Embedded() bool { return c.local != nil }

// Control is the embedded cloud, for what only its owner can do, such as stopping a broker. On a given endpoint it skips the rule.
func (c *Cloud) Control() *embedded.Cloud {
	if c.local == nil {
		c.t.Skip("needs a hand on the broker, which only the embedded cloud gives")
	}
	return c.local
}

// Name returns a name of its own at each call: letters, digits and hyphens, 30 characters longer than base at most.
func (c *Cloud) Name(base string) string {
	c.names++
	return fmt.Sprintf("%s%s-%d", c.prefix, base, c.names)
}

// Sleep lets d pass: at once and exactly on the embedded cloud, really elsewhere.
func (c *Cloud) Sleep(d time.Duration) { time.Sleep(d) }

// Eventually waits until condition holds and ends the rule when it does not within the given time. It is for what becomes true
// without telling the client; the message says what was waited for.
func (c *Cloud) Eventually(what string, within time.Duration, condition func() bool) {
	c.t.Helper()
	for start := time.Now(); !condition(); time.Sleep(max(10*time.Millisecond, within/500)) {
		if time.Since(start) > within {
			c.t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// SQS returns a client of the SQS under test.
func (c *Cloud) SQS() *sqs.Client { return sqs.NewFromConfig(c.AWS()) }

// SNS returns a client of the SNS under test.
func (c *Cloud) SNS() *sns.Client { return sns.NewFromConfig(c.AWS()) }

// S3 returns a client of the S3 under test. It names the bucket in the path: in memory there are no hosts to look up.
func (c *Cloud) S3() *s3.Client {
	return s3.NewFromConfig(c.AWS(), func(o *s3.Options) { o.UsePathStyle = c.endpoint != "aws" })
}

// AWS returns the configuration of clients of the AWS under test: lambda.NewFromConfig(c.AWS()).
func (c *Cloud) AWS() aws.Config {
	c.need("aws")
	if c.local != nil {
		return c.local.AWS()
	}
	config := aws.Config{
		Region: cmp.Or(os.Getenv("AWS_REGION"), "us-east-1"),
		Credentials: credentials.NewStaticCredentialsProvider(cmp.Or(os.Getenv("AWS_ACCESS_KEY_ID"), "test"),
			cmp.Or(os.Getenv("AWS_SECRET_ACCESS_KEY"), "test"), os.Getenv("AWS_SESSION_TOKEN")),
	}
	if c.endpoint != "aws" {
		config.BaseEndpoint = &c.endpoint
	}
	return config
}

// Redis returns a client of the Redis under test, with a connection pool of its own.
func (c *Cloud) Redis(settings ...func(*redis.Options)) *redis.Client {
	c.need("redis")
	o := &redis.Options{Addr: c.endpoint}
	if c.local != nil {
		o = c.local.Redis()
	}
	for _, set := range settings {
		set(o)
	}
	client := redis.NewClient(o)
	c.t.Cleanup(func() { client.Close() })
	return client
}

// Kafka returns a client of the Kafka under test.
func (c *Cloud) Kafka(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	c.need("kafka")
	base := []kgo.Opt{kgo.SeedBrokers(strings.Split(c.endpoint, ",")...)}
	if c.local != nil {
		base = c.local.Kafka()
	}
	client, err := kgo.NewClient(append(base, opts...)...)
	if err != nil {
		c.t.Fatalf("kafka client: %v", err)
	}
	c.t.Cleanup(client.CloseAllowingRebalance)
	return client
}

// RabbitMQ returns a connection to the RabbitMQ under test.
func (c *Cloud) RabbitMQ() *amqp091.Connection {
	c.t.Helper()
	conn, err := c.RabbitMQAs("guest", "guest")
	if err != nil {
		c.t.Fatalf("rabbitmq client: %v", err)
	}
	return conn
}

// RabbitMQAs is RabbitMQ for another user, or with another configuration.
func (c *Cloud) RabbitMQAs(user, password string, settings ...func(*amqp091.Config)) (*amqp091.Connection, error) {
	c.t.Helper()
	c.need("rabbitmq")
	url, config := "amqp://"+c.endpoint+"/", amqp091.Config{Heartbeat: 10 * time.Second, Locale: "en_US"}
	if c.local != nil {
		url, config = c.local.RabbitMQ()
	}
	config.SASL = []amqp091.Authentication{&amqp091.PlainAuth{Username: user, Password: password}}
	for _, set := range settings {
		set(&config)
	}
	conn, err := amqp091.DialConfig(url, config)
	if err == nil {
		c.t.Cleanup(func() { _ = conn.Close() }) // the rule may have closed it
	}
	return conn, err
}

// RabbitMQAPI makes a request to the management API of the RabbitMQ under test, as user guest. Body and answer are JSON; an
// answer without a body is nil.
func (c *Cloud) RabbitMQAPI(method, path string, body any) (status int, answer any) {
	c.t.Helper()
	c.need("rabbitmq")
	if c.local == nil && os.Getenv(settingManagement) == "" {
		c.t.Skip("needs the management API: set " + settingManagement)
	}
	status, answer, err := c.rabbitMQAPI(c.t.Context(), method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return status, answer
}

func (c *Cloud) rabbitMQAPI(ctx context.Context, method, path string, body any) (status int, answer any, err error) {
	client, host := http.DefaultClient, os.Getenv(settingManagement)
	if c.local != nil {
		client, host = &http.Client{Transport: embeddedaws.Transport{Handler: c.local.RabbitMQServer().Management()}}, "127.0.0.1:15672"
	}
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+host+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	r.SetBasicAuth("guest", "guest")
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err = io.ReadAll(resp.Body); err != nil || len(text) == 0 {
		return resp.StatusCode, nil, err
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return 0, nil, fmt.Errorf("%s %s: %s", method, path, text)
	}
	return resp.StatusCode, answer, nil
}

// need ends a rule that asks for another service than its test function's name says: it would run on the wrong target.
func (c *Cloud) need(service string) {
	c.t.Helper()
	if c.service != service {
		c.t.Fatalf("a rule of %s cannot use %s", c.service, service)
	}
}
