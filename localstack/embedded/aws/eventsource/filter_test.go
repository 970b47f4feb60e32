package eventsource

import (
	"encoding/json"
	"testing"
)

func TestFiltersOnTheBody(t *testing.T) {
	for _, test := range []struct {
		pattern, body string
		match         bool
	}{
		{`{"body":{"a":[1]}}`, `{"a":1}`, true},
		{`{"body":{"a":[1]}}`, `{"a":2}`, false},
		{`{"body":{"a":[1]}}`, `a`, false},
		{`{"body":{"a":[{"exists":false}]}}`, `{}`, true},
		{`{"body":{"a":[{"exists":true}]}}`, `{"a":""}`, true},
		{`{"body":["x"]}`, `x`, true},
		{`{"body":["x"]}`, `"x"`, false},
		{`{"body":[{"prefix":"or"}]}`, `order`, true},
		{`{"body":[{"prefix":"or"}]}`, `{"or":1}`, false},
		{`{}`, `anything`, true},
		{`{}`, `{"a":1}`, true},
	} {
		f, err := parseFilter(&test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		if got := (filters{f}).match(test.body); got != test.match {
			t.Errorf("%s matches %s: %v", test.pattern, test.body, got)
		}
	}
	for _, bad := range []string{"", "x", "[]", "null", `{"body":1}`, `{"body":null}`, `{"body":"x"}`, `{"messageAttributes":{"a":["b"]}}`, `{"body":{"a":[{"nearly":1}]}}`} {
		if _, err := parseFilter(&bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`{"body":{"a":[{"numeric":[">",1]}]}}`, `{"a":2}`)
	f.Add(`{"body":[{"anything-but":"x"}]}`, `y`)
	f.Fuzz(func(t *testing.T, pattern, body string) {
		if parsed, err := parseFilter(&pattern); err == nil {
			_ = filters{parsed}.match(body)
			if !json.Valid([]byte(pattern)) {
				t.Errorf("%q is no JSON and is taken", pattern)
			}
		}
	})
}

func FuzzItemFailures(f *testing.F) {
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":"m"}]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		failed, ok := itemFailures(answer, []Message{{MessageID: "m"}})
		if ok && len(failed) > 1 || failed["m"] && !ok {
			t.Errorf("%q: %v %v", answer, failed, ok)
		}
	})
}
