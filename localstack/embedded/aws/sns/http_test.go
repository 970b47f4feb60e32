package sns_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

// webServer is a subscriber: it keeps what it is sent and answers status after delay.
type webServer struct {
	url string

	mu     sync.Mutex
	status int
	delay  time.Duration
	got    []post
}

type post struct {
	at     time.Time
	header http.Header
	body   string
}

func (c *cloud) webServer(host string) *webServer {
	w := &webServer{url: "http://" + host + "/hook", status: http.StatusOK}
	c.web.mu.Lock()
	defer c.web.mu.Unlock()
	c.web.servers[host] = w
	return w
}

func (w *webServer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	w.got = append(w.got, post{time.Now(), r.Header, string(body)})
	status, delay := w.status, w.delay
	w.mu.Unlock()
	select {
	case <-time.After(delay):
		rw.WriteHeader(status)
	case <-r.Context().Done():
	}
}

func (w *webServer) answer(status int, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status, w.delay = status, delay
}

// posts returns what came of one kind.
func (w *webServer) posts(kind string) []post {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.got), func(p post) bool { return p.header.Get("x-amz-sns-message-type") != kind })
}

// attempts returns when notifications came, counted from the first.
func (w *webServer) attempts() []time.Duration {
	var at []time.Time
	for _, p := range w.posts("Notification") {
		at = append(at, p.at)
	}
	return since(at)
}

// get follows a link without a signature.
func (c *cloud) get(url string) string {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := c.web.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("GET %s: %d %s %v", url, resp.StatusCode, body, err)
	}
	return string(body)
}

// confirmed subscribes w and follows the link that it is sent.
func (c *cloud) confirmed(topic string, w *webServer, attributes ...string) string {
	c.t.Helper()
	sub := c.subscribe(topic, w.url, attributes...)
	time.Sleep(time.Second)
	asked := w.posts("SubscriptionConfirmation")
	if len(asked) == 0 {
		c.t.Fatal("nobody was asked to confirm")
	}
	c.get(envelope(c.t, asked[len(asked)-1].body)["SubscribeURL"].(string))
	return sub
}

func envelope(t *testing.T, body string) map[string]any {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return e
}

func TestHTTPSubscription(t *testing.T) {
	run(t, "the endpoint is asked to confirm, and gets nothing before it does", func(t *testing.T, c *cloud) {
		topic := c.topic()
		w := c.webServer("127.0.0.1:80")
		out, err := c.Subscribe(t.Context(), &client.SubscribeInput{TopicArn: &topic, Protocol: awssdk.String("http"), Endpoint: &w.url})
		if err != nil || *out.SubscriptionArn != "pending confirmation" {
			t.Fatalf("subscription %v, error %v", out, err)
		}
		c.publish(topic, "too early")
		time.Sleep(time.Minute)
		asked := w.posts("SubscriptionConfirmation")
		if len(asked) != 1 || len(w.posts("Notification")) != 0 {
			t.Fatalf("%d confirmations and %d notifications, want 1 and 0", len(asked), len(w.posts("Notification")))
		}
		h, e := asked[0].header, envelope(t, asked[0].body)
		if h.Get("x-amz-sns-topic-arn") != topic || h.Get("x-amz-sns-message-id") != e["MessageId"] || h.Get("Content-Type") != "text/plain; charset=UTF-8" || h.Get("x-amz-sns-subscription-arn") != "" {
			t.Errorf("headers %v", h)
		}
		if e["Type"] != "SubscriptionConfirmation" || e["TopicArn"] != topic || !strings.Contains(e["SubscribeURL"].(string), e["Token"].(string)) {
			t.Errorf("envelope %v", e)
		}
		if answer := c.get(e["SubscribeURL"].(string)); !strings.Contains(answer, "<SubscriptionArn>"+topic+":") {
			t.Errorf("answer %s", answer)
		}
		c.publish(topic, "now")
		time.Sleep(time.Second)
		if got := w.posts("Notification"); len(got) != 1 || envelope(t, got[0].body)["Message"] != "now" {
			t.Errorf("notifications %v", got)
		}
	})
	run(t, "a confirmation with a signature can forbid that anybody else unsubscribes", func(t *testing.T, c *cloud) {
		topic := c.topic()
		w := c.webServer("127.0.0.1:80")
		sub := c.subscribe(topic, w.url)
		time.Sleep(time.Second)
		token := envelope(t, w.posts("SubscriptionConfirmation")[0].body)["Token"].(string)
		if _, err := c.ConfirmSubscription(t.Context(), &client.ConfirmSubscriptionInput{TopicArn: &topic, Token: &token, AuthenticateOnUnsubscribe: awssdk.String("true")}); err != nil {
			t.Fatal(err)
		}
		if a := c.attributes(sub); a["ConfirmationWasAuthenticated"] != "true" || a["PendingConfirmation"] != "false" {
			t.Errorf("attributes %v", a)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn="+sub, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.web.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusForbidden {
			t.Errorf("unsubscribing without a signature: %v, %v", resp, err)
		}
	})
	run(t, "who unsubscribes by the link is told, and can come back with the token", func(t *testing.T, c *cloud) {
		topic := c.topic()
		w := c.webServer("127.0.0.1:80")
		sub := c.confirmed(topic, w)
		c.publish(topic, "one")
		time.Sleep(time.Second)
		c.get(envelope(t, w.posts("Notification")[0].body)["UnsubscribeURL"].(string))
		c.publish(topic, "two")
		time.Sleep(time.Second)
		goodbye := w.posts("UnsubscribeConfirmation")
		if len(goodbye) != 1 || goodbye[0].header.Get("x-amz-sns-subscription-arn") != sub {
			t.Fatalf("goodbyes %v", goodbye)
		}
		c.get(envelope(t, goodbye[0].body)["SubscribeURL"].(string))
		c.publish(topic, "three")
		time.Sleep(time.Second)
		var got []any
		for _, p := range w.posts("Notification") {
			got = append(got, envelope(t, p.body)["Message"])
		}
		if !slices.Equal(got, []any{"one", "three"}) {
			t.Errorf("got %v", got)
		}
		if a := c.attributes(sub); a["PendingConfirmation"] != "false" {
			t.Errorf("attributes %v", a)
		}
	})
	run(t, "a subscription that nobody confirms is gone after two days, and its token with it", func(t *testing.T, c *cloud) {
		topic := c.topic()
		w := c.webServer("127.0.0.1:80")
		sub := c.subscribe(topic, w.url)
		time.Sleep(48*time.Hour + time.Second)
		_, err := c.GetSubscriptionAttributes(t.Context(), &client.GetSubscriptionAttributesInput{SubscriptionArn: &sub})
		if !errorIs[*types.NotFoundException](err) {
			t.Errorf("error %v, want NotFound", err)
		}
		token := envelope(t, w.posts("SubscriptionConfirmation")[0].body)["Token"].(string)
		_, err = c.ConfirmSubscription(t.Context(), &client.ConfirmSubscriptionInput{TopicArn: &topic, Token: &token})
		if !errorIs[*types.InvalidParameterException](err) {
			t.Errorf("error %v, want InvalidParameter", err)
		}
	})
	run(t, "a token confirms a subscription of its own topic only", func(t *testing.T, c *cloud) {
		topic, other := c.topic(), c.topic()
		w := c.webServer("127.0.0.1:80")
		c.subscribe(topic, w.url)
		time.Sleep(time.Second)
		token := envelope(t, w.posts("SubscriptionConfirmation")[0].body)["Token"].(string)
		_, err := c.ConfirmSubscription(t.Context(), &client.ConfirmSubscriptionInput{TopicArn: &other, Token: &token})
		if !errorIs[*types.InvalidParameterException](err) {
			t.Errorf("error %v, want InvalidParameter", err)
		}
	})
	run(t, "subscribing again while pending asks again", func(t *testing.T, c *cloud) {
		topic := c.topic()
		w := c.webServer("127.0.0.1:80")
		if first, second := c.subscribe(topic, w.url), c.subscribe(topic, w.url); first != second {
			t.Errorf("two subscriptions: %s and %s", first, second)
		}
		time.Sleep(time.Second)
		if n := len(w.posts("SubscriptionConfirmation")); n != 2 {
			t.Errorf("%d confirmations, want 2", n)
		}
	})
}

func TestHTTPDelivery(t *testing.T) {
	run(t, "a raw message is the body, with headers and without attributes", func(t *testing.T, c *cloud) {
		topic := c.topic()
		w := c.webServer("127.0.0.1:80")
		sub := c.confirmed(topic, w, "RawMessageDelivery", "true", "DeliveryPolicy", `{"requestPolicy":{"headerContentType":"application/json"}}`)
		id := *c.publish(topic, `{"a":1}`, withAttributes(2)).MessageId
		time.Sleep(time.Second)
		got := w.posts("Notification")
		if len(got) != 1 || got[0].body != `{"a":1}` {
			t.Fatalf("got %v", got)
		}
		for name, want := range map[string]string{
			"x-amz-sns-rawdelivery": "true", "x-amz-sns-message-id": id, "x-amz-sns-subscription-arn": sub, "x-amz-sns-topic-arn": topic,
			"Content-Type": "application/json", "User-Agent": "Amazon Simple Notification Service Agent",
		} {
			if got[0].header.Get(name) != want {
				t.Errorf("%s: %q, want %q", name, got[0].header.Get(name), want)
			}
		}
	})
	tests := []struct {
		name   string
		status int
		delay  time.Duration
		policy string
		want   []time.Duration // of attempts
	}{
		{"success is not repeated", 204, 0, "", []time.Duration{0}},
		{"5xx is tried again three times, every 20 seconds", 503, 0, "", []time.Duration{0, 20 * time.Second, 40 * time.Second, 60 * time.Second}},
		{"429 is tried again", 429, 0, `{"healthyRetryPolicy":{"numRetries":1}}`, []time.Duration{0, 20 * time.Second}},
		{"another 4xx is not", 404, 0, "", []time.Duration{0}},
		{"a redirection is not followed", 302, 0, "", []time.Duration{0}},
		{"no answer within 15 seconds is a failure", 200, time.Hour, `{"healthyRetryPolicy":{"numRetries":1}}`, []time.Duration{0, 35 * time.Second}},
		{"the four phases of a policy", 500, 0,
			`{"healthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":11,"numRetries":8,"numNoDelayRetries":1,"numMinDelayRetries":2,"numMaxDelayRetries":1,"backoffFunction":"linear"}}`,
			[]time.Duration{0, 0, 5 * time.Second, 10 * time.Second, 15 * time.Second, 22 * time.Second, 31 * time.Second, 42 * time.Second, 53 * time.Second}},
	}
	for _, tt := range tests {
		run(t, tt.name, func(t *testing.T, c *cloud) {
			topic := c.topic()
			w := c.webServer("127.0.0.1:80")
			sub := c.confirmed(topic, w)
			if tt.policy != "" {
				c.set(sub, "DeliveryPolicy", tt.policy)
			}
			w.answer(tt.status, tt.delay)
			c.publish(topic, "hello")
			time.Sleep(2 * time.Hour)
			if got := w.attempts(); !slices.Equal(got, tt.want) {
				t.Errorf("attempts at %v, want %v", got, tt.want)
			}
		})
	}
	run(t, "a subscriber that does not exist is a failure that may pass", func(t *testing.T, c *cloud) {
		topic := c.topic()
		w := c.webServer("127.0.0.1:80")
		sub := c.confirmed(topic, w)
		c.set(sub, "RedrivePolicy", `{"deadLetterTargetArn":"`+queueARN("dead")+`"}`)
		c.web.mu.Lock()
		delete(c.web.servers, "127.0.0.1:80")
		c.web.mu.Unlock()
		c.publish(topic, "hello")
		time.Sleep(59 * time.Second)
		if got := c.queues.in("dead"); len(got) != 0 {
			t.Errorf("dead-letter queue has %d messages before the retries are used up", len(got))
		}
		time.Sleep(2 * time.Second)
		if got := c.queues.in("dead"); len(got) != 1 {
			t.Errorf("dead-letter queue has %d messages, want 1", len(got))
		}
	})
	run(t, "the topic's policy applies where the subscription has none, and throttles", func(t *testing.T, c *cloud) {
		topic := c.topic("DeliveryPolicy", `{"http":{"defaultThrottlePolicy":{"maxReceivesPerSecond":2}}}`)
		w := c.webServer("127.0.0.1:80")
		c.confirmed(topic, w)
		time.Sleep(time.Minute)
		for range 4 {
			c.publish(topic, "hello")
		}
		time.Sleep(time.Minute)
		if got, want := w.attempts(), []time.Duration{0, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond}; !slices.Equal(got, want) {
			t.Errorf("delivered at %v, want %v", got, want)
		}
	})
	run(t, "the topic's policy overrules the subscription's if it says so", func(t *testing.T, c *cloud) {
		topic := c.topic("DeliveryPolicy", `{"http":{"defaultHealthyRetryPolicy":{"numRetries":0},"disableSubscriptionOverrides":true}}`)
		w := c.webServer("127.0.0.1:80")
		c.confirmed(topic, w, "DeliveryPolicy", `{"healthyRetryPolicy":{"numRetries":5}}`)
		w.answer(500, 0)
		c.publish(topic, "hello")
		time.Sleep(time.Hour)
		if got := w.attempts(); len(got) != 1 {
			t.Errorf("%d attempts, want 1", len(got))
		}
	})
	run(t, "a slow subscriber does not delay another", func(t *testing.T, c *cloud) {
		topic := c.topic()
		slow, quick := c.webServer("127.0.0.1:80"), c.webServer("127.0.0.1:81")
		c.confirmed(topic, slow)
		c.confirmed(topic, quick)
		slow.answer(200, 10*time.Second)
		c.publish(topic, "hello")
		time.Sleep(time.Second)
		if n := len(quick.posts("Notification")); n != 1 {
			t.Errorf("%d notifications, want 1", n)
		}
	})
}

func TestSignature(t *testing.T) {
	for version, hash := range map[string]crypto.Hash{"1": crypto.SHA1, "2": crypto.SHA256} {
		run(t, "a message of signature version "+version+" is verified with the certificate", func(t *testing.T, c *cloud) {
			topic := c.topic("SignatureVersion", version)
			c.subscribe(topic, "q")
			w := c.webServer("127.0.0.1:80")
			c.subscribe(topic, w.url)
			c.publish(topic, "hello", func(in *client.PublishInput) { in.Subject = awssdk.String("subject") })
			c.publish(topic, "no subject")
			time.Sleep(time.Second)
			texts := append(bodies(c.queues.in("q")), w.posts("SubscriptionConfirmation")[0].body)
			if len(texts) != 3 {
				t.Fatalf("%d messages, want 3", len(texts))
			}
			for _, text := range texts {
				e := envelope(t, text)
				fields := []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
				if e["Type"] == "SubscriptionConfirmation" {
					fields = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
				}
				signed := ""
				for _, name := range fields {
					if v, ok := e[name]; ok {
						signed += name + "\n" + v.(string) + "\n"
					}
				}
				if err := verify(hash, c.get(e["SigningCertURL"].(string)), signed, e["Signature"].(string)); err != nil || e["SignatureVersion"] != version {
					t.Errorf("%v: %s", err, text)
				}
			}
		})
	}
}

func verify(hash crypto.Hash, certificate, text, signature string) error {
	block, _ := pem.Decode([]byte(certificate))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(text))
	sum := digest[:]
	if hash == crypto.SHA1 {
		digest := sha1.Sum([]byte(text))
		sum = digest[:]
	}
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return err
	}
	return rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), hash, sum, raw)
}
