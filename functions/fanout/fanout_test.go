package fanout_test

import (
	"errors"
	"testing"

	"github.com/brokerdojo/brokerdojo/functions/fanout"
)

func TestSubscribersMakeOneEffectEach(t *testing.T) {
	e, err := fanout.Parse(`{"id":"e-1","order":"o-1","email":"a@example.com","day":"2026-12-01","cents":1999,"items":{"cup":2,"pot":1},"unknown":true}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fanout.Effect{
		"confirmation": {"confirmation-o-1", "mail to a@example.com: your order o-1 over 19.99 is on its way"},
		"stock":        {"stock-o-1", "reserved 1 pot, 2 cup"},
		"analytics":    {"analytics-e-1", "sales of 2026-12-01: +1999"},
	} {
		if got, err := fanout.Subscribers[name](e); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := fanout.Confirm(fanout.OrderPlaced{Order: "o", Email: "nobody"}); !errors.Is(err, fanout.ErrInvalid) {
		t.Errorf("without an address: %v", err)
	}
	if _, err := fanout.Parse(`{"order":"o"}`); !errors.Is(err, fanout.ErrInvalid) {
		t.Errorf("without an id: %v", err)
	}
}
