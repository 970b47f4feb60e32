package stacks

import "github.com/brokerdojo/brokerdojo/infra/internal/messaging"

// A Route is a route of the stack routing.
type Route struct {
	Name string
	messaging.Filter
}

// Routes are the routes of the stack routing.
func Routes() []Route {
	var all []Route
	for _, r := range routes {
		all = append(all, Route{r.name, r.Filter})
	}
	return all
}

// Subscribers are the subscribers of the stack fanout.
func Subscribers() []string { return subscribers }
