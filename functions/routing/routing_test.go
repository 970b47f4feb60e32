package routing_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/brokerdojo/brokerdojo/functions/routing"
)

func TestEachRouteHasAFilterAndAHandler(t *testing.T) {
	for name, f := range routing.Filters {
		if routing.Routes[name] == nil {
			t.Errorf("route %s has no handler", name)
		}
		if !json.Valid([]byte(f.Policy)) {
			t.Errorf("the filter of %s is no JSON", name)
		}
	}
	if len(routing.Routes) != len(routing.Filters) {
		t.Error("a handler has no filter")
	}
}

func TestParse(t *testing.T) {
	o, err := routing.Parse(`{"id":"1","country":"FR","cents":5,"express":true}`)
	if err != nil || routing.Attributes(o)["service"] != "express" || routing.Attributes(routing.Order{})["service"] != "standard" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, body := range []string{"", "[]", `{"id":"1"}`, `{"country":"FR"}`, `{"id":"1","country":"France"}`} {
		if _, err := routing.Parse(body); !errors.Is(err, routing.ErrInvalid) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
