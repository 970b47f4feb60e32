package cloudwatch

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// maxDatapoints is how many datapoints GetMetricStatistics returns at most.
const maxDatapoints = 1440

var basicStatistics = map[string]func(b *bucket) float64{
	"SampleCount": func(b *bucket) float64 { return b.count },
	"Sum":         func(b *bucket) float64 { return b.sum },
	"Average":     func(b *bucket) float64 { return b.sum / b.count },
	"Minimum":     func(b *bucket) float64 { return b.min },
	"Maximum":     func(b *bucket) float64 { return b.max },
}

// statistic reduces a bucket to a number; it has none if the bucket does not know its values.
type statistic func(b *bucket) (float64, bool)

var (
	percentile    = regexp.MustCompile(`^p(\d{1,2}(\.\d{1,10})?|100)$`)
	otherExtended = regexp.MustCompile(`(?i)^((tm|tc|ts|wm)\d|iqm$|(pr|tc|tm|ts|wm)\()`)
)

func parseStatistic(name string) (statistic, error) {
	if f := basicStatistics[name]; f != nil {
		return func(b *bucket) (float64, bool) { return f(b), true }, nil
	}
	if m := percentile.FindStringSubmatch(name); m != nil {
		p, err := strconv.ParseFloat(m[1], 64)
		if err == nil {
			return func(b *bucket) (float64, bool) { return b.percentile(p) }, nil
		}
	}
	if otherExtended.MatchString(name) {
		return nil, notOfferedHere("The statistic " + name)
	}
	return nil, invalidValue("The value %s for parameter Statistic is not supported.", name)
}

// percentile is the smallest value that at least p percent of the values do not exceed. There is none if values are not known,
// or negative.
func (b *bucket) percentile(p float64) (float64, bool) {
	if b.opaque || b.min < 0 {
		return 0, false
	}
	rank, seen := p/100*b.count, 0.0
	for _, w := range b.distribution() {
		if seen += w.count; seen >= rank-1e-9*b.count {
			return min(max(w.value, b.min), b.max), true
		}
	}
	return b.max, true
}

type getMetricStatisticsInput struct {
	Namespace, MetricName string
	Dimensions            []Dimension
	StartTime, EndTime    api.Timestamp
	Period                int64
	Statistics            []string
	ExtendedStatistics    []string
	Unit                  string
}

type getMetricStatisticsOutput struct {
	Label      string
	Datapoints []datapoint
}

type datapoint struct {
	Timestamp                                   api.Timestamp
	SampleCount, Average, Sum, Minimum, Maximum *float64 `json:",omitempty"`
	Unit                                        string
	ExtendedStatistics                          map[string]float64 `json:",omitempty"`
}

func (s *Service) getMetricStatistics(c *api.Call, in *getMetricStatisticsInput) (*getMetricStatisticsOutput, error) {
	for _, required := range []struct {
		name    string
		missing bool
	}{
		{"Namespace", in.Namespace == ""}, {"MetricName", in.MetricName == ""}, {"StartTime", in.StartTime.IsZero()},
		{"EndTime", in.EndTime.IsZero()}, {"Period", in.Period == 0},
	} {
		if required.missing {
			return nil, missing(required.name)
		}
	}
	if len(in.Statistics)+len(in.ExtendedStatistics) == 0 {
		return nil, missing("Statistics")
	}
	if err := checkPeriod(in.Period); err != nil {
		return nil, err
	}
	if !in.StartTime.Before(in.EndTime.Time) {
		return nil, invalidValue("The parameter StartTime must be less than the parameter EndTime.")
	}
	if len(in.ExtendedStatistics) > 10 {
		return nil, invalidValue("The collection ExtendedStatistics must not have a size greater than 10.")
	}
	if in.Unit != "" && !slices.Contains(units, in.Unit) {
		return nil, invalidValue("The parameter Unit must be a value in the set [ %s ].", strings.Join(units, ", "))
	}
	wanted := map[string]statistic{}
	for i, name := range append(slices.Clone(in.Statistics), in.ExtendedStatistics...) {
		f, err := parseStatistic(name)
		if err != nil {
			return nil, err
		}
		if _, basic := basicStatistics[name]; basic != (i < len(in.Statistics)) {
			return nil, invalidValue("The statistic %s belongs in the other list.", name)
		}
		wanted[name] = f
	}
	now := time.Now()
	start, end := alignStart(now, in.StartTime.Time, in.Period), in.EndTime.Unix()
	if n := (end - start) / in.Period; n > maxDatapoints {
		return nil, invalidCombination("You have requested up to %d datapoints, which exceeds the limit of 1,440. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n)
	}
	s.collect(placeOf(c), in.Namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &getMetricStatisticsOutput{Label: in.MetricName, Datapoints: []datapoint{}}
	found := s.series[keyOf(placeOf(c), in.Namespace, in.MetricName, sortedDimensions(in.Dimensions))]
	if found == nil {
		return out, nil
	}
	for _, unit := range found.units() {
		if in.Unit != "" && in.Unit != unit {
			continue
		}
		for _, b := range found.aggregate(now, start, end, in.Period, unit) {
			out.Datapoints = append(out.Datapoints, newDatapoint(&b, wanted))
		}
	}
	return out, nil
}

func newDatapoint(b *bucket, wanted map[string]statistic) datapoint {
	d := datapoint{Timestamp: api.At(time.Unix(b.at, 0)), Unit: b.unit}
	fields := map[string]**float64{"SampleCount": &d.SampleCount, "Average": &d.Average, "Sum": &d.Sum, "Minimum": &d.Minimum, "Maximum": &d.Maximum}
	for name, f := range wanted {
		v, ok := f(b)
		if !ok {
			continue
		}
		if field := fields[name]; field != nil {
			*field = &v
			continue
		}
		if d.ExtendedStatistics == nil {
			d.ExtendedStatistics = map[string]float64{}
		}
		d.ExtendedStatistics[name] = v
	}
	return d
}

// shortPeriods are the periods under a minute, in seconds.
var shortPeriods = []int64{1, 5, 10, 20, 30}

func checkPeriod(period int64) error {
	if period < 1 || period%60 != 0 && !slices.Contains(shortPeriods, period) || period > math.MaxInt32 {
		return invalidValue("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
	}
	return nil
}

// alignStart rounds the start of a range down: the older, the coarser.
func alignStart(now, start time.Time, period int64) int64 {
	at, step := start.Unix(), int64(60)
	switch age := now.Sub(start); {
	case period < 60:
		step = period
	case age >= 63*day:
		step = 3600
	case age >= 15*day:
		step = 300
	}
	return at - at%step
}
