// Package routing is the pattern content-based router with message filters: who gets a message is decided by what it says, not by who
// sends it. The topic does the routing, by the filter policy of each subscription; the handlers see only what is theirs.
package routing

import (
	"encoding/json"
	"errors"
	"fmt"
)

// An Order is the message.
type Order struct {
	ID      string `json:"id"`
	Country string `json:"country"` // ISO 3166-1, two letters
	Cents   int64  `json:"cents"`
	Express bool   `json:"express"`
}

// ErrInvalid is a message that no route can use.
var ErrInvalid = errors.New("invalid order")

// Parse reads an order. Its error is ErrInvalid.
func Parse(body string) (Order, error) {
	var o Order
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		return o, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if o.ID == "" || len(o.Country) != 2 {
		return o, fmt.Errorf("%w: it has no id or no country", ErrInvalid)
	}
	return o, nil
}

// Attributes are what a publisher says of an order beside it: filters on them need not read the body.
func Attributes(o Order) map[string]string {
	service := "standard"
	if o.Express {
		service = "express"
	}
	return map[string]string{"service": service}
}

// A Filter is the filter policy of a subscription. Scope is MessageAttributes or MessageBody.
type Filter struct{ Scope, Policy string }

// Filters are the routes' filter policies, by route. A message that fits several goes to each; one that fits none is dropped.
var Filters = map[string]Filter{
	"express": {"MessageAttributes", `{"service":["express"]}`},
	"abroad":  {"MessageBody", `{"country":[{"anything-but":["DE"]}]}`},
	"large":   {"MessageBody", `{"cents":[{"numeric":[">=",100000]}]}`},
}

// Routes are what the handlers do, by route.
var Routes = map[string]func(Order) string{
	"express": func(o Order) string { return "courier for order " + o.ID },
	"abroad":  func(o Order) string { return "customs declaration of order " + o.ID + " to " + o.Country },
	"large": func(o Order) string {
		return fmt.Sprintf("credit check of order %s over %d.%02d", o.ID, o.Cents/100, o.Cents%100)
	},
}
