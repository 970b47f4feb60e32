package cloudwatch

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// A level keeps datapoints of one resolution until they are so old that they are merged into the next.
// Source: GetMetricStatistics, on how long data are retained.
type level struct {
	resolution int64 // seconds
	keep       time.Duration
}

const day = 24 * time.Hour

var levels = [...]level{{1, 3 * time.Hour}, {60, 15 * day}, {300, 63 * day}, {3600, 455 * day}}

// maxDistinct is how many different values a bucket keeps exactly. When there are more, they are rounded: percentiles then are
// right to a percent, and memory is bounded by the range of the values.
const (
	maxDistinct = 256
	coarseStep  = 1.02
)

// Dimension is one part of what tells a metric from others of its name.
type Dimension struct{ Name, Value string }

type seriesKey struct {
	place
	namespace, metric string
	dimensions        string // sorted, as text
}

// series is one metric: its datapoints by level, each in the order of time and then of unit.
type series struct {
	key        seriesKey
	dimensions []Dimension // sorted by name
	levels     [len(levels)][]bucket
	latest     int64 // start of the newest bucket there ever was
}

// bucket is what is known of the values of one unit in one second, minute, ...
type bucket struct {
	at                   int64 // start, in seconds since 1970
	unit                 string
	count, sum, min, max float64
	values               []weighted // sorted; nil if all are the same
	opaque               bool       // some of the values are not known, so there are no percentiles
}

type weighted struct{ value, count float64 }

func valueBucket(v, count float64) bucket {
	return bucket{count: count, sum: v * count, min: v, max: v}
}

func setBucket(s Set) bucket {
	return bucket{count: s.SampleCount, sum: s.Sum, min: s.Minimum, max: s.Maximum, opaque: s.Minimum != s.Maximum}
}

// merge adds other's values to b's. It does not change other.
func (b *bucket) merge(other *bucket) {
	if b.count == 0 {
		at, unit := b.at, b.unit
		*b = *other
		b.at, b.unit, b.values = at, unit, slices.Clone(other.values)
		return
	}
	before := b.distribution()
	b.count += other.count
	b.sum += other.sum
	b.min, b.max = min(b.min, other.min), max(b.max, other.max)
	b.opaque = b.opaque || other.opaque
	if b.values = nil; b.opaque || b.min == b.max {
		return
	}
	b.values = before
	for _, w := range other.distribution() {
		i, found := slices.BinarySearchFunc(b.values, w, func(x, y weighted) int { return cmp.Compare(x.value, y.value) })
		if found {
			b.values[i].count += w.count
		} else {
			b.values = slices.Insert(b.values, i, w)
		}
	}
	if len(b.values) > maxDistinct {
		b.values = coarse(b.values)
	}
}

// distribution is the bucket's values with their counts.
func (b *bucket) distribution() []weighted {
	if b.values == nil && !b.opaque {
		return []weighted{{b.min, b.count}}
	}
	return b.values
}

// coarse rounds values to steps of two percent. Values below 0 have no percentiles and are dropped.
func coarse(values []weighted) []weighted {
	var rounded []weighted
	for _, w := range values {
		v := w.value
		switch {
		case v < 0:
			continue
		case v > 0:
			v = math.Pow(coarseStep, math.Round(math.Log(v)/math.Log(coarseStep)))
		}
		if n := len(rounded); n > 0 && rounded[n-1].value >= v {
			rounded[n-1].count += w.count
		} else {
			rounded = append(rounded, weighted{v, w.count})
		}
	}
	return rounded
}

func sortedDimensions(dimensions []Dimension) []Dimension {
	sorted := slices.Clone(dimensions)
	slices.SortFunc(sorted, func(x, y Dimension) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Value, y.Value)) })
	return sorted
}

func keyOf(p place, namespace, metric string, sorted []Dimension) seriesKey {
	var text strings.Builder
	for _, d := range sorted {
		text.WriteString(d.Name + "\x00" + d.Value + "\x00")
	}
	return seriesKey{p, namespace, metric, text.String()}
}

// open returns the series of a metric, which it creates if there is none. The caller holds mu.
func (s *Service) open(p place, namespace, metric string, dimensions []Dimension) *series {
	sorted := sortedDimensions(dimensions)
	key := keyOf(p, namespace, metric, sorted)
	found := s.series[key]
	if found == nil {
		found = &series{key: key, dimensions: sorted}
		s.series[key] = found
	}
	return found
}

// add adds the values of b, which happened at a time, to the series.
func (x *series) add(now, at time.Time, resolution int, unit string, b bucket) {
	x.age(now)
	l := 1
	if resolution == 1 {
		l = 0
	}
	for l < len(levels)-1 && now.Sub(at) > levels[l].keep {
		l++
	}
	b.unit = unit
	x.insert(l, at.Unix(), &b)
}

func (x *series) insert(l int, at int64, b *bucket) {
	at -= at % levels[l].resolution
	x.latest = max(x.latest, at)
	list := x.levels[l]
	i := len(list)
	if i > 0 && (list[i-1].at > at || list[i-1].at == at && list[i-1].unit >= b.unit) {
		var found bool
		i, found = slices.BinarySearchFunc(list, at, func(e bucket, at int64) int {
			return cmp.Or(cmp.Compare(e.at, at), cmp.Compare(e.unit, b.unit))
		})
		if found {
			list[i].merge(b)
			return
		}
	}
	fresh := *b
	fresh.at, fresh.values = at, slices.Clone(b.values)
	x.levels[l] = slices.Insert(list, i, fresh)
}

// age moves what has become too old for its level to the next, and drops it at last.
func (x *series) age(now time.Time) {
	for l, level := range levels {
		limit := now.Add(-level.keep).Unix()
		n := 0
		for n < len(x.levels[l]) && x.levels[l][n].at < limit {
			if l+1 < len(levels) {
				x.insert(l+1, x.levels[l][n].at, &x.levels[l][n])
			}
			n++
		}
		if n > 0 {
			x.levels[l] = slices.Clone(x.levels[l][n:])
		}
	}
}

func (x *series) empty() bool {
	for _, list := range x.levels {
		if len(list) > 0 {
			return false
		}
	}
	return true
}

// aggregate merges the buckets of [start, end) into periods, which begin at start. Periods without a value are left out. An
// empty unit stands for all of them, in one. Buckets that are longer than the period do not count.
func (x *series) aggregate(now time.Time, start, end, period int64, unit string) []bucket {
	x.age(now)
	periods := map[int64]*bucket{}
	for l, level := range levels {
		if level.resolution > period {
			break
		}
		list := x.levels[l]
		first, _ := slices.BinarySearchFunc(list, start, func(b bucket, at int64) int { return cmp.Compare(b.at, at) })
		for i := first; i < len(list) && list[i].at < end; i++ {
			if unit != "" && list[i].unit != unit {
				continue
			}
			at := list[i].at - (list[i].at-start)%period
			p := periods[at]
			if p == nil {
				p = &bucket{at: at, unit: list[i].unit}
				periods[at] = p
			}
			p.merge(&list[i])
		}
	}
	all := make([]bucket, 0, len(periods))
	for _, p := range periods {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(x, y bucket) int { return cmp.Compare(x.at, y.at) })
	return all
}

// units returns the units that the series has values of.
func (x *series) units() []string {
	var units []string
	for _, list := range x.levels {
		for i := range list {
			if !slices.Contains(units, list[i].unit) {
				units = append(units, list[i].unit)
			}
		}
	}
	slices.Sort(units)
	return units
}
