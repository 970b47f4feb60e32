package grade

import (
	"cmp"
	"fmt"
	"slices"
)

// A Price is what a service asks for a million requests, in US dollars.
type Price struct {
	Service string // as Calls.Service
	Dollars float64
	Source  string // with the day on which it was read
}

// Prices are list prices in US regions, without the free tier. They drift: whoever shows one shows its source.
// AWS bills each 64 KiB of a request's payload as one request.
func Prices() []Price {
	const source = "list price, us-east-1, as of 2026-03-14"
	return []Price{
		{"sqs", 0.40, source},
		{"sqs-fifo", 0.50, source},
		{"sns", 0.50, source},
	}
}

// Cost is what a million messages would cost, as this run's calls suggest.
type Cost struct {
	Messages int     `json:"messages"` // that this run moved
	Billed   int     `json:"billed"`   // requests that they took
	Dollars  float64 `json:"dollars"`  // for a million messages
	Limit    float64 `json:"limit"`    // what the exercise asks for, at most
	Source   string  `json:"source"`   // of the prices
}

// Above says whether it costs more than the exercise asks for.
func (c Cost) Above() bool { return c.Dollars > c.Limit }

func (c Cost) String() string {
	return fmt.Sprintf("%.1f requests a message: 1M messages cost about $%.2f (%s)", float64(c.Billed)/float64(c.Messages), c.Dollars, c.Source)
}

// priced prices calls as if the messages that they moved were a million.
func priced(calls []Calls, messages int, limit float64) *Cost {
	cost := &Cost{Messages: messages, Limit: limit}
	for _, c := range calls {
		for _, price := range Prices() {
			if price.Service == c.Service {
				cost.Billed += c.Billed
				cost.Dollars += price.Dollars * float64(c.Billed) / float64(messages)
				cost.Source = price.Source
			}
		}
	}
	return cost
}

// billable is how many requests AWS bills for a call: one for each 64 KiB that it carries, in the direction that carries the
// messages (Amazon SQS pricing, "API Actions"; Amazon SNS pricing, "Publish").
func billable(op operation, request, answer []byte) int {
	size := len(request)
	if op.name == "ReceiveMessage" {
		size = len(answer)
	}
	const chunk = 64 << 10
	return max(1, (size+chunk-1)/chunk)
}

// counted returns the process's calls, in order of their operations.
func (p *Process) counted() []Calls {
	p.mu.Lock()
	defer p.mu.Unlock()
	var calls []Calls
	for _, c := range p.calls {
		calls = append(calls, *c)
	}
	slices.SortFunc(calls, func(a, b Calls) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Operation, b.Operation))
	})
	return calls
}
