package logs

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Limits of metric filters.
const (
	maxFilters    = 100 // a log group
	maxRegexGroup = 5   // filters with regular expressions
	maxFilterDims = 3
	maxTestEvents = 50
)

// metricFilter makes metrics of the events of a group.
type metricFilter struct {
	name, text string
	pattern    *pattern
	transform  metricTransformation
	created    time.Time

	open *openMinute // the last one with events, if there is a default value
}

// openMinute is a minute in which events came. If none of them matches, the default value is reported at its end.
type openMinute struct {
	start   time.Time
	matched bool
	timer   *time.Timer // of its end
}

func (f *metricFilter) stop() {
	if f.open != nil {
		f.open.timer.Stop()
	}
}

type metricTransformation struct {
	MetricName      string            `json:"metricName"`
	MetricNamespace string            `json:"metricNamespace"`
	MetricValue     string            `json:"metricValue"`
	DefaultValue    *float64          `json:"defaultValue,omitempty"`
	Dimensions      map[string]string `json:"dimensions,omitempty"`
	Unit            string            `json:"unit,omitempty"`
}

// measurements are metrics by namespace.
type measurements map[string][]Metric

func (m measurements) add(namespace string, metric Metric) {
	m[namespace] = append(m[namespace], metric)
}

// report puts metrics. The caller does not hold mu.
func (s *Service) report(p place, m measurements) {
	for _, namespace := range slices.Sorted(maps.Keys(m)) {
		s.metrics.Put(p.account, p.region, namespace, m[namespace]...)
	}
}

// measure finds the metrics that are in new events. The caller holds mu.
func (s *Service) measure(g *group, now time.Time, events []event) measurements {
	if s.metrics == nil || g.class != classStandard {
		return nil
	}
	out := measurements{}
	for i := range events {
		s.embedded(g, &events[i], out)
	}
	for _, f := range g.filters {
		for i := range events {
			matched := f.pattern.matches(events[i].message)
			if matched {
				f.measure(&events[i], out)
			}
			if f.transform.DefaultValue != nil {
				s.minute(g, f, now, matched)
			}
		}
	}
	return out
}

func (f *metricFilter) measure(e *event, out measurements) {
	value, ok := f.value(e.message, f.transform.MetricValue)
	number, err := strconv.ParseFloat(value, 64)
	if !ok || err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
		return
	}
	m := Metric{Name: f.transform.MetricName, Unit: f.transform.Unit, At: time.UnixMilli(e.at), Values: []float64{number}, Dimensions: map[string]string{}}
	for name, selector := range f.transform.Dimensions {
		v, ok := f.value(e.message, selector)
		if !ok || v == "" {
			return // without one of its dimensions it would be another metric
		}
		m.Dimensions[name] = v
	}
	out.add(f.transform.MetricNamespace, m)
}

// value is a constant, or what a selector finds in the message.
func (f *metricFilter) value(message, text string) (string, bool) {
	if !strings.HasPrefix(text, "$") {
		return text, true
	}
	if f.pattern.field == nil {
		return "", false
	}
	return f.pattern.field(message, text)
}

// minute notes an event for the default value. The caller holds mu.
func (s *Service) minute(g *group, f *metricFilter, now time.Time, matched bool) {
	if start := now.Truncate(time.Minute); f.open == nil || !f.open.start.Equal(start) {
		o := &openMinute{start: start}
		o.timer = time.AfterFunc(start.Add(time.Minute).Sub(now), func() { s.minuteEnds(g, f, o) })
		f.open = o
	}
	f.open.matched = f.open.matched || matched
}

func (s *Service) minuteEnds(g *group, f *metricFilter, o *openMinute) {
	s.mu.Lock()
	wanted := !s.closed && !g.gone && g.filters[f.name] == f && !o.matched
	s.mu.Unlock()
	if wanted {
		s.metrics.Put(g.account, g.region, f.transform.MetricNamespace,
			Metric{Name: f.transform.MetricName, Unit: f.transform.Unit, At: o.start, Values: []float64{*f.transform.DefaultValue}})
	}
}

type putMetricFilterInput struct {
	LogGroupName, FilterName  string
	FilterPattern             *string
	MetricTransformations     []metricTransformation
	ApplyOnTransformedLogs    bool
	EmitSystemFieldDimensions []string
	FieldSelectionCriteria    string
}

var (
	filterName = regexp.MustCompile(`^[^:*]{1,512}$`)
	metricName = regexp.MustCompile(`^[^:*$]{1,255}$`)
)

func (s *Service) putMetricFilter(c *api.Call, in *putMetricFilterInput) (*struct{}, error) {
	switch {
	case !filterName.MatchString(in.FilterName):
		return nil, broken(in.FilterName, "filterName", "Member must satisfy regular expression pattern: [^:*]*")
	case in.FilterPattern == nil:
		return nil, broken("null", "filterPattern", "Member must not be null")
	case len(in.MetricTransformations) != 1:
		return nil, broken("metricTransformations", "metricTransformations", "Member must have length equal to 1")
	case in.ApplyOnTransformedLogs:
		return nil, notOfferedHere("ApplyOnTransformedLogs")
	case len(in.EmitSystemFieldDimensions) > 0 || in.FieldSelectionCriteria != "":
		return nil, notOfferedHere("FieldSelectionCriteria")
	}
	p, err := parsePattern(*in.FilterPattern)
	if err != nil {
		return nil, invalid("%v", err)
	}
	transform := in.MetricTransformations[0]
	if err := transform.check(p); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.named(c, in.LogGroupName, "")
	if err != nil {
		return nil, err
	}
	if g.class != classStandard {
		return nil, api.Errorf("InvalidOperationException", "Metric filters are not supported by log groups of the class %s.", g.class)
	}
	withRegexps := 0
	for name, f := range g.filters {
		if name != in.FilterName && f.pattern.regexps > 0 {
			withRegexps++
		}
	}
	old := g.filters[in.FilterName]
	if old == nil && len(g.filters) == maxFilters || p.regexps > 0 && withRegexps == maxRegexGroup {
		return nil, api.Errorf("LimitExceededException", "Resource limit exceeded.")
	}
	if old != nil {
		old.stop()
	}
	g.filters[in.FilterName] = &metricFilter{name: in.FilterName, text: *in.FilterPattern, pattern: p, transform: transform, created: time.Now()}
	return &struct{}{}, nil
}

func (t *metricTransformation) check(p *pattern) error {
	switch {
	case !metricName.MatchString(t.MetricName):
		return broken(t.MetricName, "metricTransformations.1.member.metricName", "Member must satisfy regular expression pattern: [^:*$]*")
	case !metricName.MatchString(t.MetricNamespace):
		return broken(t.MetricNamespace, "metricTransformations.1.member.metricNamespace", "Member must satisfy regular expression pattern: [^:*$]*")
	case strings.HasPrefix(t.MetricNamespace, "AWS/"):
		return invalid("Invalid metric transformation: the namespace must not begin with AWS/")
	case t.MetricValue == "" || utf8.RuneCountInString(t.MetricValue) > 100:
		return broken(t.MetricValue, "metricTransformations.1.member.metricValue", "Member must have length between 1 and 100")
	case len(t.Dimensions) > maxFilterDims:
		return invalid("Invalid metric transformation: a metric filter can have up to %d dimensions", maxFilterDims)
	case len(t.Dimensions) > 0 && t.DefaultValue != nil:
		return invalid("Invalid metric transformation: dimensions and default value are mutually exclusive properties.")
	}
	selectors := []string{t.MetricValue}
	if _, err := strconv.ParseFloat(t.MetricValue, 64); err == nil {
		selectors = nil
	}
	for _, selector := range slices.Concat(selectors, slices.Collect(maps.Values(t.Dimensions))) {
		if !strings.HasPrefix(selector, "$") || p.field == nil {
			return invalid("Invalid metric transformation: %s is neither a number nor a field of the pattern", selector)
		}
	}
	return nil
}

type filterInput struct{ LogGroupName, FilterName string }

func (s *Service) deleteMetricFilter(c *api.Call, in *filterInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.named(c, in.LogGroupName, "")
	if err != nil {
		return nil, err
	}
	f := g.filters[in.FilterName]
	if f == nil {
		return nil, notFound("metric filter")
	}
	f.stop()
	delete(g.filters, in.FilterName)
	return &struct{}{}, nil
}

type describeMetricFiltersInput struct {
	LogGroupName, FilterNamePrefix, MetricName, MetricNamespace, NextToken string
	Limit                                                                  *int
}

type describedFilter struct {
	FilterName            string                 `json:"filterName"`
	FilterPattern         string                 `json:"filterPattern"`
	LogGroupName          string                 `json:"logGroupName"`
	CreationTime          int64                  `json:"creationTime"`
	MetricTransformations []metricTransformation `json:"metricTransformations"`
}

type describeMetricFiltersOutput struct {
	MetricFilters []describedFilter `json:"metricFilters"`
	NextToken     string            `json:"nextToken,omitempty"`
}

func (s *Service) describeMetricFilters(c *api.Call, in *describeMetricFiltersInput) (*describeMetricFiltersOutput, error) {
	most, err := limit(in.Limit, describeLimit, describeLimit)
	if err != nil {
		return nil, err
	}
	if (in.MetricName == "") != (in.MetricNamespace == "") {
		return nil, invalid("MetricName and MetricNamespace must be specified together.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := s.groups[placeOf(c)]
	if in.LogGroupName != "" {
		g, err := s.named(c, in.LogGroupName, "")
		if err != nil {
			return nil, err
		}
		groups = map[string]*group{g.name: g}
	}
	all := []describedFilter{}
	for _, groupName := range slices.Sorted(maps.Keys(groups)) {
		filters := groups[groupName].filters
		for _, name := range slices.Sorted(maps.Keys(filters)) {
			f := filters[name]
			if strings.HasPrefix(name, in.FilterNamePrefix) && (in.MetricName == "" || in.MetricName == f.transform.MetricName && in.MetricNamespace == f.transform.MetricNamespace) {
				all = append(all, describedFilter{name, f.text, groupName, f.created.UnixMilli(), []metricTransformation{f.transform}})
			}
		}
	}
	page, next, err := paged(all, in.NextToken, most)
	if err != nil {
		return nil, err
	}
	return &describeMetricFiltersOutput{page, next}, nil
}

type testMetricFilterInput struct {
	FilterPattern    string
	LogEventMessages []string
}

type filterMatch struct {
	EventMessage    string            `json:"eventMessage"`
	EventNumber     int               `json:"eventNumber"` // from 1
	ExtractedValues map[string]string `json:"extractedValues"`
}

type testMetricFilterOutput struct {
	Matches []filterMatch `json:"matches"`
}

func (s *Service) testMetricFilter(_ *api.Call, in *testMetricFilterInput) (*testMetricFilterOutput, error) {
	if n := len(in.LogEventMessages); n < 1 || n > maxTestEvents {
		return nil, broken(strconv.Itoa(n), "logEventMessages", "Member must have length between 1 and 50")
	}
	p, err := parsePattern(in.FilterPattern)
	if err != nil {
		return nil, invalid("%v", err)
	}
	out := &testMetricFilterOutput{Matches: []filterMatch{}}
	for i, message := range in.LogEventMessages {
		if !p.matches(message) {
			continue
		}
		m := filterMatch{message, i + 1, map[string]string{}}
		for _, selector := range p.fields {
			if v, ok := p.field(message, selector); ok {
				m.ExtractedValues[selector] = v
			}
		}
		out.Matches = append(out.Matches, m)
	}
	return out, nil
}

type describeSubscriptionFiltersOutput struct {
	SubscriptionFilters []struct{} `json:"subscriptionFilters"`
}

// describeSubscriptionFilters finds none: PutSubscriptionFilter is refused.
func (s *Service) describeSubscriptionFilters(c *api.Call, in *groupInput) (*describeSubscriptionFiltersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.named(c, in.LogGroupName, ""); err != nil {
		return nil, err
	}
	return &describeSubscriptionFiltersOutput{[]struct{}{}}, nil
}
