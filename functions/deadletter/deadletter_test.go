package deadletter_test

import (
	"errors"
	"testing"

	"github.com/brokerdojo/brokerdojo/functions/deadletter"
)

func TestPoisonIsToldFromWhatPasses(t *testing.T) {
	for _, body := range []string{"x", "{}", `{"id":"p","cents":0}`, `{"id":"p","cents":-5}`} {
		var poison *deadletter.Poison
		if _, err := deadletter.Parse(body); !errors.As(err, &poison) || poison.Reason == "" {
			t.Errorf("%s: %v", body, err)
		}
	}
	p, err := deadletter.Parse(`{"id":"p","cents":700,"currency":"USD"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deadletter.Charge(p, []string{"EUR"}); !errors.Is(err, deadletter.ErrUnavailable) {
		t.Errorf("an unknown currency: %v", err)
	}
	if receipt, err := deadletter.Charge(p, []string{"EUR", "USD"}); err != nil || receipt != "charged 7.00 USD for p" {
		t.Errorf("%q, %v", receipt, err)
	}
}
