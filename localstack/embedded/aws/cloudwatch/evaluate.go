package cloudwatch

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// evaluationDelay is how long after the end of a period an alarm is evaluated. The real one is some seconds, at the same
// second of each minute.
const evaluationDelay = 1013 * time.Millisecond

// moreDatapoints is by how many periods the evaluation range of an alarm is longer than its evaluation periods.
// Source: Amazon CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data", whose tables have 5 for 3;
// the real number depends on the period (checked 2026-12-01).
const moreDatapoints = 2

// interval is the time between two evaluations: each looks at the periods that end then, so those of a longer period overlap.
// Source: Amazon CloudWatch User Guide, "Alarm evaluation" (checked 2026-12-01).
func (m *metricAlarm) interval() time.Duration {
	switch {
	case m.period < 60:
		return 10 * time.Second
	case m.period*int64(m.n) > int64(day/time.Second):
		return time.Hour
	}
	return time.Minute
}

// arm sets the timer of the next evaluation. The caller holds mu.
func (s *Service) arm(a *alarm, now time.Time) {
	if s.closed || a.gone {
		return
	}
	interval := a.metric.interval()
	next := now.Add(-evaluationDelay).Truncate(interval).Add(interval + evaluationDelay)
	if a.timer == nil {
		a.timer = time.AfterFunc(next.Sub(now), func() { s.tick(a) })
	} else {
		a.timer.Reset(next.Sub(now))
	}
}

func (s *Service) tick(a *alarm) {
	s.mu.Lock()
	if s.closed || a.gone {
		s.mu.Unlock()
		return
	}
	s.running.Add(1)
	defer s.running.Done()
	names := namespaces(a.metric.queries)
	s.mu.Unlock()

	s.collect(a.place, names...)

	s.mu.Lock()
	defer s.mu.Unlock()
	if a.gone {
		return
	}
	now := time.Now()
	state, reason, data := s.evaluate(a, now)
	if state != "" && state != a.state {
		s.transition(a, now, state, reason, data)
	}
	s.arm(a, now)
}

// sample is the datapoint of one period of the evaluation range.
type sample struct {
	at        int64
	value     float64
	count     float64
	breaching bool
}

// evaluate returns the state that the alarm should have, or none if the state stays as it is. The caller holds mu.
func (s *Service) evaluate(a *alarm, now time.Time) (state, reason, data string) {
	m := a.metric
	end := now.Add(-evaluationDelay).Truncate(m.interval()).Unix()
	start := end - m.period*int64(m.n+moreDatapoints)
	v := s.evaluator(a.place, now, m.queries, start, end, false)
	counts := map[int64]float64{}
	if len(m.queries) == 1 && m.queries[0].stat != nil {
		stat := m.queries[0].stat
		if x := s.series[keyOf(a.place, stat.Metric.Namespace, stat.Metric.MetricName, sortedDimensions(stat.Metric.Dimensions))]; x != nil {
			for _, b := range x.aggregate(now, start, end, m.period, stat.Unit) {
				counts[b.at] = b.count
			}
		}
	}
	result, err := v.query(m.watched)
	if err != nil || result.scalar || len(result.lines) != 1 {
		return stateInsufficient, "Error: the expression of the alarm gives no single time series", ""
	}
	var samples []sample // newest first
	for at := end - m.period; at >= start; at -= m.period {
		n, ok := result.lines[0].points[at]
		if !ok {
			continue
		}
		if m.lowSample > 0 && counts[at] < m.lowSample {
			if len(samples) == 0 {
				return "", "", "" // the latest period says too little
			}
			continue
		}
		samples = append(samples, sample{at, n, counts[at], m.compare.breaches(n, *m.input.Threshold)})
	}
	state, used, filled := m.decide(samples, end)
	if state == "" {
		return "", "", ""
	}
	return state, m.reason(state, used, filled), m.reasonData(now, start, used)
}

// decide is the table of the guide: which state follows from the datapoints of the evaluation range, those that it follows from,
// and how many missing ones were filled in. No state stands for the present one.
// Source: Amazon CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data" (checked 2026-12-01).
func (m *metricAlarm) decide(samples []sample, end int64) (state string, used []sample, filled int) {
	used = samples[:min(len(samples), m.n)]
	filled = m.n - len(used)
	breaching := 0
	for _, s := range used {
		if s.breaching {
			breaching++
		}
	}
	treat := m.input.TreatMissingData
	if filled > 0 && treat == "breaching" {
		breaching += filled
	}
	switch {
	case breaching >= m.m:
		return stateAlarm, used, filled
	case filled == 0 || treat == "breaching" || treat == "notBreaching" || breaching < len(used):
		return stateOK, used, filled
	case treat == "ignore":
		return "", nil, 0
	case len(used) == 0:
		return stateInsufficient, nil, filled
	}
	// There are datapoints, too few and all breaching: that is an alarm only if the oldest is as old as the datapoints to alarm.
	if oldest := used[len(used)-1]; (end-oldest.at)/m.period >= int64(m.m) {
		return stateAlarm, used, filled
	}
	return "", nil, 0
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// treatedAs is how reasons name what missing datapoints were taken for.
var treatedAs = map[string]string{"breaching": "Breaching", "notBreaching": "NonBreaching"}

// reason is the text for a new state, as the service words it.
// Source: alarms of the service in public repositories, 2018 to 2026 (checked 2026-12-01).
func (m *metricAlarm) reason(state string, used []sample, filled int) string {
	if state == stateInsufficient {
		return fmt.Sprintf("Insufficient Data: %d %s unknown.", filled, plural(filled, "datapoint was", "datapoints were"))
	}
	if how := treatedAs[m.input.TreatMissingData]; filled > 0 && how != "" {
		received := "no datapoints were"
		if n := len(used); n > 0 {
			received = fmt.Sprintf("%d %s", n, plural(n, "datapoint was", "datapoints were"))
		}
		return fmt.Sprintf("Threshold Crossed: %s received for %d %s and %d missing %s treated as [%s].",
			received, m.n, plural(m.n, "period", "periods"), filled, plural(filled, "datapoint was", "datapoints were"), how)
	}
	var shown []string
	for _, s := range used {
		if s.breaching == (state == stateAlarm) {
			shown = append(shown, fmt.Sprintf("%s (%s)", number(s.value), time.Unix(s.at, 0).UTC().Format("02/01/06 15:04:05")))
		}
	}
	not := "not "
	if state == stateAlarm {
		not = ""
	}
	text := fmt.Sprintf("Threshold Crossed: %d ", len(shown))
	if m.input.DatapointsToAlarm != nil {
		text += fmt.Sprintf("out of the last %d datapoints", m.n)
	} else {
		text += plural(len(shown), "datapoint", "datapoints")
	}
	text += fmt.Sprintf(" [%s] %s %s%s the threshold (%s)", strings.Join(shown, ", "), plural(len(shown), "was", "were"), not, m.compare.words, number(*m.input.Threshold))
	if m.input.DatapointsToAlarm != nil {
		least, transition := m.m, "OK -> ALARM"
		if state == stateOK {
			least, transition = m.n-m.m+1, "ALARM -> OK"
		}
		text += fmt.Sprintf(" (minimum %d %s for %s transition)", least, plural(least, "datapoint", "datapoints"), transition)
	}
	return text + "."
}

// number formats a number as the service does, whose texts are written by Java.
func number(f float64) string {
	if a := math.Abs(f); f != 0 && (a < 1e-3 || a >= 1e7) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, err := strconv.Atoi(exponent)
		if err != nil {
			return mantissa
		}
		return mantissa + "E" + strconv.Itoa(n)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// decimal is a number in JSON as the service writes it.
type decimal float64

// MarshalJSON implements json.Marshaler.
func (d decimal) MarshalJSON() ([]byte, error) { return []byte(number(float64(d))), nil }

// javaTime is the format of times in the service's own JSON.
const javaTime = "2006-01-02T15:04:05.000-0700"

func stamp(t time.Time) string { return t.UTC().Format(javaTime) }

type evaluatedDatapoint struct {
	Timestamp   string  `json:"timestamp"`
	SampleCount decimal `json:"sampleCount,omitempty"`
	Value       decimal `json:"value"`
}

func (m *metricAlarm) reasonData(now time.Time, start int64, used []sample) string {
	data := struct {
		Version             string               `json:"version"`
		QueryDate           string               `json:"queryDate"`
		StartDate           string               `json:"startDate,omitempty"`
		Unit                string               `json:"unit,omitempty"`
		Statistic           string               `json:"statistic,omitempty"`
		Period              int64                `json:"period"`
		RecentDatapoints    []decimal            `json:"recentDatapoints"`
		Threshold           decimal              `json:"threshold"`
		EvaluatedDatapoints []evaluatedDatapoint `json:"evaluatedDatapoints,omitempty"`
	}{
		Version: "1.0", QueryDate: stamp(now), Unit: m.input.Unit, Statistic: m.input.Statistic + m.input.ExtendedStatistic, Period: m.period,
		RecentDatapoints: []decimal{}, Threshold: decimal(*m.input.Threshold),
	}
	if len(used) > 0 {
		data.StartDate = stamp(time.Unix(used[len(used)-1].at, 0))
	}
	for i := len(used) - 1; i >= 0; i-- {
		data.RecentDatapoints = append(data.RecentDatapoints, decimal(used[i].value))
	}
	for _, u := range used {
		data.EvaluatedDatapoints = append(data.EvaluatedDatapoints, evaluatedDatapoint{stamp(time.Unix(u.at, 0)), decimal(u.count), decimal(u.value)})
	}
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // numbers and strings always marshal
	}
	return string(text)
}

// samplesNeeded is how many samples make a percentile statistically significant.
// Source: Amazon CloudWatch User Guide, "Percentile-based alarms and low data samples" (checked 2026-12-01).
func samplesNeeded(statistic string) float64 {
	p, err := strconv.ParseFloat(strings.TrimPrefix(statistic, "p"), 64)
	if err != nil {
		return 0
	}
	if p /= 100; p >= 0.5 {
		return 10 / (1 - p)
	}
	return 10 / p
}
