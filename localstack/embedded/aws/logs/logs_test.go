package logs

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{
		`ERROR -"a b" ?c`, `{ $.level = "ERROR" && ($.n > 3 || $.a[*].b NOT EXISTS) }`, `[ip, status = 4* || status != 200, ..., size > 1]`, `%a+%`, `{ $.['x'] IS NULL }`,
		`{`, `[`, `"`, `[...]`, `{ $ = 1 }`, `[a=`, `{((((`,
	} {
		f.Add(seed, `{"level":"ERROR","n":4,"a":[{"b":null}]}`)
	}
	f.Add("[a, b]", `x "y z" [w] "`)
	f.Fuzz(func(t *testing.T, text, message string) {
		p, err := parsePattern(text)
		if err != nil {
			return
		}
		p.matches(message)
		for _, selector := range p.fields {
			if v, ok := p.field(message, selector); ok && v != "" && len(v) > len(message)+8 {
				t.Errorf("%q extracts %q from %q", selector, v, message)
			}
		}
	})
}

func TestPutKeepsEventsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		now := time.Now()
		s.Put("0", "r", "g", "s", []Event{{At: now.Add(2), Message: "c"}, {At: now.Add(-time.Second), Message: "a"}, {Message: "b"}})
		s.Put("0", "r", "a wrong name", "s", []Event{{Message: "dropped"}})
		var got []string
		for _, e := range s.groups[place{"0", "r"}]["g"].streams["s"].events {
			got = append(got, e.message)
		}
		if text := strings.Join(got, ""); text != "acb" { // c came before b in the same millisecond
			t.Errorf("kept %s", text)
		}
		if len(s.groups[place{"0", "r"}]) != 1 {
			t.Error("the wrong name made a group")
		}
	})
}

type sink struct {
	mu   sync.Mutex
	data []Metric
}

func (s *sink) Put(_, _, _ string, data ...Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, data...)
}

// Closing while a metric filter waits for the end of its minute leaves no timer and reports nothing.
func TestCloseStopsDefaultValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics := &sink{}
		s := New(Options{Metrics: metrics})
		zero := 0.0
		p, err := parsePattern("ERROR")
		if err != nil {
			t.Fatal(err)
		}
		s.Put("0", "r", "g", "s", nil)
		g := s.groups[place{"0", "r"}]["g"]
		g.filters["f"] = &metricFilter{name: "f", pattern: p, transform: metricTransformation{MetricName: "m", MetricNamespace: "n", MetricValue: "1", DefaultValue: &zero}}
		s.Put("0", "r", "g", "s", []Event{{Message: "fine"}})
		s.Close()
		time.Sleep(time.Hour)
		if len(metrics.data) != 0 {
			t.Errorf("reported %v", metrics.data)
		}
	})
}

// What a policy is asked about: a policy for a group has :* at its end.
func TestResources(t *testing.T) {
	c := &api.Call{Account: "000000000000", Region: "us-east-1"}
	const group = "arn:aws:logs:us-east-1:000000000000:log-group:/a"
	for _, test := range []struct {
		in   any
		want string
	}{
		{&createLogGroupInput{LogGroupName: "/a"}, group + ":log-stream:"},
		{&putLogEventsInput{LogGroupName: "/a", LogStreamName: "s"}, group + ":log-stream:s"},
		{&filterLogEventsInput{LogGroupIdentifier: group}, group + ":log-stream:"},
		{&tagsInput{ResourceArn: group}, group},
		{&tagsInput{LogGroupName: "/a"}, group},
	} {
		if got := resources(c, test.in); len(got) != 1 || got[0] != test.want {
			t.Errorf("%+v is about %q, want %s", test.in, got, test.want)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	s := New(Options{Metrics: &sink{}})
	defer s.Close()
	for i := range b.N {
		s.Put("0", "r", "g", "s", []Event{{Message: fmt.Sprint("message ", i)}})
	}
}
