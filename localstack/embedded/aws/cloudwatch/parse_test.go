package cloudwatch

import (
	"math"
	"strings"
	"testing"
	"time"
)

func FuzzExpression(f *testing.F) {
	for _, seed := range []string{"m1+2*m2", "IF(m1>4 && m2<6, m1, FILL(m2, LINEAR))", `SUM(METRICS("m"))/PERIOD(m1)`, "-(1e3)", "[m1,m2]", "RATE(m1)", "m1 AND", "((((", `"`, "SUM()", "MAX([])"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseExpression(text)
		if err != nil || e.check() != nil {
			return
		}
		queries := []query{{id: "m1", stat: &metricStat{Period: 60}}, {id: "m2", stat: &metricStat{Period: 60}}, {id: "e", expression: e}}
		s := New(Options{})
		defer s.Close()
		v := s.evaluator(place{}, time.Unix(1e9, 0), queries, 0, 600, true)
		v.fetch = func(q *query) line { return line{q.id, 60, points{60: 1, 120: math.MaxFloat64, 300: -1}} }
		x, err := v.query("e") // an error is an answer; a panic is none
		if err != nil {
			return
		}
		for _, l := range x.lines {
			for at, n := range l.points {
				if math.IsNaN(n) || math.IsInf(n, 0) {
					t.Errorf("%s has %v at %d", text, n, at)
				}
			}
		}
	})
}

func FuzzRule(f *testing.F) {
	for _, seed := range []string{`ALARM("a") AND NOT (OK(b) OR TRUE)`, "FALSE", `AT_LEAST(50%, NOT OK, (a, "b", c)) OR AT_LEAST("2", ALARM, (a,b))`, "NOT NOT ALARM(arn:aws:cloudwatch:us-east-1:1:alarm:a)", "((", "ALARM(", `ALARM("`, "alarm(a) or"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRule(text)
		if err != nil {
			return
		}
		for _, state := range states {
			r.root.holds(func(string) string { return state })
		}
		for _, name := range r.names() {
			if name == "" || !strings.Contains(text, name) {
				t.Errorf("%q names %q", text, name)
			}
		}
	})
}

func TestNumbersAreWrittenAsTheServiceWritesThem(t *testing.T) {
	for v, want := range map[float64]string{1: "1.0", 0: "0.0", 42.73: "42.73", 1.50785441792e10: "1.50785441792E10", 1e7: "1.0E7", 0.0001: "1.0E-4", -5: "-5.0", 123456: "123456.0"} {
		if got := number(v); got != want {
			t.Errorf("%v is %s, want %s", v, got, want)
		}
	}
}

func TestBucketsStayBounded(t *testing.T) {
	var b bucket
	for i := range 10_000 {
		v := valueBucket(float64(i*7919%10_000), 1)
		b.merge(&v)
	}
	if len(b.values) > 2*maxDistinct {
		t.Errorf("%d values are kept", len(b.values))
	}
	for p, want := range map[float64]float64{50: 5000, 99: 9900} {
		if got, ok := b.percentile(p); !ok || math.Abs(got-want) > 0.02*want {
			t.Errorf("p%v is %v, want about %v", p, got, want)
		}
	}
	if b.count != 10_000 || b.max != 9999 {
		t.Errorf("%v values up to %v", b.count, b.max)
	}
}
