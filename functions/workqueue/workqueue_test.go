package workqueue_test

import (
	"context"
	"errors"
	"testing"

	"github.com/brokerdojo/brokerdojo/functions/workqueue"
)

type sent map[string]workqueue.Invoice

func (s sent) Send(_ context.Context, key string, i workqueue.Invoice) error {
	s[key] = i
	return nil
}

func TestAJobGivesTheSameInvoiceHoweverOftenItComes(t *testing.T) {
	invoices := sent{}
	w := workqueue.Worker{Invoices: invoices}
	for range 2 {
		j, err := workqueue.Parse(`{"id":"o-1","customer":"c","lines":[{"sku":"a","quantity":2,"cents":250},{"sku":"b","quantity":1,"cents":99}]}`)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Do(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if len(invoices) != 1 || invoices["o-1"].Cents != 599 {
		t.Errorf("%v", invoices)
	}
}

func TestAJobThatNobodyCanDoIsInvalid(t *testing.T) {
	for _, body := range []string{"", "x", "{}", `{"id":"o"}`, `{"id":"o","lines":[{"quantity":0}]}`, `{"id":"o","lines":[{"quantity":1,"cents":-1}]}`, `{"id":"o","lines":[{"quantity":99999999999,"cents":99999999999}]}`} {
		if _, err := workqueue.Parse(body); !errors.Is(err, workqueue.ErrInvalid) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"id":"o-1","lines":[{"sku":"a","quantity":2,"cents":250}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		j, err := workqueue.Parse(body)
		if err != nil {
			return
		}
		invoices := sent{}
		w := workqueue.Worker{Invoices: invoices}
		if err := w.Do(t.Context(), j); err != nil || invoices[j.ID].Cents < 0 {
			t.Errorf("%s: %v, %v", body, err, invoices)
		}
	})
}
