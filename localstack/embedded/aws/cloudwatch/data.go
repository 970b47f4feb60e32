package cloudwatch

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Limits of GetMetricData.
const (
	maxQueries       = 500
	maxDataPerAnswer = 100_800
)

type metric struct {
	Namespace  string      `json:",omitempty"`
	MetricName string      `json:",omitempty"`
	Dimensions []Dimension `json:",omitempty"`
}

type metricStat struct {
	Metric metric
	Period int64
	Stat   string
	Unit   string `json:",omitempty"`
}

type metricDataQuery struct {
	Id         string
	MetricStat *metricStat `json:",omitempty"`
	Expression string      `json:",omitempty"`
	Label      string      `json:",omitempty"`
	ReturnData *bool       `json:",omitempty"`
	Period     int64       `json:",omitempty"`
	AccountId  string      `json:",omitempty"`
}

type getMetricDataInput struct {
	MetricDataQueries  []metricDataQuery
	StartTime, EndTime api.Timestamp
	NextToken          string
	ScanBy             string
	MaxDatapoints      int
	LabelOptions       *struct{ Timezone string }
}

type metricDataResult struct {
	Id, Label  string
	Timestamps []api.Timestamp
	Values     []float64
	StatusCode string
}

type getMetricDataOutput struct {
	MetricDataResults []metricDataResult
	NextToken         string `json:",omitempty"`
	Messages          []struct{ Code, Value string }
}

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]{0,254}$`)

// parseQueries checks the queries of a request or an alarm.
func parseQueries(account string, list []metricDataQuery) ([]query, error) {
	queries := make([]query, 0, len(list))
	seen := map[string]bool{}
	for i := range list {
		in := &list[i]
		path := "MetricDataQueries.member." + strconv.Itoa(i+1)
		switch {
		case !queryID.MatchString(in.Id):
			return nil, validation("The value %s for parameter %s.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.", in.Id, path)
		case seen[in.Id]:
			return nil, validation("The values for parameter id in parameter MetricDataQueries are not unique.")
		case (in.MetricStat == nil) == (in.Expression == ""):
			return nil, validation("The parameters %s.Expression and %s.MetricStat are mutually exclusive and one is required.", path, path)
		case in.AccountId != "" && in.AccountId != account:
			return nil, notOfferedHere("AccountId: a metric of another account")
		}
		seen[in.Id] = true
		q := query{id: in.Id, label: in.Label, returnData: in.ReturnData == nil || *in.ReturnData}
		if in.MetricStat != nil {
			q.stat = in.MetricStat
			if q.stat.Metric.MetricName == "" || q.stat.Metric.Namespace == "" {
				return nil, missing(path + ".MetricStat.Metric.MetricName")
			}
			if err := checkPeriod(q.stat.Period); err != nil {
				return nil, err
			}
			var err error
			if q.statistic, err = parseStatistic(q.stat.Stat); err != nil {
				return nil, err
			}
		} else {
			e, err := parseExpression(in.Expression)
			if strings.HasPrefix(strings.ToUpper(strings.TrimSpace(in.Expression)), "SELECT") {
				return nil, notOfferedHere("Metrics Insights (SELECT)")
			}
			if err == nil {
				err = e.check()
			}
			if err != nil {
				return nil, expressionError(in.Id, err)
			}
			q.expression = e
		}
		queries = append(queries, q)
	}
	for i := range queries {
		if err := checkNames(&queries[i], seen); err != nil {
			return nil, err
		}
	}
	return queries, nil
}

func checkNames(q *query, known map[string]bool) error {
	var err error
	if q.expression != nil {
		q.expression.walk(func(e *expr) {
			if e.kind == exprName && !known[e.text] && e.text != "REPEAT" && e.text != "LINEAR" && err == nil {
				err = expressionError(q.id, fmt.Errorf("%s is not the id of a query", e.text))
			}
		})
	}
	return err
}

func expressionError(id string, err error) error {
	return validation("Error in expression '%s': %v", id, err)
}

// evaluator prepares the evaluation of queries over a range of time. The caller holds mu until it is over.
func (s *Service) evaluator(p place, now time.Time, queries []query, start, end int64, align bool) *evaluator {
	v := &evaluator{queries: queries, byID: map[string]*query{}, start: start, end: end, done: map[string]value{}, busy: map[string]bool{}}
	for i := range queries {
		q := &queries[i]
		v.byID[q.id] = q
		if q.stat != nil {
			v.period = max(v.period, q.stat.Period)
		}
	}
	if v.period == 0 {
		v.period = 60
	}
	v.fetch = func(q *query) line {
		l := line{label: q.stat.Metric.MetricName, period: q.stat.Period, points: points{}}
		x := s.series[keyOf(p, q.stat.Metric.Namespace, q.stat.Metric.MetricName, sortedDimensions(q.stat.Metric.Dimensions))]
		if x == nil {
			return l
		}
		from := start
		if align {
			from -= from % q.stat.Period
		}
		for _, b := range x.aggregate(now, from, end, q.stat.Period, q.stat.Unit) {
			if n, ok := q.statistic(&b); ok {
				l.points.put(b.at, n)
			}
		}
		return l
	}
	if align {
		v.start -= v.start % v.period
	}
	return v
}

func namespaces(queries []query) []string {
	names := []string{}
	for i := range queries {
		if queries[i].stat != nil {
			names = append(names, queries[i].stat.Metric.Namespace)
		}
	}
	return names
}

func (s *Service) getMetricData(c *api.Call, in *getMetricDataInput) (*getMetricDataOutput, error) {
	switch {
	case len(in.MetricDataQueries) == 0:
		return nil, missing("MetricDataQueries")
	case len(in.MetricDataQueries) > maxQueries:
		return nil, validation("The collection MetricDataQueries must not have a size greater than %d.", maxQueries)
	case in.StartTime.IsZero():
		return nil, missing("StartTime")
	case in.EndTime.IsZero():
		return nil, missing("EndTime")
	case !in.StartTime.Before(in.EndTime.Time):
		return nil, validation("The parameter StartTime must be less than the parameter EndTime.")
	case in.ScanBy != "" && in.ScanBy != "TimestampAscending" && in.ScanBy != "TimestampDescending":
		return nil, validation("The parameter ScanBy must be a value in the set [ TimestampAscending, TimestampDescending ].")
	case in.MaxDatapoints < 0 || in.MaxDatapoints > maxDataPerAnswer:
		return nil, validation("The parameter MaxDatapoints must be between 1 and %d.", maxDataPerAnswer)
	}
	queries, err := parseQueries(c.Account, in.MetricDataQueries)
	if err != nil {
		return nil, err
	}
	skip, err := offset(in.NextToken)
	if err != nil {
		return nil, err
	}
	now, shortest := time.Now(), int64(math.MaxInt64)
	for i := range queries {
		if queries[i].stat != nil {
			shortest = min(shortest, queries[i].stat.Period)
		}
	}
	s.collect(placeOf(c), namespaces(queries)...)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.evaluator(placeOf(c), now, queries, alignStart(now, in.StartTime.Time, shortest), in.EndTime.Unix(), true)
	var all []metricDataResult
	for i := range queries {
		q := &queries[i]
		if !q.returnData {
			continue
		}
		x, err := v.query(q.id)
		if err == nil && x.scalar {
			err = fmt.Errorf("the result is a number, and must be a time series")
		}
		if err != nil {
			return nil, expressionError(q.id, err)
		}
		for _, l := range x.lines {
			all = append(all, newResult(q, l, x.array, in.ScanBy == "TimestampAscending"))
		}
	}
	room := in.MaxDatapoints
	if room == 0 {
		room = maxDataPerAnswer
	}
	return page(all, skip, room), nil
}

func newResult(q *query, l line, array, ascending bool) metricDataResult {
	label := q.label
	if label == "" {
		label = l.label
	}
	if label == "" || q.stat == nil && q.label == "" && !array {
		label = q.id
	}
	r := metricDataResult{Id: q.id, Label: label, StatusCode: "Complete", Timestamps: []api.Timestamp{}, Values: []float64{}}
	times := slices.Sorted(maps.Keys(l.points))
	if !ascending {
		slices.Reverse(times)
	}
	for _, at := range times {
		r.Timestamps = append(r.Timestamps, api.At(time.Unix(at, 0)))
		r.Values = append(r.Values, l.points[at])
	}
	return r
}

// page returns the results without the first datapoints, and no more datapoints than there is room for.
func page(all []metricDataResult, skip, room int) *getMetricDataOutput {
	out := &getMetricDataOutput{MetricDataResults: []metricDataResult{}, Messages: []struct{ Code, Value string }{}}
	next := skip
	for i, r := range all {
		if skip >= len(r.Values) && skip > 0 {
			skip -= len(r.Values)
			continue
		}
		r.Timestamps, r.Values = r.Timestamps[skip:], r.Values[skip:]
		skip = 0
		if len(r.Values) > room {
			r.Timestamps, r.Values, r.StatusCode = r.Timestamps[:room], r.Values[:room], "PartialData"
		}
		room -= len(r.Values)
		next += len(r.Values)
		out.MetricDataResults = append(out.MetricDataResults, r)
		if r.StatusCode == "PartialData" || room == 0 && i+1 < len(all) {
			out.NextToken = token(next)
			break
		}
	}
	return out
}

// token and offset are how far a list has been read, as a client keeps it.
func token(n int) string {
	return base64.RawURLEncoding.EncodeToString([]byte("at " + strconv.Itoa(n)))
}

func offset(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	number, ok := strings.CutPrefix(string(text), "at ")
	n, nerr := strconv.Atoi(number)
	if err != nil || !ok || nerr != nil || n < 0 {
		return 0, errNextToken
	}
	return n, nil
}

// paged returns up to most elements from where the token says, and the token of the rest.
func paged[T any](all []T, from string, most int) ([]T, string, error) {
	skip, err := offset(from)
	if err != nil {
		return nil, "", err
	}
	rest := all[min(skip, len(all)):]
	if len(rest) <= most {
		return rest, "", nil
	}
	return rest[:most], token(skip + most), nil
}
