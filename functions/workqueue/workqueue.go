// Package workqueue is the pattern point-to-point with competing consumers: jobs in a queue, each done by one of many workers.
// Here a job is an order to be invoiced; nothing in this package knows where it comes from or where the invoice goes.
package workqueue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// A Job is an order to be invoiced.
type Job struct {
	ID       string `json:"id"` // of the order: the same job may come twice, and has the same id then
	Customer string `json:"customer"`
	Lines    []Line `json:"lines"`
}

// A Line is a part of an order.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
	Cents    int64  `json:"cents"` // of one
}

// An Invoice is what a job gives. It depends on the job only: doing a job twice gives the same invoice twice.
type Invoice struct {
	OrderID  string `json:"orderId"`
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"`
}

// ErrInvalid is a job that no worker can ever do.
var ErrInvalid = errors.New("invalid job")

const (
	maxQuantity = 1_000_000
	maxCents    = 1_000_000_000
)

// Parse reads a job. Its error is ErrInvalid.
func Parse(body string) (Job, error) {
	var j Job
	if err := json.Unmarshal([]byte(body), &j); err != nil {
		return j, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	switch {
	case j.ID == "":
		return j, fmt.Errorf("%w: it has no id", ErrInvalid)
	case len(j.Lines) == 0:
		return j, fmt.Errorf("%w: order %s has no lines", ErrInvalid, j.ID)
	}
	for _, l := range j.Lines {
		if l.Quantity < 1 || l.Quantity > maxQuantity || l.Cents < 0 || l.Cents > maxCents {
			return j, fmt.Errorf("%w: order %s has %d of %s at %d cents", ErrInvalid, j.ID, l.Quantity, l.SKU, l.Cents)
		}
	}
	return j, nil
}

// Invoices is where invoices go. Sending one twice must be as good as once: the key is the order's id.
type Invoices interface {
	Send(ctx context.Context, key string, i Invoice) error
}

// Worker does jobs. It is safe for concurrent use if its Invoices are.
type Worker struct{ Invoices Invoices }

// Do does a job.
func (w *Worker) Do(ctx context.Context, j Job) error {
	i := Invoice{OrderID: j.ID, Customer: j.Customer}
	for _, l := range j.Lines {
		i.Cents += l.Quantity * l.Cents
	}
	if err := w.Invoices.Send(ctx, j.ID, i); err != nil {
		return fmt.Errorf("send the invoice of order %s: %w", j.ID, err)
	}
	return nil
}
