// Package sns is Amazon SNS: topics, subscriptions, filter policies, fan-out to SQS queues and to HTTP subscribers,
// FIFO topics with their archive and replay.
//
// Start reading at publish.go (what a message must be), deliver.go (how it gets to a subscriber, and what happens when it
// does not) and fifo.go. Messages of errors are those of the service where a recording of it was found.
//
// # What is not offered
//
// SMS, e-mail, mobile push and Firehose: their operations and protocols answer with an error that says so. Access policies
// are kept here and enforced by the cloud, with its option IAM; see [Service.ResourcePolicy]. Data protection policies are
// kept and returned, and not enforced. There is no encryption, no
// delivery status log and no quota of requests. The retries of a failed delivery come at exact times,
// where the service spreads them. A new filter policy applies at once, where the service takes up to 15 minutes.
// Message attributes are delivered with MessageStructure json too; the guide says that they are not.
//
// Rules without a source beside them are from the doc comments of github.com/aws/aws-sdk-go-v2/service/sns v1.48.0
// (2026-11-10), which are the service's API reference.
package sns

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Options are what New takes.
type Options struct {
	Queues    Queues            // the queues of the same cloud; nil: there are none
	Functions Functions         // its functions; nil: there are none
	HTTP      http.RoundTripper // reaches HTTP subscribers, and nothing outside this machine; nil: no subscriber is reachable
	Metrics   Metrics           // nil: there are none
	Log       *slog.Logger      // nil discards
}

// Queues is how messages get to SQS.
type Queues interface {
	// Deliver sends m to a queue. An error that is [ErrUnavailable] passes, and SNS retries; any other (the queue is gone, it
	// refuses the message) stays, and SNS gives up at once.
	Deliver(queueARN string, m QueueMessage) error
}

// ErrUnavailable is the error of an endpoint that cannot take a message now.
var ErrUnavailable = errors.New("the endpoint is unavailable")

// QueueMessage is a message for a queue. GroupID and DeduplicationID are empty where the queue takes none.
type QueueMessage struct {
	Body                     string
	Attributes               map[string]MessageAttributeValue
	GroupID, DeduplicationID string
	TopicARN                 string // where the message was published
}

// MessageAttributeValue is one message attribute. DataType is String, String.Array, Number or Binary, or one of these
// with a dot and a label of the user's.
type MessageAttributeValue struct {
	DataType    string
	StringValue string
	BinaryValue []byte
}

// Service is SNS for all accounts and regions of one cloud.
type Service struct {
	queues    Queues
	functions Functions
	http      http.RoundTripper
	metrics   Metrics
	log       *slog.Logger
	api       *api.Service
	signer    signer

	// Deliveries run in goroutines of the service until they end or ctx does.
	ctx     context.Context
	cancel  context.CancelFunc
	life    sync.Mutex // guards closed, so that none starts once Close waits
	closed  bool
	running sync.WaitGroup

	mu            sync.Mutex // guards what follows and what hangs on it; never held during a delivery
	topics        map[string]*topic
	subscriptions map[string]*subscription
	tokens        map[string]confirmation
}

// New starts SNS without topics. Close ends it.
func New(o Options) *Service {
	s := &Service{
		queues: o.Queues, functions: o.Functions, http: o.HTTP, metrics: o.Metrics, log: o.Log,
		topics: map[string]*topic{}, subscriptions: map[string]*subscription{}, tokens: map[string]confirmation{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	operations := api.Operations{
		"AddPermission":             api.Op(s.addPermission),
		"ConfirmSubscription":       api.Op(s.confirmSubscription),
		"CreateTopic":               api.Op(s.createTopic),
		"DeleteTopic":               api.Op(s.deleteTopic),
		"GetDataProtectionPolicy":   api.Op(s.getDataProtectionPolicy),
		"GetSubscriptionAttributes": api.Op(s.getSubscriptionAttributes),
		"GetTopicAttributes":        api.Op(s.getTopicAttributes),
		"ListSubscriptions":         api.Op(s.listSubscriptions),
		"ListSubscriptionsByTopic":  api.Op(s.listSubscriptionsByTopic),
		"ListTagsForResource":       api.Op(s.listTagsForResource),
		"ListTopics":                api.Op(s.listTopics),
		"Publish":                   api.Op(s.publish),
		"PublishBatch":              api.Op(s.publishBatch),
		"PutDataProtectionPolicy":   api.Op(s.putDataProtectionPolicy),
		"RemovePermission":          api.Op(s.removePermission),
		"SetSubscriptionAttributes": api.Op(s.setSubscriptionAttributes),
		"SetTopicAttributes":        api.Op(s.setTopicAttributes),
		"Subscribe":                 api.Op(s.subscribe),
		"TagResource":               api.Op(s.tagResource),
		"Unsubscribe":               api.Op(s.unsubscribe),
		"UntagResource":             api.Op(s.untagResource),
	}
	for _, name := range notOffered {
		operations[name] = api.Op(s.refuse)
	}
	s.api = &api.Service{
		Name: "sns", Version: "2010-03-31", Namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
		Operations: operations, Log: s.log, Resources: s.resources,
	}
	return s
}

// API returns the service's operations, for the endpoint.
func (s *Service) API() *api.Service { return s.api }

// Close drops what is not yet delivered and returns when no goroutine of the service is left. It may be called more than once.
func (s *Service) Close() {
	s.life.Lock()
	s.closed = true
	s.life.Unlock()
	s.cancel()
	s.running.Wait()
}

// start runs f in a goroutine of the service, unless the service is closed.
func (s *Service) start(f func()) {
	s.life.Lock()
	defer s.life.Unlock()
	if !s.closed {
		s.running.Go(f)
	}
}

// sleep waits for d and returns false if the service is closed first.
func (s *Service) sleep(d time.Duration) bool {
	if d <= 0 {
		return s.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// invalid is the error of a parameter that is none.
func invalid(format string, args ...any) *api.Error {
	return api.Errorf("InvalidParameter", "Invalid parameter: "+format, args...)
}

func notFound(what string) *api.Error {
	return &api.Error{Code: "NotFound", Message: what + " does not exist", Status: http.StatusNotFound}
}

// checkARN checks that arn, the value of the parameter field, is the ARN of a resource of SNS in the region of the call.
// A request without a signature, a link that somebody follows, names no region. It returns the parts of the ARN.
func checkARN(c *api.Call, field, arn string) ([]string, error) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) < 6 {
		return nil, invalid("%s Reason: An ARN must have at least 6 elements, not %d", field, len(parts))
	}
	if parts[0] != "arn" || parts[2] != "sns" || signed(c) && parts[3] != c.Region {
		return nil, invalid("%s", field)
	}
	return parts, nil
}
