package cloudwatch

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// points are a time series: values by the start of their period.
type points map[int64]float64

// line is a time series with its label and period.
type line struct {
	label  string
	period int64
	points points
}

// value is what an expression evaluates to: one number, one time series or an array of them.
type value struct {
	scalar bool
	number float64
	array  bool
	lines  []line
}

func scalarValue(n float64) value { return value{scalar: true, number: n} }

func lineValue(label string, period int64, p points) value {
	return value{lines: []line{{label, period, p}}}
}

// evaluator evaluates the queries of one request or alarm over one range of time.
type evaluator struct {
	queries    []query
	byID       map[string]*query
	fetch      func(q *query) line
	start, end int64
	period     int64 // of FILL and TIME_SERIES where nothing else says it: the longest of all metrics
	done       map[string]value
	busy       map[string]bool
}

// query is one element of MetricDataQueries, checked and parsed.
type query struct {
	id, label  string
	returnData bool
	stat       *metricStat
	statistic  statistic
	expression *expr
}

func (v *evaluator) query(id string) (value, error) {
	if done, ok := v.done[id]; ok {
		return done, nil
	}
	q := v.byID[id]
	if q == nil {
		return value{}, fmt.Errorf("the expression uses %s, which is not the id of a query", id)
	}
	if v.busy[id] {
		return value{}, fmt.Errorf("the expression %s refers to itself", id)
	}
	v.busy[id] = true
	defer delete(v.busy, id)
	var result value
	if q.stat != nil {
		result = value{lines: []line{v.fetch(q)}}
	} else {
		var err error
		if result, err = v.eval(q.expression); err != nil {
			return value{}, err
		}
	}
	v.done[id] = result
	return result, nil
}

func (v *evaluator) eval(e *expr) (value, error) {
	switch e.kind {
	case exprNumber:
		return scalarValue(e.number), nil
	case exprString:
		return value{}, fmt.Errorf("the string %q stands where a value must be", e.text)
	case exprName:
		return v.query(e.text)
	case exprNegate:
		x, err := v.eval(e.args[0])
		if err != nil {
			return value{}, err
		}
		return each(x, func(n float64) float64 { return -n }), nil
	case exprList:
		all := value{array: true}
		for _, a := range e.args {
			x, err := v.eval(a)
			if err != nil {
				return value{}, err
			}
			if x.scalar {
				return value{}, fmt.Errorf("an array holds time series, not numbers")
			}
			all.lines = append(all.lines, x.lines...)
		}
		return all, nil
	case exprBinary:
		x, err := v.eval(e.args[0])
		if err != nil {
			return value{}, err
		}
		y, err := v.eval(e.args[1])
		if err != nil {
			return value{}, err
		}
		return combine(x, y, operators[e.text])
	}
	return v.call(e)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var operators = map[string]func(x, y float64) float64{
	"+": func(x, y float64) float64 { return x + y }, "-": func(x, y float64) float64 { return x - y },
	"*": func(x, y float64) float64 { return x * y }, "/": func(x, y float64) float64 { return x / y },
	"^": math.Pow, "<": func(x, y float64) float64 { return truth(x < y) }, "<=": func(x, y float64) float64 { return truth(x <= y) },
	">": func(x, y float64) float64 { return truth(x > y) }, ">=": func(x, y float64) float64 { return truth(x >= y) },
	"==": func(x, y float64) float64 { return truth(x == y) }, "!=": func(x, y float64) float64 { return truth(x != y) },
	"&&": func(x, y float64) float64 { return truth(x != 0 && y != 0) }, "||": func(x, y float64) float64 { return truth(x != 0 || y != 0) },
}

func each(x value, f func(float64) float64) value {
	if x.scalar {
		return scalarValue(f(x.number))
	}
	return eachLine(x, func(l line) points {
		p := points{}
		for at, n := range l.points {
			p.put(at, f(n))
		}
		return p
	})
}

func eachLine(x value, f func(line) points) value {
	out := value{array: x.array}
	for _, l := range x.lines {
		out.lines = append(out.lines, line{l.label, l.period, f(l)})
	}
	return out
}

// put leaves out what is not a number, such as the result of a division by zero: there is no datapoint then.
func (p points) put(at int64, n float64) {
	if !math.IsNaN(n) && !math.IsInf(n, 0) {
		p[at] = n
	}
}

// combine applies an operator: to two time series where both have a value, to an array and something else one by one.
func combine(x, y value, f func(x, y float64) float64) (value, error) {
	switch {
	case x.scalar && y.scalar:
		return scalarValue(f(x.number, y.number)), nil
	case y.scalar:
		return each(x, func(n float64) float64 { return f(n, y.number) }), nil
	case x.scalar:
		return each(y, func(n float64) float64 { return f(x.number, n) }), nil
	case x.array && y.array:
		return value{}, fmt.Errorf("an operator cannot combine two arrays of time series")
	case y.array:
		return eachLine(y, func(l line) points { return both(x.lines[0].points, l.points, f) }), nil
	}
	return eachLine(x, func(l line) points { return both(l.points, y.lines[0].points, f) }), nil
}

func both(x, y points, f func(x, y float64) float64) points {
	p := points{}
	for at, n := range x {
		if m, ok := y[at]; ok {
			p.put(at, f(n, m))
		}
	}
	return p
}

// reductions are the functions that make one number of several.
var reductions = map[string]func(list []float64) float64{
	"SUM": func(list []float64) float64 {
		sum := 0.0
		for _, n := range list {
			sum += n
		}
		return sum
	},
	"AVG": func(list []float64) float64 {
		sum := 0.0
		for _, n := range list {
			sum += n
		}
		return sum / float64(len(list))
	},
	"MIN": slices.Min[[]float64],
	"MAX": slices.Max[[]float64],
}

var singles = map[string]func(float64) float64{"ABS": math.Abs, "CEIL": math.Ceil, "FLOOR": math.Floor}

// arity of the functions that are offered: fewest and most arguments.
var arity = map[string][2]int{
	"SUM": {1, 1}, "AVG": {1, 1}, "MIN": {1, 1}, "MAX": {1, 1}, "ABS": {1, 1}, "CEIL": {1, 1}, "FLOOR": {1, 1},
	"FILL": {2, 2}, "IF": {2, 3}, "METRICS": {0, 1}, "PERIOD": {1, 1}, "DIFF": {1, 1}, "RATE": {1, 1}, "TIME_SERIES": {1, 1},
}

// check refuses what an expression uses and the local cloud has not, before anything is evaluated.
func (e *expr) check() error {
	var err error
	e.walk(func(e *expr) {
		if e.kind != exprCall || err != nil {
			return
		}
		n, ok := arity[e.text]
		switch {
		case !ok:
			err = fmt.Errorf("the function %s is not offered by the local cloud", e.text)
		case len(e.args) < n[0] || len(e.args) > n[1]:
			err = fmt.Errorf("the function %s does not take %d arguments", e.text, len(e.args))
		}
	})
	return err
}

func (v *evaluator) call(e *expr) (value, error) {
	switch e.text {
	case "METRICS":
		return v.metrics(e)
	case "FILL":
		return v.fill(e)
	case "IF":
		return v.choose(e)
	}
	x, err := v.eval(e.args[0])
	if err != nil {
		return value{}, err
	}
	switch f, single := reductions[e.text], singles[e.text]; {
	case single != nil:
		return each(x, single), nil
	case e.text == "TIME_SERIES":
		if !x.scalar {
			return value{}, fmt.Errorf("TIME_SERIES takes a number")
		}
		p := points{}
		for at := v.start; at < v.end; at += v.period {
			p.put(at, x.number)
		}
		return lineValue("", v.period, p), nil
	case x.scalar:
		return value{}, fmt.Errorf("%s takes a time series, not a number", e.text)
	case e.text == "PERIOD":
		return scalarValue(float64(x.lines[0].period)), nil
	case e.text == "DIFF", e.text == "RATE":
		return eachLine(x, func(l line) points { return l.differences(e.text == "RATE") }), nil
	case x.array:
		return lineValue("", v.longest(x), across(x, f)), nil
	default:
		if len(x.lines[0].points) == 0 {
			return scalarValue(math.NaN()), nil
		}
		return scalarValue(f(slices.Collect(maps.Values(x.lines[0].points)))), nil
	}
}

func (v *evaluator) longest(x value) int64 {
	longest := int64(0)
	for _, l := range x.lines {
		longest = max(longest, l.period)
	}
	if longest == 0 {
		return v.period
	}
	return longest
}

// across reduces an array of time series to one, which has a value wherever one of them has.
func across(x value, f func([]float64) float64) points {
	lists := map[int64][]float64{}
	for _, l := range x.lines {
		for at, n := range l.points {
			lists[at] = append(lists[at], n)
		}
	}
	p := points{}
	for at, list := range lists {
		p.put(at, f(list))
	}
	return p
}

// differences from each value to the one before, or by second.
func (l line) differences(rate bool) points {
	p := points{}
	times := slices.Sorted(maps.Keys(l.points))
	for i := 1; i < len(times); i++ {
		d := l.points[times[i]] - l.points[times[i-1]]
		if rate {
			d /= float64(times[i] - times[i-1])
		}
		p.put(times[i], d)
	}
	return p
}

// metrics is the array of all metrics of the request, or of those with a text in their id.
func (v *evaluator) metrics(e *expr) (value, error) {
	filter := ""
	if len(e.args) == 1 {
		if e.args[0].kind != exprString {
			return value{}, fmt.Errorf("METRICS takes a string")
		}
		filter = e.args[0].text
	}
	all := value{array: true}
	for i := range v.queries {
		q := &v.queries[i]
		if q.stat == nil || !strings.Contains(q.id, filter) {
			continue
		}
		x, err := v.query(q.id)
		if err != nil {
			return value{}, err
		}
		all.lines = append(all.lines, x.lines...)
	}
	return all, nil
}

// fill gives the periods of the range that have no value one: a number, another metric's, the last one before (REPEAT), or one
// between its neighbours (LINEAR).
func (v *evaluator) fill(e *expr) (value, error) {
	x, err := v.eval(e.args[0])
	if err != nil {
		return value{}, err
	}
	if x.scalar {
		return value{}, fmt.Errorf("FILL takes a time series, not a number")
	}
	how := ""
	var with value
	if e.args[1].kind == exprName && (e.args[1].text == "REPEAT" || e.args[1].text == "LINEAR") {
		how = e.args[1].text
	} else if with, err = v.eval(e.args[1]); err != nil {
		return value{}, err
	}
	if with.array {
		return value{}, fmt.Errorf("FILL takes a number, one time series, REPEAT or LINEAR")
	}
	return eachLine(x, func(l line) points {
		times := slices.Sorted(maps.Keys(l.points))
		p := maps.Clone(l.points)
		step, start := l.period, v.start
		if step == 0 {
			step = v.period
		}
		if len(times) > 0 {
			start += (times[0] - v.start) % step
		}
		for at := start; at < v.end; at += step {
			if _, ok := l.points[at]; ok {
				continue
			}
			i, _ := slices.BinarySearch(times, at)
			switch {
			case how == "" && with.scalar:
				p.put(at, with.number)
			case how == "":
				if n, ok := with.lines[0].points[at]; ok {
					p[at] = n
				}
			case i > 0 && how == "REPEAT":
				p[at] = l.points[times[i-1]]
			case i > 0 && i < len(times):
				before, after := times[i-1], times[i]
				from, to := l.points[before], l.points[after]
				p.put(at, from+(to-from)*float64(at-before)/float64(after-before))
			}
		}
		return p
	}), nil
}

// choose is IF: where the condition is not zero the second argument, elsewhere the third, if there is one.
func (v *evaluator) choose(e *expr) (value, error) {
	var args [3]value
	for i, a := range e.args {
		x, err := v.eval(a)
		if err != nil {
			return value{}, err
		}
		if x.array {
			return value{}, fmt.Errorf("IF takes no arrays of time series")
		}
		args[i] = x
	}
	if len(e.args) == 2 {
		args[2] = scalarValue(math.NaN())
	}
	if args[0].scalar {
		if args[0].number != 0 {
			return args[1], nil
		}
		return args[2], nil
	}
	condition := args[0].lines[0]
	p := points{}
	for at, n := range condition.points {
		chosen := args[1]
		if n == 0 {
			chosen = args[2]
		}
		if chosen.scalar {
			p.put(at, chosen.number)
		} else if n, ok := chosen.lines[0].points[at]; ok {
			p.put(at, n)
		}
	}
	return lineValue("", condition.period, p), nil
}
