// Package fanout is the pattern publish-subscribe with a queue for each subscriber: one event, published once, that several services
// act on without knowing of each other. Here an order was placed, and is confirmed to the customer, reserved in the stock, and counted.
package fanout

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// OrderPlaced is the event.
type OrderPlaced struct {
	ID    string         `json:"id"` // of the event
	Order string         `json:"order"`
	Email string         `json:"email"`
	Day   string         `json:"day"` // 2026-12-01
	Cents int64          `json:"cents"`
	Items map[string]int `json:"items"` // quantity by SKU
}

// ErrInvalid is an event that no subscriber can use.
var ErrInvalid = errors.New("invalid event")

// Parse reads an event. Members that it does not know are left to those who do: publishers may add some. Its error is ErrInvalid.
func Parse(body string) (OrderPlaced, error) {
	var e OrderPlaced
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return e, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if e.ID == "" || e.Order == "" {
		return e, fmt.Errorf("%w: it has no id or no order", ErrInvalid)
	}
	return e, nil
}

// An Effect is what a subscriber makes of an event. Its key makes an event that comes twice one effect.
type Effect struct {
	Key    string `json:"key"`
	Effect string `json:"effect"`
}

// Subscribers are what the services do, by name.
var Subscribers = map[string]func(OrderPlaced) (Effect, error){
	"confirmation": Confirm,
	"stock":        Reserve,
	"analytics":    Count,
}

// Confirm writes to the customer.
func Confirm(e OrderPlaced) (Effect, error) {
	if !strings.Contains(e.Email, "@") {
		return Effect{}, fmt.Errorf("%w: order %s has no address to write to", ErrInvalid, e.Order)
	}
	return Effect{"confirmation-" + e.Order, fmt.Sprintf("mail to %s: your order %s over %d.%02d is on its way", e.Email, e.Order, e.Cents/100, e.Cents%100)}, nil
}

// Reserve takes the items out of the stock.
func Reserve(e OrderPlaced) (Effect, error) {
	var items []string
	for sku, n := range e.Items {
		items = append(items, fmt.Sprintf("%d %s", n, sku))
	}
	slices.Sort(items)
	return Effect{"stock-" + e.Order, "reserved " + strings.Join(items, ", ")}, nil
}

// Count adds to the day's sales.
func Count(e OrderPlaced) (Effect, error) {
	return Effect{"analytics-" + e.ID, fmt.Sprintf("sales of %s: +%d", e.Day, e.Cents)}, nil
}
