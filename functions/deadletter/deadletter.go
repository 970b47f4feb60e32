// Package deadletter is the pattern dead letter channel with redrive: a message that cannot be processed is put aside, with the reason,
// instead of being tried for ever or lost, and can be sent back when the cause is mended.
package deadletter

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A Payment is the message.
type Payment struct {
	ID       string `json:"id"`
	Cents    int64  `json:"cents"`
	Currency string `json:"currency"`
}

// Poison is a failure that no retry can mend: the message itself is wrong.
type Poison struct{ Reason string }

func (p *Poison) Error() string { return "poison: " + p.Reason }

// Parse reads a payment. Its error is a *Poison.
func Parse(body string) (Payment, error) {
	var p Payment
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return p, &Poison{"not JSON: " + err.Error()}
	}
	switch {
	case p.ID == "":
		return p, &Poison{"it has no id"}
	case p.Cents <= 0:
		return p, &Poison{fmt.Sprintf("payment %s is over %d cents", p.ID, p.Cents)}
	}
	return p, nil
}

// ErrUnavailable is a failure that passes: the bank cannot be reached, say.
var ErrUnavailable = errors.New("the bank is not available")

// Charge makes a payment. The currencies that the bank takes are its configuration: with one that is missing the payment fails until
// somebody adds it, and can be sent back then.
func Charge(p Payment, currencies []string) (receipt string, err error) {
	for _, c := range currencies {
		if c == p.Currency {
			return fmt.Sprintf("charged %d.%02d %s for %s", p.Cents/100, p.Cents%100, p.Currency, p.ID), nil
		}
	}
	return "", fmt.Errorf("%w for %s", ErrUnavailable, p.Currency)
}
