// Package logs is Amazon CloudWatch Logs: log groups, streams and events, filter patterns, metric filters and the embedded
// metric format.
//
// Start reading at event.go (what a log event must be, and how a stream keeps it), then read.go. Where the service is only
// eventually right, this one is exact: an event can be read at once, and is gone when its retention ends.
//
// # What is not offered
//
// StartLiveTail (FilterLogEvents is what `aws logs tail --follow` uses), Logs Insights, subscription filters, export, delivery,
// data protection, transformers, indexes and account policies. Each is refused with an error that names it. KMS keys are kept
// and not used; log groups of other accounts are not seen.
//
// Rules without a source beside them are from the doc comments of github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs v1.92.2,
// which are the service's API reference. Messages of errors are those of the service where a recording of it was found.
package logs

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Options configure a Service.
type Options struct {
	Metrics Metrics      // takes the metrics of metric filters and of the embedded metric format; nil: nobody does
	Log     *slog.Logger // nil discards
}

// Metrics is how CloudWatch gets metrics that are in log events.
type Metrics interface {
	Put(account, region, namespace string, data ...Metric)
}

// Metric is the values of one metric at one time.
type Metric struct {
	Name       string
	Dimensions map[string]string
	Unit       string // empty: None
	At         time.Time
	Values     []float64
	Resolution int // 1 or 60 seconds; 0: 60
}

// Service is CloudWatch Logs in every region and account. It is safe for concurrent use.
type Service struct {
	metrics Metrics
	log     *slog.Logger
	api     *api.Service

	mu     sync.Mutex // guards what follows; never held while metrics are put
	closed bool
	groups map[place]map[string]*group // by name
	number uint64                      // of the last event
}

// place is an account's part of a region.
type place struct{ account, region string }

func placeOf(c *api.Call) place { return place{c.Account, c.Region} }

// New returns a service without log groups.
func New(o Options) *Service {
	s := &Service{metrics: o.Metrics, log: o.Log, groups: map[place]map[string]*group{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	operations := api.Operations{
		"CreateLogGroup":                api.Op(s.createLogGroup),
		"CreateLogStream":               api.Op(s.createLogStream),
		"DeleteLogGroup":                api.Op(s.deleteLogGroup),
		"DeleteLogStream":               api.Op(s.deleteLogStream),
		"DeleteMetricFilter":            api.Op(s.deleteMetricFilter),
		"DeleteRetentionPolicy":         api.Op(s.deleteRetentionPolicy),
		"DescribeLogGroups":             api.Op(s.describeLogGroups),
		"DescribeLogStreams":            api.Op(s.describeLogStreams),
		"DescribeMetricFilters":         api.Op(s.describeMetricFilters),
		"DescribeSubscriptionFilters":   api.Op(s.describeSubscriptionFilters),
		"FilterLogEvents":               api.Op(s.filterLogEvents),
		"GetLogEvents":                  api.Op(s.getLogEvents),
		"ListTagsForResource":           api.Op(s.listTagsForResource),
		"ListTagsLogGroup":              api.Op(s.listTagsLogGroup),
		"PutLogEvents":                  api.Op(s.putLogEvents),
		"PutLogGroupDeletionProtection": api.Op(s.putLogGroupDeletionProtection),
		"PutMetricFilter":               api.Op(s.putMetricFilter),
		"PutRetentionPolicy":            api.Op(s.putRetentionPolicy),
		"TagLogGroup":                   api.Op(s.tagLogGroup),
		"TagResource":                   api.Op(s.tagResource),
		"TestMetricFilter":              api.Op(s.testMetricFilter),
		"UntagLogGroup":                 api.Op(s.untagLogGroup),
		"UntagResource":                 api.Op(s.untagResource),
	}
	for _, name := range notOffered {
		operations[name] = api.Op(s.refuse)
	}
	s.api = &api.Service{
		Name: "logs", TargetPrefix: "Logs_20140328", JSONVersion: "1.1", ShapePrefix: "com.amazonaws.cloudwatchlogs",
		Operations: operations, Resources: resources, Log: s.log,
	}
	return s
}

// API returns the service's operations, for the endpoint.
func (s *Service) API() *api.Service { return s.api }

// Close stops the timers of metric filters. It may be called more than once.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, groups := range s.groups {
		for _, g := range groups {
			g.stop()
		}
	}
}

// The errors of CloudWatch Logs.

func invalid(format string, args ...any) error {
	return api.Errorf("InvalidParameterException", format, args...)
}

// broken is the error of a member that its own constraint forbids.
func broken(value, member, constraint string) error {
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", value, member, constraint)
}

func notFound(what string) error {
	return api.Errorf("ResourceNotFoundException", "The specified %s does not exist.", what)
}

func exists(what string) error {
	return api.Errorf("ResourceAlreadyExistsException", "The specified %s already exists", what)
}

func notOfferedHere(what string) error {
	return api.Errorf("InvalidOperationException", "%s is not offered by the local cloud.", what)
}

// notOffered are the operations that the service has and the local cloud has not.
var notOffered = []string{
	"AssociateKmsKey", "CancelExportTask", "CreateDelivery", "CreateExportTask", "CreateLogAnomalyDetector", "DeleteAccountPolicy",
	"DeleteDataProtectionPolicy", "DeleteDestination", "DeleteIndexPolicy", "DeleteQueryDefinition", "DeleteResourcePolicy",
	"DeleteSubscriptionFilter", "DeleteTransformer", "DescribeAccountPolicies", "DescribeDeliveries", "DescribeDestinations",
	"DescribeExportTasks", "DescribeFieldIndexes", "DescribeIndexPolicies", "DescribeQueries", "DescribeQueryDefinitions",
	"DescribeResourcePolicies", "DisassociateKmsKey", "GetDataProtectionPolicy", "GetLogGroupFields", "GetLogRecord",
	"GetQueryResults", "GetTransformer", "ListLogGroups", "PutAccountPolicy", "PutDataProtectionPolicy", "PutDestination",
	"PutDestinationPolicy", "PutIndexPolicy", "PutQueryDefinition", "PutResourcePolicy", "PutSubscriptionFilter", "PutTransformer",
	"StartLiveTail", "StartQuery", "StopQuery", "TestTransformer",
}

func (s *Service) refuse(c *api.Call, _ *struct{}) (*struct{}, error) {
	s.log.Warn("operation is not offered", "service", "logs", "operation", c.Action, "request", c.RequestID)
	return nil, notOfferedHere(c.Action)
}

// groupARN is a log group's ARN as tags and identifiers have it: without the :* of the older form.
func groupARN(p place, name string) string {
	return fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s", p.region, p.account, name)
}

// named returns the group that a request means by its name or, in other members, its name or ARN. The caller holds mu.
func (s *Service) named(c *api.Call, name, identifier string) (*group, error) {
	switch {
	case name != "" && identifier != "":
		return nil, invalid("LogGroupName and LogGroupIdentifier cannot both be specified.")
	case name == "" && identifier == "":
		return nil, broken("null", "logGroupName", "Member must not be null")
	case identifier != "":
		name = identifier
		if strings.HasPrefix(identifier, "arn:") {
			rest, ok := strings.CutPrefix(strings.TrimSuffix(identifier, ":*"), groupARN(placeOf(c), ""))
			if !ok {
				return nil, notFound("log group")
			}
			name = rest
		}
	}
	if err := checkGroupName(name); err != nil {
		return nil, err
	}
	g := s.groups[placeOf(c)][name]
	if g == nil {
		return nil, notFound("log group")
	}
	return g, nil
}
