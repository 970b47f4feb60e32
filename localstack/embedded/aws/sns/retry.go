package sns

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"time"
)

// retryPolicy says when a failed delivery is tried again. Delays are in seconds. The retries come in four phases:
// at once, in the least delay, in delays that grow from the least to the most, in the most delay.
// Source: Amazon SNS Developer Guide, "Message delivery retries" (checked 2026-12-01).
type retryPolicy struct {
	MinDelayTarget     int    `json:"minDelayTarget"`     // 1 to MaxDelayTarget
	MaxDelayTarget     int    `json:"maxDelayTarget"`     // to 3,600
	NumRetries         int    `json:"numRetries"`         // 0 to 100, of all phases
	NumMaxDelayRetries int    `json:"numMaxDelayRetries"` // of the last phase
	NumNoDelayRetries  int    `json:"numNoDelayRetries"`  // of the first phase
	NumMinDelayRetries int    `json:"numMinDelayRetries"` // of the second phase
	BackoffFunction    string `json:"backoffFunction"`    // linear, arithmetic, geometric or exponential
}

var (
	// defaultRetries is for HTTP subscribers.
	defaultRetries = retryPolicy{MinDelayTarget: 20, MaxDelayTarget: 20, NumRetries: 3, BackoffFunction: "linear"}
	// managedRetries is for queues; it goes on for 23 days and cannot be changed.
	managedRetries = retryPolicy{MinDelayTarget: 1, MaxDelayTarget: 20, NumRetries: 100_015, NumNoDelayRetries: 3,
		NumMinDelayRetries: 2, NumMaxDelayRetries: 100_000, BackoffFunction: "exponential"}
)

// maxRetryTime is the longest that the retries of one message to an HTTP subscriber may take together.
const maxRetryTime = time.Hour

// delay returns how long to wait before the n-th retry, counted from 1, and false if there is none.
func (p retryPolicy) delay(n int) (time.Duration, bool) {
	if n > p.NumRetries {
		return 0, false
	}
	low, high := time.Duration(p.MinDelayTarget)*time.Second, time.Duration(p.MaxDelayTarget)*time.Second
	if n -= p.NumNoDelayRetries; n <= 0 {
		return 0, true
	}
	if n -= p.NumMinDelayRetries; n <= 0 {
		return low, true
	}
	if backoff := p.NumRetries - p.NumNoDelayRetries - p.NumMinDelayRetries - p.NumMaxDelayRetries; n <= backoff {
		return p.backoff(n, backoff), true
	}
	return high, true
}

// backoff returns the delay before the n-th of count retries of the backoff phase: the first waits the least delay, the last
// the most. The guide shows the four functions as curves: they grow evenly (linear), by evenly growing steps
// (arithmetic), by a constant factor (geometric), and by doubling steps (exponential).
func (p retryPolicy) backoff(n, count int) time.Duration {
	low, high := float64(p.MinDelayTarget), float64(p.MaxDelayTarget)
	share := 0.0 // of the way from low to high
	if count > 1 {
		x, end := float64(n-1), float64(count-1)
		switch p.BackoffFunction {
		case "arithmetic":
			share = x * (x + 1) / (end * (end + 1))
		case "geometric":
			share = (low*math.Pow(high/low, x/end) - low) / max(high-low, 1)
		case "exponential":
			share = (math.Exp2(x) - 1) / (math.Exp2(end) - 1)
		default:
			share = x / end
		}
	}
	return time.Duration((low + share*(high-low)) * float64(time.Second)).Round(time.Millisecond)
}

func (p *retryPolicy) UnmarshalJSON(b []byte) error {
	type plain retryPolicy // without this method
	filled := plain(defaultRetries)
	if err := strict(b, &filled); err != nil {
		return err
	}
	*p = retryPolicy(filled)
	return nil
}

func (p retryPolicy) check(name string) error {
	backoff := p.NumRetries - p.NumNoDelayRetries - p.NumMinDelayRetries - p.NumMaxDelayRetries
	switch {
	case p.MaxDelayTarget < 1 || p.MaxDelayTarget > 3600:
		return reason("%s.maxDelayTarget must be from 1 to 3600", name)
	case p.MinDelayTarget < 1 || p.MinDelayTarget > p.MaxDelayTarget:
		return reason("%s.minDelayTarget must be from 1 to maxDelayTarget", name)
	case p.NumRetries < 0 || p.NumRetries > 100:
		return reason("%s.numRetries must be from 0 to 100", name)
	case p.NumNoDelayRetries < 0 || p.NumMinDelayRetries < 0 || p.NumMaxDelayRetries < 0 || backoff < 0:
		return reason("%s.numRetries must be at least the sum of numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries, and none below 0", name)
	}
	switch p.BackoffFunction {
	case "linear", "arithmetic", "geometric", "exponential":
	default:
		return reason("%s.backoffFunction must be linear, arithmetic, geometric or exponential", name)
	}
	total := time.Duration(0)
	for n := 1; ; n++ {
		d, ok := p.delay(n)
		if !ok {
			break
		}
		total += d
	}
	if total > maxRetryTime {
		return reason("%s: the retries take %s together, the most is %s", name, total, maxRetryTime)
	}
	return nil
}

type throttlePolicy struct {
	MaxReceivesPerSecond int `json:"maxReceivesPerSecond"`
}

func (p *throttlePolicy) check(name string) error {
	if p != nil && p.MaxReceivesPerSecond < 1 {
		return reason("%s.maxReceivesPerSecond must be at least 1", name)
	}
	return nil
}

type requestPolicy struct {
	HeaderContentType string `json:"headerContentType"`
}

const defaultContentType = "text/plain; charset=UTF-8"

// topicDelivery is a topic's attribute DeliveryPolicy.
type topicDelivery struct {
	HTTP topicHTTPDelivery `json:"http"`
}

type topicHTTPDelivery struct {
	Retry            *retryPolicy    `json:"defaultHealthyRetryPolicy,omitempty"`
	DisableOverrides bool            `json:"disableSubscriptionOverrides"`
	Throttle         *throttlePolicy `json:"defaultThrottlePolicy,omitempty"`
	Request          *requestPolicy  `json:"defaultRequestPolicy,omitempty"`
}

// subscriptionDelivery is a subscription's attribute DeliveryPolicy, and what is in effect.
type subscriptionDelivery struct {
	Retry      *retryPolicy    `json:"healthyRetryPolicy"`
	Sickly     *retryPolicy    `json:"sicklyRetryPolicy"` // without effect
	Throttle   *throttlePolicy `json:"throttlePolicy"`
	Request    *requestPolicy  `json:"requestPolicy"`
	Guaranteed bool            `json:"guaranteed"` // without effect
}

// setDelivery sets the attribute DeliveryPolicy of a topic.
func (t *topic) setDelivery(text string) error {
	if text == "" {
		t.delivery = nil
		delete(t.attributes, "DeliveryPolicy")
		return nil
	}
	d := &topicDelivery{}
	if err := strict([]byte(text), d); err != nil {
		return reason("DeliveryPolicy: %s", err)
	}
	if d.HTTP.Retry != nil {
		if err := d.HTTP.Retry.check("http.defaultHealthyRetryPolicy"); err != nil {
			return reason("DeliveryPolicy: %s", err)
		}
	}
	if err := d.HTTP.Throttle.check("http.defaultThrottlePolicy"); err != nil {
		return reason("DeliveryPolicy: %s", err)
	}
	t.delivery = d
	t.attributes["DeliveryPolicy"] = asJSON(d)
	return nil
}

func (t *topic) effectiveDelivery() string {
	d := topicDelivery{}
	if t.delivery != nil {
		d = *t.delivery
	}
	if d.HTTP.Retry == nil {
		d.HTTP.Retry = &defaultRetries
	}
	if d.HTTP.Request == nil {
		d.HTTP.Request = &requestPolicy{defaultContentType}
	}
	return asJSON(d)
}

// parseDelivery reads the attribute DeliveryPolicy of a subscription.
func parseDelivery(text string) (*subscriptionDelivery, error) {
	d := &subscriptionDelivery{}
	if err := strict([]byte(text), d); err != nil {
		return nil, reason("DeliveryPolicy: %s", err)
	}
	if d.Retry != nil {
		if err := d.Retry.check("healthyRetryPolicy"); err != nil {
			return nil, reason("DeliveryPolicy: %s", err)
		}
	}
	if err := d.Throttle.check("throttlePolicy"); err != nil {
		return nil, reason("DeliveryPolicy: %s", err)
	}
	return d, nil
}

// effective returns how HTTP deliveries of a subscription of t are made: what its own policy leaves open
// is as in the topic's, and what that leaves open is the default.
func (d *subscriptionDelivery) effective(t *topic) subscriptionDelivery {
	var e subscriptionDelivery
	if d != nil && (t.delivery == nil || !t.delivery.HTTP.DisableOverrides) {
		e = *d
	}
	if t.delivery != nil {
		h := t.delivery.HTTP
		if e.Retry == nil {
			e.Retry = h.Retry
		}
		if e.Throttle == nil {
			e.Throttle = h.Throttle
		}
		if e.Request == nil {
			e.Request = h.Request
		}
	}
	if e.Retry == nil {
		e.Retry = &defaultRetries
	}
	if e.Request == nil || e.Request.HeaderContentType == "" {
		e.Request = &requestPolicy{defaultContentType}
	}
	return e
}

// strict decodes one JSON object that may have no member that v has not.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return jsonReason(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return jsonReason(errors.New("more follows after the object"))
	}
	return nil
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only types of this package, which marshal
	}
	return string(b)
}
