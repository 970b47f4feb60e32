// Package cloudwatch is Amazon CloudWatch: metrics, metric math, metric alarms, composite alarms and dashboards.
//
// Start reading at series.go (how datapoints are kept), then evaluate.go (when an alarm changes its state). The service speaks
// the query protocol, RPC v2 CBOR and AWS JSON 1.0, as the real one does.
//
// Where the service is only eventually right, this one is exact: a datapoint can be read and a metric listed at once. An alarm
// with a period of a minute or more is evaluated a second after each whole minute, one with a shorter period after each ten
// seconds; it sleeps on one timer in between. A composite alarm is evaluated when one of its alarms changes, and has no timer.
// What other services report once a minute is asked of them when somebody reads or an alarm is evaluated; see [Service.Watch].
//
// # What is not offered
//
// Anomaly detection, Metrics Insights, SEARCH and other functions of metric math than those in functions.go, PromQL and log
// alarms, mute rules, action suppressors, metric streams, insight rules, images, cross-account observability, and alarm actions
// other than SNS topics and Lambda functions. Each is refused with an error that names it. Events for EventBridge are not sent.
//
// Rules without a source beside them are from the doc comments of github.com/aws/aws-sdk-go-v2/service/cloudwatch v1.76.0,
// which are the service's API reference.
package cloudwatch

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Options configure a Service.
type Options struct {
	// Notify publishes an alarm's message to an SNS topic. Nil: an alarm with such an action is refused.
	Notify func(ctx context.Context, topicARN, subject, message string) error
	// Invoke invokes a Lambda function asynchronously, with an alarm's event. Nil: an alarm with such an action is refused.
	Invoke func(ctx context.Context, functionARN string, event []byte) error
	Log    *slog.Logger // nil discards
}

// Service is CloudWatch in every region and account. It is safe for concurrent use.
type Service struct {
	notify func(ctx context.Context, topicARN, subject, message string) error
	invoke func(ctx context.Context, functionARN string, event []byte) error
	log    *slog.Logger
	api    *api.Service

	ctx     context.Context // ends with Close: so do actions that are under way
	cancel  context.CancelFunc
	running sync.WaitGroup // evaluations and actions

	mu         sync.Mutex // guards what follows; never held while a source or an action runs
	closed     bool
	series     map[seriesKey]*series
	sources    map[string][]func(account, region string) // by namespace
	alarms     map[place]map[string]*alarm               // by name
	history    map[place][]historyItem                   // oldest first
	dashboards map[string]map[string]dashboard           // by account and name: dashboards have no region
}

// place is an account's part of a region.
type place struct{ account, region string }

func placeOf(c *api.Call) place { return place{c.Account, c.Region} }

// New returns a service without metrics.
func New(o Options) *Service {
	s := &Service{
		notify: o.Notify, invoke: o.Invoke, log: o.Log,
		series: map[seriesKey]*series{}, sources: map[string][]func(account, region string){},
		alarms: map[place]map[string]*alarm{}, history: map[place][]historyItem{}, dashboards: map[string]map[string]dashboard{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	operations := api.Operations{
		"DeleteAlarms":            api.Op(s.deleteAlarms),
		"DeleteDashboards":        api.Op(s.deleteDashboards),
		"DescribeAlarmHistory":    api.Op(s.describeAlarmHistory),
		"DescribeAlarms":          api.Op(s.describeAlarms),
		"DescribeAlarmsForMetric": api.Op(s.describeAlarmsForMetric),
		"DisableAlarmActions":     api.Op(s.disableAlarmActions),
		"EnableAlarmActions":      api.Op(s.enableAlarmActions),
		"GetDashboard":            api.Op(s.getDashboard),
		"GetMetricData":           api.Op(s.getMetricData),
		"GetMetricStatistics":     api.Op(s.getMetricStatistics),
		"ListDashboards":          api.Op(s.listDashboards),
		"ListMetrics":             api.Op(s.listMetrics),
		"ListTagsForResource":     api.Op(s.listTagsForResource),
		"PutCompositeAlarm":       api.Op(s.putCompositeAlarm),
		"PutDashboard":            api.Op(s.putDashboard),
		"PutMetricAlarm":          api.Op(s.putMetricAlarm),
		"PutMetricData":           api.Op(s.putMetricData),
		"SetAlarmState":           api.Op(s.setAlarmState),
		"TagResource":             api.Op(s.tagResource),
		"UntagResource":           api.Op(s.untagResource),
	}
	for _, name := range notOffered {
		operations[name] = api.Op(s.refuse)
	}
	s.api = &api.Service{
		Name: "monitoring", IAMPrefix: "cloudwatch", ShapePrefix: "com.amazonaws.cloudwatch",
		TargetPrefix: "GraniteServiceVersion20100801", CBORName: "GraniteServiceVersion20100801",
		Version: "2010-08-01", Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
		Operations: operations, Resources: resources, Log: s.log,
	}
	return s
}

// API returns the service's operations, for the endpoint.
func (s *Service) API() *api.Service { return s.api }

// Close stops all alarms and returns when no evaluation or action is left. It may be called more than once.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for _, alarms := range s.alarms {
		for _, a := range alarms {
			a.stop()
		}
	}
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
}

// start runs f in a goroutine of the service, unless the service is closed. The caller holds mu.
func (s *Service) start(f func()) {
	if !s.closed {
		s.running.Go(f)
	}
}

// Datum is a value, or several, of a metric that another service of the cloud reports.
type Datum struct {
	Metric     string
	Dimensions []Dimension
	Unit       string    // empty: None
	At         time.Time // zero: now
	Value      float64
	Values     []float64 // instead of Value
	Set        *Set      // instead of Value
	Resolution int       // 1 or 60 seconds; 0: 60
}

// Set is what is known of several values of which none is known.
type Set struct{ SampleCount, Sum, Minimum, Maximum float64 }

// Put takes datapoints of a service of the cloud; its namespace may begin with AWS/. It never blocks for long.
func (s *Service) Put(account, region, namespace string, data ...Datum) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, d := range data {
		at := d.At
		if at.IsZero() {
			at = now
		}
		unit := d.Unit
		if unit == "" {
			unit = "None"
		}
		target := s.open(place{account, region}, namespace, d.Metric, d.Dimensions)
		switch {
		case d.Set != nil:
			target.add(now, at, d.Resolution, unit, setBucket(*d.Set))
		case d.Values != nil:
			for _, v := range d.Values {
				target.add(now, at, d.Resolution, unit, valueBucket(v, 1))
			}
		default:
			target.add(now, at, d.Resolution, unit, valueBucket(d.Value, 1))
		}
	}
}

// Watch makes collect bring the metrics of a namespace up to date, by Put, whenever somebody reads that namespace or an alarm
// on it is evaluated. So a service that reports each minute needs no ticker: it puts the minutes that have passed since it was
// last asked, each with the values that it had then.
func (s *Service) Watch(namespace string, collect func(account, region string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources[namespace] = append(s.sources[namespace], collect)
}

// collect has the sources of namespaces report; no namespace stands for all of them. The caller does not hold mu.
func (s *Service) collect(p place, namespaces ...string) {
	s.mu.Lock()
	var sources []func(account, region string)
	if len(namespaces) == 0 {
		for _, list := range s.sources {
			sources = append(sources, list...)
		}
	}
	for i, n := range namespaces {
		if !slices.Contains(namespaces[:i], n) {
			sources = append(sources, s.sources[n]...)
		}
	}
	s.mu.Unlock()
	for _, source := range sources {
		source(p.account, p.region)
	}
}
