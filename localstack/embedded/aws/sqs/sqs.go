// Package sqs is Amazon SQS for the local cloud: every operation of the service's API (version 2012-11-05, as of December
// 2026), standard and FIFO queues, over the JSON and the query protocol.
//
// The queueing itself is the engine's (package queue); here are SQS's own rules: names and limits, attributes, receipt handles,
// redrive, errors. Where the service is only approximate, this one is exact: a message that was sent can be received at once, a
// deleted queue is gone at once, counts are right. What a standard queue may do although it seldom does, deliver a message twice
// or out of order, it does when asked: see [Service.DeliverTwice] and [Service.DeliverReversed].
//
// Queue policies and permissions are kept here and enforced by the cloud, with its option IAM; see [Service.ResourcePolicy].
// Not enforced: KMS keys; the quotas of calls per second.
//
// Sources, where a comment names no other: Amazon SQS Developer Guide and Amazon SQS API Reference, as of 2026-12-01.
package sqs

import (
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	engine "github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// Options configure a Service.
type Options struct {
	Log     *slog.Logger // nil discards
	Metrics Metrics      // nil: there are none
}

// Service is SQS in every region and account. It is safe for concurrent use.
type Service struct {
	log     *slog.Logger
	metrics Metrics
	broker  *engine.Broker
	seed    [2]uint64 // of message ids

	// changes is held by what creates, changes or deletes queues. Order of the locks: changes, a queue's, the broker's, mu.
	changes sync.Mutex
	closed  bool
	deleted map[name]time.Time // when queues were deleted, of the last minute
	number  uint64             // of the last queue
	tasks   sync.WaitGroup

	mu     sync.RWMutex // held for a look at the map only
	queues map[name]*queue
}

// name identifies a queue in the service.
type name struct{ account, region, queue string }

func (n name) arn() string { return "arn:aws:sqs:" + n.region + ":" + n.account + ":" + n.queue }

// parseARN is the inverse of arn; ok is false for anything else.
func parseARN(arn string) (n name, ok bool) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[1] != "aws" || parts[2] != "sqs" {
		return name{}, false
	}
	return name{region: parts[3], account: parts[4], queue: parts[5]}, true
}

// New returns a service without queues.
func New(o Options) *Service {
	s := &Service{
		log: o.Log, metrics: o.Metrics, broker: engine.NewBroker(), seed: [2]uint64{rand.Uint64(), rand.Uint64()},
		deleted: make(map[name]time.Time), queues: make(map[name]*queue),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// API returns the service's operations for the endpoint.
func (s *Service) API() *api.Service {
	return &api.Service{
		Name: "sqs", TargetPrefix: "AmazonSQS", ShapePrefix: "com.amazonaws.sqs", Version: "2012-11-05",
		Namespace: "http://queue.amazonaws.com/doc/2012-11-05/", FlatLists: true, Log: s.log, Resources: s.resources,
		Operations: api.Operations{
			"AddPermission":                api.Op(s.addPermission),
			"CancelMessageMoveTask":        api.Op(s.cancelMessageMoveTask),
			"ChangeMessageVisibility":      api.Op(s.changeMessageVisibility),
			"ChangeMessageVisibilityBatch": api.Op(s.changeMessageVisibilityBatch),
			"CreateQueue":                  api.Op(s.createQueue),
			"DeleteMessage":                api.Op(s.deleteMessage),
			"DeleteMessageBatch":           api.Op(s.deleteMessageBatch),
			"DeleteQueue":                  api.Op(s.deleteQueue),
			"GetQueueAttributes":           api.Op(s.getQueueAttributes),
			"GetQueueUrl":                  api.Op(s.getQueueURL),
			"ListDeadLetterSourceQueues":   api.Op(s.listDeadLetterSourceQueues),
			"ListMessageMoveTasks":         api.Op(s.listMessageMoveTasks),
			"ListQueueTags":                api.Op(s.listQueueTags),
			"ListQueues":                   api.Op(s.listQueues),
			"PurgeQueue":                   api.Op(s.purgeQueue),
			"ReceiveMessage":               api.Op(s.receiveMessage),
			"RemovePermission":             api.Op(s.removePermission),
			"SendMessage":                  api.Op(s.sendMessage),
			"SendMessageBatch":             api.Op(s.sendMessageBatch),
			"SetQueueAttributes":           api.Op(s.setQueueAttributes),
			"StartMessageMoveTask":         api.Op(s.startMessageMoveTask),
			"TagQueue":                     api.Op(s.tagQueue),
			"UntagQueue":                   api.Op(s.untagQueue),
		},
	}
}

// Close deletes all queues: long polls end, message move tasks stop. No queue is created afterwards.
func (s *Service) Close() {
	s.changes.Lock()
	s.closed = true
	for _, q := range s.all() {
		s.remove(q)
	}
	s.changes.Unlock()
	s.tasks.Wait()
}

// lookup returns the queue of that name, or nil.
func (s *Service) lookup(n name) *queue {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.queues[n]
}

func (s *Service) all() []*queue {
	s.mu.RLock()
	defer s.mu.RUnlock()
	queues := make([]*queue, 0, len(s.queues))
	for _, q := range s.queues {
		queues = append(queues, q)
	}
	return queues
}

// queue finds the queue that a call is about, by its URL or, in the query protocol, by the URL that the request went to.
// Only account and name count: whichever address a client reached the service at, a URL from it is good.
func (s *Service) queue(c *api.Call, queueURL string) (*queue, error) {
	path := queueURL
	if path == "" {
		if path = c.Path; c.Protocol != api.Query || strings.Count(path, "/") < 2 {
			return nil, missingParameter("QueueUrl")
		}
	}
	account, queueName, ok := splitURL(path)
	if !ok {
		return nil, invalidAddress(queueURL)
	}
	q := s.lookup(name{account, c.Region, queueName})
	if q == nil {
		return nil, queueDoesNotExist(c)
	}
	q.touch()
	return q, nil
}

// splitURL returns the account and the name at the end of a queue's URL or path.
func splitURL(queueURL string) (account, queueName string, ok bool) {
	i := strings.LastIndexByte(queueURL, '/')
	if i < 0 {
		return "", "", false
	}
	j := strings.LastIndexByte(queueURL[:i], '/')
	return queueURL[j+1 : i], queueURL[i+1:], j >= 0
}

func (q *queue) url(c *api.Call) string {
	return c.Endpoint + "/" + q.account + "/" + q.name.queue
}
