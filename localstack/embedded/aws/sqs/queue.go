package sqs

import (
	"encoding/base64"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	engine "github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// Rules that hold for every queue.
const (
	maxInFlight       = 120_000          // messages; quotas-queues, quotas-fifo
	maxVisibility     = 12 * time.Hour   // from the receive on, however often it is extended
	dedupInterval     = 5 * time.Minute  // FIFO-queues-exactly-once-processing
	purgeInterval     = 60 * time.Second // PurgeQueue
	recreateInterval  = 60 * time.Second // DeleteQueue
	maxListResults    = 1000
	fairShare         = 0.10 // of the messages in flight, or of the consumers' time: sqs-fair-queues-detailed
	fairMinInFlight   = 30
	fairQuietInterval = 5 * time.Minute
)

// A queue is one SQS queue.
type queue struct {
	name
	number   uint64 // unique: receipt handles of a deleted queue are not valid for the next one of its name
	fifo     bool
	created  time.Time
	engine   *engine.Queue
	settings atomic.Pointer[settings] // replaced as a whole, by the holder of Service.changes
	counts   *counts                  // nil: nobody wants metrics

	mu           sync.Mutex
	tags         map[string]string
	purged       time.Time
	attempts     map[string]attempt // by ReceiveRequestAttemptId
	attemptOrder []string           // their ids, oldest first
	moves        []*moveTask        // oldest first
}

type createQueueInput struct {
	QueueName  string
	Attributes map[string]string `query:"Attribute,key=Name,value=Value"`
	Tags       map[string]string `json:"tags" query:"Tag,key=Key,value=Value"`
}

type queueURLOutput struct {
	QueueUrl string
}

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func (s *Service) createQueue(c *api.Call, in *createQueueInput) (*queueURLOutput, error) {
	if in.QueueName == "" {
		return nil, missingParameter("QueueName")
	}
	fifo, err := isFIFO(in.Attributes)
	if err != nil {
		return nil, err
	}
	if fifo {
		base, ok := strings.CutSuffix(in.QueueName, ".fifo")
		if !ok || len(in.QueueName) > 80 || !queueName.MatchString(base) {
			return nil, invalid("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
		}
	} else if !queueName.MatchString(in.QueueName) {
		return nil, invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	n := name{c.Account, c.Region, in.QueueName}

	s.changes.Lock()
	defer s.changes.Unlock()
	if s.closed { // a request that was under way when the cloud ended
		return nil, &api.Error{Code: "ServiceUnavailable", Message: "The service has ended.", Status: http.StatusServiceUnavailable, Receiver: true}
	}
	if q := s.lookup(n); q != nil {
		if err := s.sameAttributes(q, in.Attributes); err != nil {
			return nil, err
		}
		return &queueURLOutput{q.url(c)}, nil
	}
	for n, at := range s.deleted {
		if time.Since(at) >= recreateInterval {
			delete(s.deleted, n)
		}
	}
	if _, ok := s.deleted[n]; ok {
		return nil, queueDeletedRecently()
	}
	q := &queue{name: n, fifo: fifo, created: time.Now(), tags: maps.Clone(in.Tags), attempts: make(map[string]attempt)}
	if q.tags == nil {
		q.tags = make(map[string]string)
	}
	set, err := s.parseAttributes(q, defaults(fifo), in.Attributes)
	if err != nil {
		return nil, err
	}
	s.number++
	q.number = s.number
	o := engine.Options{MaxLease: maxVisibility, MaxLeased: maxInFlight}
	if fifo {
		o.Ordered = true
		o.Dedup.Window = dedupInterval
	} else {
		o.SettleLate = true
		o.Fair = engine.Fairness{Share: fairShare, MinLeased: fairMinInFlight, Memory: fairQuietInterval}
	}
	if s.metrics != nil {
		o.Sample = q.sampler(s.metrics)
	}
	q.engine = s.broker.NewQueue(n.arn(), o)
	s.apply(q, set)
	s.mu.Lock()
	s.queues[n] = q
	s.mu.Unlock()
	s.relink(n.arn())
	return &queueURLOutput{q.url(c)}, nil
}

// apply makes set the queue's settings.
func (s *Service) apply(q *queue, set *settings) {
	old := q.settings.Swap(set)
	target := s.deadLetterQueue(set)
	q.engine.Configure(func(o *engine.Options) {
		o.TTL = set.retention
		o.Dedup.PerGroup = set.dedupScope == scopeGroup
		o.DeadLetter = deadLetter(q, set, target)
	})
	if old != nil && q.fifo && old.delay != set.delay {
		q.engine.Reschedule(set.delay) // on a FIFO queue a new delay is retroactive: sqs-delay-queues
	}
}

// remove takes a queue out of the service.
func (s *Service) remove(q *queue) {
	s.mu.Lock()
	delete(s.queues, q.name)
	s.mu.Unlock()
	q.engine.Close()
	s.relink(q.arn())
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range q.moves {
		t.stop()
	}
}

type queueURLInput struct {
	QueueUrl string
}

func (s *Service) deleteQueue(c *api.Call, in *queueURLInput) (*struct{}, error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	s.remove(q)
	s.deleted[q.name] = time.Now()
	return &struct{}{}, nil
}

func (s *Service) purgeQueue(c *api.Call, in *queueURLInput) (*struct{}, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.purged.IsZero() && time.Since(q.purged) < purgeInterval {
		return nil, purgeInProgress(q.name.queue)
	}
	q.purged = time.Now()
	q.engine.Purge()
	return &struct{}{}, nil
}

type getQueueURLInput struct{ QueueName, QueueOwnerAWSAccountId string }

func (s *Service) getQueueURL(c *api.Call, in *getQueueURLInput) (*queueURLOutput, error) {
	if in.QueueName == "" {
		return nil, missingParameter("QueueName")
	}
	n := name{c.Account, c.Region, in.QueueName}
	if in.QueueOwnerAWSAccountId != "" {
		n.account = in.QueueOwnerAWSAccountId
	}
	q := s.lookup(n)
	if q == nil {
		return nil, queueDoesNotExist(c)
	}
	return &queueURLOutput{q.url(c)}, nil
}

type listQueuesInput struct {
	QueueNamePrefix string
	MaxResults      *int
	NextToken       string
}

type listQueuesOutput struct {
	QueueUrls []string `json:",omitempty" query:"QueueUrl"`
	NextToken string   `json:",omitempty"`
}

func (s *Service) listQueues(c *api.Call, in *listQueuesInput) (*listQueuesOutput, error) {
	queues := s.find(c, func(q *queue) bool { return strings.HasPrefix(q.name.queue, in.QueueNamePrefix) })
	urls, next, err := page(c, queues, in.MaxResults, in.NextToken)
	return &listQueuesOutput{urls, next}, err
}

type listSourcesInput struct {
	QueueUrl   string
	MaxResults *int
	NextToken  string
}

type listSourcesOutput struct {
	QueueUrls []string `json:"queueUrls" query:"QueueUrl"` // the API's model spells it so
	NextToken string   `json:",omitempty"`
}

func (s *Service) listDeadLetterSourceQueues(c *api.Call, in *listSourcesInput) (*listSourcesOutput, error) {
	dead, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	queues := s.find(c, func(q *queue) bool { return q.settings.Load().redrive.target() == dead.arn() })
	urls, next, err := page(c, queues, in.MaxResults, in.NextToken)
	return &listSourcesOutput{urls, next}, err
}

// find returns those of the caller's queues in its region that match, by name.
func (s *Service) find(c *api.Call, match func(*queue) bool) []*queue {
	queues := slices.DeleteFunc(s.all(), func(q *queue) bool {
		return q.account != c.Account || q.region != c.Region || !match(q)
	})
	slices.SortFunc(queues, func(x, y *queue) int { return strings.Compare(x.name.queue, y.name.queue) })
	return queues
}

// page returns the URLs of the page that a token begins, and the token of the next page, if the caller asked for pages.
func page(c *api.Call, queues []*queue, maxResults *int, token string) (urls []string, next string, err error) {
	limit := maxListResults
	if maxResults != nil {
		if limit = *maxResults; limit < 1 || limit > maxListResults {
			return nil, "", invalidValue(strconv.Itoa(limit), "MaxResults", "MaxResults must be an integer between 1 and 1000.")
		}
	}
	if token != "" {
		after, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", invalidValue(token, "NextToken", "Not a token of this list.")
		}
		queues = slices.DeleteFunc(queues, func(q *queue) bool { return q.name.queue <= string(after) })
	}
	if len(queues) > limit {
		queues = queues[:limit]
		if maxResults != nil {
			next = base64.RawURLEncoding.EncodeToString([]byte(queues[limit-1].name.queue))
		}
	}
	urls = make([]string, len(queues))
	for i, q := range queues {
		urls[i] = q.url(c)
	}
	return urls, next, nil
}

type tagQueueInput struct {
	QueueUrl string
	Tags     map[string]string `query:"Tag,key=Key,value=Value"`
}

// Limits of a tag, in characters: quotas-queues.
const (
	maxTagKey   = 128
	maxTagValue = 256
)

func checkTags(tags map[string]string) error {
	for k, v := range tags {
		if k == "" || utf8.RuneCountInString(k) > maxTagKey || utf8.RuneCountInString(v) > maxTagValue {
			return invalid("Tag keys must be between 1 and 128 characters in length, tag values up to 256.")
		}
	}
	return nil
}

func (s *Service) tagQueue(c *api.Call, in *tagQueueInput) (*struct{}, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, missingParameter("Tags")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	maps.Copy(q.tags, in.Tags)
	return &struct{}{}, nil
}

type untagQueueInput struct {
	QueueUrl string
	TagKeys  []string `query:"TagKey"`
}

func (s *Service) untagQueue(c *api.Call, in *untagQueueInput) (*struct{}, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range in.TagKeys {
		delete(q.tags, k)
	}
	return &struct{}{}, nil
}

type listQueueTagsOutput struct {
	Tags map[string]string `json:",omitempty" query:"Tag,key=Key,value=Value"`
}

func (s *Service) listQueueTags(c *api.Call, in *queueURLInput) (*listQueueTagsOutput, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return &listQueueTagsOutput{maps.Clone(q.tags)}, nil
}
