package grader

import (
	"context"
	"time"
)

// Notification is what the system is about. As a message it is JSON in this form, so that programs in other languages can
// take part.
type Notification struct {
	ID   string    `json:"id"`
	User string    `json:"user"` // whom it is for; any text, not empty
	Kind string    `json:"kind"` // "mail", "order.shipped"; any text, not empty
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// Topic is what a subscriber wants to hear of. An empty field stands for every user, or every kind.
type Topic struct{ User, Kind string }

// Hub sends notifications, and passes those of other hubs on to any number of subscribers in its process.
// Its methods may be called by many goroutines at once.
type Hub interface {
	// Publish sends n to all who are subscribed to a topic that it belongs to, in every process.
	Publish(ctx context.Context, n Notification) error

	// Subscribe listens to a topic. When it returns, the subscription is in force: nothing that is published from then on
	// passes it by, unless the connection to Redis is lost meanwhile. The subscription holds at most buffer notifications that
	// nobody has read yet, 1 or more. It goes on, whatever happens to ctx, until its Close or the hub's.
	Subscribe(ctx context.Context, topic Topic, buffer int) (Subscription, error)

	// Close ends all subscriptions. When it returns, nothing of the hub runs any more.
	// It does not close the Redis client, which belongs to the caller.
	Close() error
}

// Subscription is one subscriber's share of a hub.
type Subscription interface {
	// Notifications returns the channel that they arrive on, in the order of publishing, each once. It is closed by Close.
	//
	// A subscriber that does not read holds up nobody. When its buffer is full, the oldest notification in it is dropped to
	// make room for the new one: an old notification is worth less than a new one.
	Notifications() <-chan Notification

	// Dropped returns how many notifications were dropped because the subscriber was too slow.
	Dropped() int

	// Close ends the subscription. Redis is told if nobody else in the hub listens to the topic. A second call does nothing.
	Close() error
}
