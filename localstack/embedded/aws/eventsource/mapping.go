package eventsource

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Limits of mappings for SQS: "Lambda parameters for Amazon SQS event source mappings", and CreateEventSourceMapping in the API Reference.
const (
	defaultBatch       = 10
	maxBatch           = 10_000
	maxBatchFIFO       = 10
	maxBatchNoWindow   = 10
	maxWindowSeconds   = 300
	minConcurrency     = 2
	maxConcurrency     = 1000
	maxFilters         = 5
	defaultListed      = 100
	reportItemFailures = "ReportBatchItemFailures"
)

// settings are what clients set of a mapping. They are replaced as a whole.
type settings struct {
	function    Function
	batch       int
	window      time.Duration
	concurrency int // 0: no limit of the mapping's own
	items       bool
	patterns    []string
	filters     filters
}

// A mapping is one event source mapping. Its fields are guarded by Service.mu.
type mapping struct {
	id, account, region string
	queue               string // ARN
	settings            settings
	enabled             bool
	modified            time.Time
	tags                map[string]string
	pollers             *group // nil: it is disabled, or being changed
}

func (m *mapping) arn() string {
	return "arn:aws:lambda:" + m.region + ":" + m.account + ":event-source-mapping:" + m.id
}

type scalingConfig struct{ MaximumConcurrency *int }

type filterCriteria struct{ Filters []filter }

type filter struct{ Pattern *string }

// parameters are those of creating and updating.
type parameters struct {
	UUID                           string            `rest:"path"` // updating only
	EventSourceArn                 string            // creating only
	Tags                           map[string]string // creating only
	FunctionName                   string
	Enabled                        *bool
	BatchSize                      *int
	MaximumBatchingWindowInSeconds *int
	FunctionResponseTypes          *[]string
	ScalingConfig                  *scalingConfig
	FilterCriteria                 *filterCriteria

	// Of other kinds of sources, or not offered: refused by name.
	StartingPosition                    any
	StartingPositionTimestamp           any
	ParallelizationFactor               any
	BisectBatchOnFunctionError          any
	MaximumRecordAgeInSeconds           any
	MaximumRetryAttempts                any
	TumblingWindowInSeconds             any
	DestinationConfig                   any
	Topics                              any
	Queues                              any
	SourceAccessConfigurations          any
	SelfManagedEventSource              any
	SelfManagedKafkaEventSourceConfig   any
	AmazonManagedKafkaEventSourceConfig any
	DocumentDBEventSourceConfig         any
	ProvisionedPollerConfig             any
	MetricsConfig                       any
	LoggingConfig                       any
	KMSKeyArn                           any
}

func invalid(format string, args ...any) *api.Error {
	return api.Errorf("InvalidParameterValueException", format, args...)
}

func notFound() *api.Error {
	return &api.Error{Code: "ResourceNotFoundException", Message: "The resource you requested does not exist.", Status: http.StatusNotFound}
}

func (p *parameters) unsupported() error {
	for _, of := range []struct {
		name  string
		value any
	}{
		{"StartingPosition", p.StartingPosition}, {"StartingPositionTimestamp", p.StartingPositionTimestamp},
		{"ParallelizationFactor", p.ParallelizationFactor}, {"BisectBatchOnFunctionError", p.BisectBatchOnFunctionError},
		{"MaximumRecordAgeInSeconds", p.MaximumRecordAgeInSeconds}, {"MaximumRetryAttempts", p.MaximumRetryAttempts},
		{"TumblingWindowInSeconds", p.TumblingWindowInSeconds}, {"DestinationConfig", p.DestinationConfig},
		{"Topics", p.Topics}, {"Queues", p.Queues}, {"SourceAccessConfigurations", p.SourceAccessConfigurations},
		{"SelfManagedKafkaEventSourceConfig", p.SelfManagedKafkaEventSourceConfig},
		{"AmazonManagedKafkaEventSourceConfig", p.AmazonManagedKafkaEventSourceConfig},
		{"DocumentDBEventSourceConfig", p.DocumentDBEventSourceConfig},
	} {
		if of.value != nil {
			return invalid("Unsupported %s parameter for given event source mapping type.", of.name)
		}
	}
	for _, of := range []struct {
		name  string
		value any
	}{
		{"SelfManagedEventSource", p.SelfManagedEventSource}, {"ProvisionedPollerConfig", p.ProvisionedPollerConfig},
		{"MetricsConfig", p.MetricsConfig}, {"LoggingConfig", p.LoggingConfig}, {"KMSKeyArn", p.KMSKeyArn},
	} {
		if of.value != nil {
			return invalid("The local cloud does not offer the parameter %s of event source mappings.", of.name)
		}
	}
	return nil
}

// outOf is the error of a number outside its limits, as Lambda words it.
func outOf(member string, v int, limit string) *api.Error {
	return &api.Error{Code: "ValidationException", Message: fmt.Sprintf("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value %s", v, member, limit)}
}

// apply checks the parameters and returns the settings with them.
func (s *Service) apply(c *api.Call, set settings, queue string, p *parameters) (settings, error) {
	if err := p.unsupported(); err != nil {
		return set, err
	}
	if p.FunctionName != "" {
		f, ok := s.functions.Find(c.Account, c.Region, p.FunctionName)
		if !ok {
			return set, invalid("Function does not exist")
		}
		set.function = f
	}
	visibility, ok := s.queues.VisibilityTimeout(queue)
	if !ok {
		return set, invalid("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.")
	}
	if s.mayCall != nil {
		for _, action := range []string{"ReceiveMessage", "DeleteMessage", "GetQueueAttributes"} {
			if !s.mayCall(set.function.Role, action, queue) {
				return set, invalid("The provided execution role does not have permissions to call %s on SQS", action)
			}
		}
	}
	if visibility < set.function.Timeout {
		return set, invalid("Queue visibility timeout: %d seconds is less than Function timeout: %d seconds", int(visibility.Seconds()), int(set.function.Timeout.Seconds()))
	}
	fifo := strings.HasSuffix(queue, ".fifo")
	if p.BatchSize != nil {
		if n := *p.BatchSize; n < 1 {
			return set, outOf("batchSize", n, "greater than or equal to 1")
		} else if n > maxBatch {
			return set, outOf("batchSize", n, "less than or equal to 10000")
		} else if fifo && n > maxBatchFIFO {
			return set, invalid("BatchSize must be less than or equal to 10 for a FIFO queue.")
		}
		set.batch = *p.BatchSize
	}
	if p.MaximumBatchingWindowInSeconds != nil {
		n := *p.MaximumBatchingWindowInSeconds
		if n < 0 {
			return set, outOf("maximumBatchingWindowInSeconds", n, "greater than or equal to 0")
		} else if n > maxWindowSeconds {
			return set, outOf("maximumBatchingWindowInSeconds", n, "less than or equal to 300")
		} else if fifo && n > 0 {
			return set, invalid("Batching window is not supported for FIFO queues.")
		}
		set.window = time.Duration(n) * time.Second
	}
	if set.batch > maxBatchNoWindow && set.window == 0 {
		return set, invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
	}
	if p.ScalingConfig != nil {
		set.concurrency = 0 // an empty one takes the limit away
		if p.ScalingConfig.MaximumConcurrency != nil {
			n := *p.ScalingConfig.MaximumConcurrency
			if n < minConcurrency {
				return set, outOf("scalingConfig.maximumConcurrency", n, "greater than or equal to 2")
			} else if n > maxConcurrency {
				return set, outOf("scalingConfig.maximumConcurrency", n, "less than or equal to 1000")
			}
			set.concurrency = n
		}
	}
	if p.FunctionResponseTypes != nil {
		set.items = false
		for _, t := range *p.FunctionResponseTypes {
			if t != reportItemFailures {
				return set, &api.Error{Code: "ValidationException", Message: fmt.Sprintf("1 validation error detected: Value '[%s]' at 'functionResponseTypes' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [ReportBatchItemFailures]]", t)}
			}
			set.items = true
		}
	}
	if p.FilterCriteria != nil {
		set.patterns, set.filters = nil, nil
		if len(p.FilterCriteria.Filters) > maxFilters {
			return set, invalid("Too many filters: an event source mapping has at most %d.", maxFilters)
		}
		for _, f := range p.FilterCriteria.Filters {
			parsed, err := parseFilter(f.Pattern)
			if err != nil {
				return set, err
			}
			set.patterns, set.filters = append(set.patterns, *f.Pattern), append(set.filters, parsed)
		}
	}
	return set, nil
}

// configuration is a mapping as clients see it.
type configuration struct {
	UUID                           string
	EventSourceMappingArn          string
	EventSourceArn                 string
	FunctionArn                    string
	BatchSize                      int
	MaximumBatchingWindowInSeconds int
	FunctionResponseTypes          []string
	ScalingConfig                  *scalingConfig  `json:",omitempty"`
	FilterCriteria                 *filterCriteria `json:",omitempty"`
	State                          string
	StateTransitionReason          string
	LastModified                   api.Timestamp
}

func (m *mapping) configuration(state string) *configuration {
	c := &configuration{
		UUID: m.id, EventSourceMappingArn: m.arn(), EventSourceArn: m.queue, FunctionArn: m.settings.function.ARN,
		BatchSize: m.settings.batch, MaximumBatchingWindowInSeconds: int(m.settings.window.Seconds()), FunctionResponseTypes: []string{},
		State: state, StateTransitionReason: "USER_INITIATED", LastModified: api.At(m.modified),
	}
	if c.State == "" {
		c.State = "Disabled"
		if m.enabled {
			c.State = "Enabled"
		}
	}
	if m.settings.items {
		c.FunctionResponseTypes = []string{reportItemFailures}
	}
	if m.settings.concurrency > 0 {
		c.ScalingConfig = &scalingConfig{&m.settings.concurrency}
	}
	if len(m.settings.patterns) > 0 {
		c.FilterCriteria = &filterCriteria{}
		for _, p := range m.settings.patterns {
			c.FilterCriteria.Filters = append(c.FilterCriteria.Filters, filter{&p})
		}
	}
	return c
}

func (s *Service) create(c *api.Call, in *parameters) (*configuration, error) {
	if in.FunctionName == "" {
		return nil, &api.Error{Code: "ValidationException", Message: "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null"}
	}
	if in.EventSourceArn == "" && in.SelfManagedEventSource == nil {
		return nil, invalid("Unrecognized event source.")
	}
	parts := strings.Split(in.EventSourceArn, ":")
	if len(parts) != 6 || parts[2] != "sqs" {
		return nil, invalid("The local cloud does not offer event source mappings for %s: only for the ARN of an SQS queue.", cmp.Or(in.EventSourceArn, "a self-managed source"))
	}
	if parts[3] != c.Region {
		return nil, invalid("The event source %s is in another region than the function.", in.EventSourceArn)
	}
	set, err := s.apply(c, settings{batch: defaultBatch}, in.EventSourceArn, in)
	if err != nil {
		return nil, err
	}
	m := &mapping{
		id: api.UUID(), account: c.Account, region: c.Region, queue: in.EventSourceArn, settings: set,
		enabled: in.Enabled == nil || *in.Enabled, modified: time.Now(), tags: map[string]string{},
	}
	maps.Copy(m.tags, in.Tags)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &api.Error{Code: "ServiceException", Message: "The local cloud is closing.", Status: http.StatusInternalServerError, Receiver: true}
	}
	for _, other := range s.mappings {
		if other.queue == m.queue && other.settings.function.ARN == set.function.ARN {
			return nil, &api.Error{Code: "ResourceConflictException", Status: http.StatusConflict,
				Message: fmt.Sprintf(`An event source mapping with SQS arn (" %s ") and function (" %s ") already exists. Please update or delete the existing mapping with UUID %s`, m.queue, functionName(set.function.ARN), other.id)}
		}
	}
	s.mappings[m.id] = m
	s.start(m)
	return m.configuration("Creating"), nil
}

// functionName is the name in a function's ARN: arn:aws:lambda:REGION:ACCOUNT:function:NAME or with a qualifier.
func functionName(arn string) string {
	parts := strings.Split(arn, ":")
	return parts[min(6, len(parts)-1)]
}

// start starts the mapping's pollers, if it is enabled. The caller holds mu.
func (s *Service) start(m *mapping) {
	if m.enabled && m.pollers == nil && !s.closed && s.mappings[m.id] == m {
		m.pollers = s.poll(m.queue, m.region, m.settings)
	}
}

// halt stops the mapping's pollers. The caller holds mu, which is free while halt waits.
func (s *Service) halt(m *mapping) {
	g := m.pollers
	m.pollers = nil
	if g != nil {
		s.mu.Unlock()
		g.stop()
		s.mu.Lock()
	}
}

type mappingInput struct {
	UUID string `rest:"path"`
}

// of returns the caller's mapping. The caller holds mu.
func (s *Service) of(c *api.Call, id string) (*mapping, error) {
	m := s.mappings[id]
	if m == nil || m.account != c.Account || m.region != c.Region {
		return nil, notFound()
	}
	return m, nil
}

func (s *Service) get(c *api.Call, in *mappingInput) (*configuration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.of(c, in.UUID)
	if err != nil {
		return nil, err
	}
	return m.configuration(""), nil
}

func (s *Service) update(c *api.Call, in *parameters) (*configuration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.of(c, in.UUID)
	if err != nil {
		return nil, err
	}
	set, err := s.apply(c, m.settings, m.queue, in)
	if err != nil {
		return nil, err
	}
	state := "Updating"
	if in.Enabled != nil && *in.Enabled != m.enabled {
		m.enabled = *in.Enabled
		state = "Disabling"
		if m.enabled {
			state = "Enabling"
		}
	}
	m.settings, m.modified = set, time.Now()
	answer := m.configuration(state)
	s.halt(m)
	s.start(m)
	return answer, nil
}

func (s *Service) delete(c *api.Call, in *mappingInput) (*configuration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.of(c, in.UUID)
	if err != nil {
		return nil, err
	}
	delete(s.mappings, m.id)
	s.halt(m)
	return m.configuration("Deleting"), nil
}

type listInput struct {
	EventSourceArn string `rest:"query=EventSourceArn"`
	FunctionName   string `rest:"query=FunctionName"`
	Marker         string `rest:"query=Marker"`
	MaxItems       *int   `rest:"query=MaxItems"`
}

type listOutput struct {
	EventSourceMappings []*configuration
	NextMarker          string `json:",omitempty"`
}

func (s *Service) list(c *api.Call, in *listInput) (*listOutput, error) {
	var function string
	if in.FunctionName != "" {
		f, ok := s.functions.Find(c.Account, c.Region, in.FunctionName)
		if !ok {
			return &listOutput{EventSourceMappings: []*configuration{}}, nil
		}
		function = f.ARN
	}
	from := 0
	if in.Marker != "" {
		n, err := strconv.Atoi(in.Marker)
		if err != nil || n < 0 {
			return nil, invalid("Invalid Marker.")
		}
		from = n
	}
	most := defaultListed
	if in.MaxItems != nil {
		if most = *in.MaxItems; most < 1 || most > maxBatch {
			return nil, outOf("maxItems", most, "between 1 and 10000")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.SortedFunc(maps.Values(s.mappings), func(a, b *mapping) int {
		return cmp.Or(a.modified.Compare(b.modified), cmp.Compare(a.id, b.id))
	})
	found = slices.DeleteFunc(found, func(m *mapping) bool {
		return m.account != c.Account || m.region != c.Region ||
			in.EventSourceArn != "" && m.queue != in.EventSourceArn || function != "" && m.settings.function.ARN != function
	})
	out := &listOutput{EventSourceMappings: []*configuration{}}
	for i := from; i < len(found) && i < from+most; i++ {
		out.EventSourceMappings = append(out.EventSourceMappings, found[i].configuration(""))
	}
	if from+most < len(found) {
		out.NextMarker = strconv.Itoa(from + most)
	}
	return out, nil
}
