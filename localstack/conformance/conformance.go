// Package conformance holds the rules that the brokers of the course keep: what a lesson may teach, each written once with the
// official client. On the embedded cloud a rule runs in virtual time, so that twelve hours cost nothing; with one of these
// variables set, the rules of that service run in real time on the given endpoint instead:
//
//	BROKERDOJO_CONFORMANCE_AWS    endpoint URL of SQS and SNS, or "aws" for the account of the AWS_* variables
//	BROKERDOJO_CONFORMANCE_REDIS  host:port
//	BROKERDOJO_CONFORMANCE_KAFKA  host:port,host:port
//	BROKERDOJO_CONFORMANCE_SLOW   1 runs there also the rules that take over a minute
//
// A rule is one call of [Run] in a test function named after its service (TestSQSVisibility, TestRedisStreams), which decides
// the variable that applies. A rule takes every name from [Cloud.Name]: what stands under it on a shared endpoint is removed
// afterwards. `go test -v` prints each rule's source, the date it was checked and the target it ran on.
package conformance

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerdojo/brokerdojo/localstack/embedded"
)

// A Rule is something a broker always does.
type Rule struct {
	Name    string        // a sentence: "a message reaches only who subscribed before it was published"
	Source  string        // document's title and section
	Checked string        // day on which the source was read, 2006-01-02
	Takes   time.Duration // real time that the rule needs on an endpoint; 0 is quick
}

// services lists, by the prefix of a test function's name, what decides where its rules run.
var services = []struct{ prefix, embedded, setting string }{
	{"TestSQS", "aws", "BROKERDOJO_CONFORMANCE_AWS"},
	{"TestSNS", "aws", "BROKERDOJO_CONFORMANCE_AWS"},
	{"TestRedis", "redis", "BROKERDOJO_CONFORMANCE_REDIS"},
	{"TestKafka", "kafka", "BROKERDOJO_CONFORMANCE_KAFKA"},
}

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
	t.Fatalf("%s does not say whose rules these are: the name must start with TestSQS, TestSNS, TestRedis or TestKafka", t.Name())
}

func run(t *testing.T, r Rule, service, endpoint string, f func(t *testing.T, c *Cloud)) {
	t.Run(r.Name, func(t *testing.T) {
		t.Attr("source", r.Source)
		t.Attr("checked", r.Checked)
		if endpoint == "" {
			t.Attr("target", "embedded")
			var skipped bool
			synctest.Test(t, func(t *testing.T) {
				local := embedded.InMemory(embedded.Options{Services: []string{service}})
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
func (c *Cloud) SQS() *sqs.Client { return sqs.NewFromConfig(c.aws()) }

// SNS returns a client of the SNS under test.
func (c *Cloud) SNS() *sns.Client { return sns.NewFromConfig(c.aws()) }

func (c *Cloud) aws() aws.Config {
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

// need ends a rule that asks for another service than its test function's name says: it would run on the wrong target.
func (c *Cloud) need(service string) {
	c.t.Helper()
	if c.service != service {
		c.t.Fatalf("a rule of %s cannot use %s", c.service, service)
	}
}
