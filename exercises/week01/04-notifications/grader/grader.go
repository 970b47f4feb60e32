// Package grader checks the exercise.
package grader

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// Implementation is what the exercise asks for.
type Implementation struct {
	NewHub func(rdb *redis.Client) Hub
}

var (
	notDelivered = grade.Finding{
		Name: "not-delivered", Func: "NewHub",
		Cause:  "The channel that Publish uses and the pattern that Subscribe uses do not fit together, or a message that came in found no subscriber. Write down both, for user ann and kind mail, and compare them; then follow a message from the reader to its subscriber.",
		Lesson: "week01#redis-pubsub",
		NoCase: "the ways to lose a notification have findings of their own",
	}
	notTheFormat = grade.Finding{
		Name: "not-the-format", Func: "NewHub",
		Cause:  "The payload is not the JSON of the Notification. A format of your own is one that every other program must learn, and one more parser to get wrong; json.Marshal(n) does it.",
		Lesson: "week01#publish-subscribe",
	}
	deliveredTwice = grade.Finding{
		Name: "delivered-twice", Func: "NewHub",
		Cause:  "When a message matches several patterns of one connection, Redis sends it once for each. You hand each of them to all subscribers that it fits. Message.Pattern says which pattern it came for.",
		Lesson: "week01#redis-pubsub",
	}
	toldTheWrongUser = grade.Finding{
		Name: "told-the-wrong-user", Func: "NewHub",
		Cause:  "In a pattern * stands for any characters, the separator of your channel names included, and a name can contain the separator, *, ? or [. Escape names before they go into a channel or a pattern, or compare the notification's fields with the topic.",
		Lesson: "week01#redis-pubsub",
	}
	lostBeforeSubscribed = grade.Finding{
		Name: "lost-before-subscribed", Func: "NewHub",
		Cause:  "Subscribe returned before Redis had confirmed the pattern. PSubscribe sends the command and returns; the confirmation comes in among the messages, as a *redis.Subscription (ChannelWithSubscriptions).",
		Lesson: "week01#the-traps",
	}
	endedWithContext = grade.Finding{
		Name: "ended-with-its-context", Func: "NewHub",
		Cause:  "The subscription uses the ctx of Subscribe after Subscribe has returned: a goroutine waits for its end, or receives with it. It is the context of one call, that of a web request for instance, and ends soon. What goes on after the call needs a context of its own, which Close ends.",
		Lesson: "week01#the-traps",
	}
	stalled = grade.Finding{
		Name: "stalled-by-slow-subscriber", Func: "NewHub",
		Cause:  "The goroutine that receives from Redis waits until a subscriber takes its notification. While it waits for one, nobody gets anything. Give each subscriber a buffer, and never wait when it is full.",
		Lesson: "week01#the-traps",
	}
	unbounded = grade.Finding{
		Name: "buffer-without-bound", Func: "NewHub",
		Cause:  "What a subscriber does not read is kept, however much it is. One subscriber that hangs fills the memory of the process, and takes all others with it.",
		Lesson: "week01#the-traps",
	}
	keptTheOldest = grade.Finding{
		Name: "kept-the-oldest", Func: "NewHub",
		Cause:  "When the buffer is full you drop what is new, as a select with a default does. The subscriber comes back to old news, and the latest is missing. Take the oldest out to make room.",
		Lesson: "week01#the-traps",
	}
	notCounted = grade.Finding{
		Name: "drops-not-counted", Func: "NewHub",
		Cause:  "A notification was dropped and nobody counted it. Loss that cannot be seen is found by users.",
		Lesson: "week01#the-traps",
	}
	killedByBadMessage = grade.Finding{
		Name: "killed-by-a-bad-message", Func: "NewHub",
		Cause:  "A payload that could not be decoded ended your reader. Anybody can publish anything to a channel: skip what is not a notification and go on. Fields that you do not know are no fault, a newer version may send them.",
		Lesson: "week01#publish-subscribe",
	}
	passedGarbageOn = grade.Finding{
		Name: "garbage-passed-on", Func: "NewHub",
		Cause:  "You did not look at the error of json.Unmarshal, and passed on what it left in the struct: an empty notification, or half of one. Skip what cannot be decoded.",
		Lesson: "week01#publish-subscribe",
	}
	silent = grade.Finding{
		Name: "silent-after-disconnect", Func: "NewHub",
		Cause:  "Your reader ends at the first error of Receive. A lost connection is an everyday matter: the next call connects and subscribes again, and the channels of PubSub do all of it by themselves.",
		Lesson: "week01#redis-pubsub",
	}
	closedSomeoneElses = grade.Finding{
		Name: "closed-someone-elses", Func: "NewHub",
		Cause:  "You told Redis to unsubscribe from a pattern that another subscriber of this hub still listens to. Only the last one out turns off the light: count the subscribers of each pattern.",
		Lesson: "week01#redis-pubsub",
	}
	notClosed = grade.Finding{
		Name: "channel-not-closed", Func: "NewHub",
		Cause:  "Close left the channel of notifications open. Whoever ranges over it waits for ever.",
		Lesson: "week01#redis-pubsub",
		NoCase: "it is a slip, not a misunderstanding",
	}
	closeDidNotWait = grade.Finding{
		Name: "close-does-not-wait", Func: "NewHub",
		Cause:  "Close tells the hub's goroutines to end, and returns before they have. Whoever called it closes the Redis client next, or ends the process, with them in the middle of something. Wait for them, with a sync.WaitGroup for instance.",
		Lesson: "week01#the-traps",
	}
	stillSubscribed = grade.Finding{
		Name: "still-subscribed", Func: "NewHub",
		Cause:  "Nobody in the hub listens any more, and Redis was not told. It goes on sending, and the list of patterns that it compares each message with grows.",
		Lesson: "week01#redis-pubsub",
	}
	leaks = grade.Finding{
		Name: "leaks-on-unsubscribe", Func: "NewHub",
		Cause:  "Each subscription has a goroutine that goes on after Close. What does it wait for, and who ends that?",
		Lesson: "week01#the-traps",
	}
	failed = grade.Finding{
		Name: "failed", Func: "NewHub",
		Cause:  "A method returned an error, or did not return, where nothing stood in its way.",
		Lesson: "week01#redis-pubsub",
		NoCase: "it is a slip, not a misunderstanding",
	}
)

// Exercise is what is checked.
var Exercise = grade.Exercise[Implementation]{
	Services: []string{"redis"},
	Findings: []grade.Finding{
		notDelivered, notTheFormat, deliveredTwice, toldTheWrongUser, lostBeforeSubscribed, endedWithContext, stalled,
		unbounded, keptTheOldest, notCounted, killedByBadMessage, passedGarbageOn, silent, closedSomeoneElses, notClosed,
		closeDidNotWait, stillSubscribed, leaks, failed,
	},
	Scenarios: []grade.Scenario[Implementation]{
		{Name: "everybody gets what they listen to", Run: topics},
		{Name: "users and kinds have difficult names", Run: names},
		{Name: "a program in another language takes part", Run: format},
		{Name: "something is published right after Subscribe", Run: right},
		{Name: "the context of Subscribe ends", Run: contextEnds},
		{Name: "a subscriber does not read", Run: slow},
		{Name: "the connection is lost", Run: disconnect},
		{Name: "subscribers come and go", Run: unsubscribe},
		{Name: "the hub is closed", Run: closing},
	},
}

const (
	soon    = 1070 * time.Millisecond // for what should happen at once; odd, not to meet with a client's own timers
	patient = 10 * time.Second        // for what may take a while
)

func topics(l *grade.Lab, impl Implementation) {
	shop, gateway := start(l, impl, "shop"), start(l, impl, "gateway")
	all := []Notification{
		note("1", "ann", "mail"), note("2", "ann", "chat"), note("3", "bob", "mail"), note("4", "bob", "chat"), note("5", "ann", "mail"),
	}
	for _, n := range all { // nobody listens yet
		if !shop.publish(l, n) {
			return
		}
	}
	listeners := []struct {
		topic Topic
		want  string
		sub   *reader
	}{
		{topic: Topic{User: "ann", Kind: "mail"}, want: "1 5"},
		{topic: Topic{User: "ann"}, want: "1 2 5"},
		{topic: Topic{Kind: "mail"}, want: "1 3 5"},
		{topic: Topic{}, want: "1 2 3 4 5"},
		{topic: Topic{User: "ann", Kind: "mail"}, want: "1 5"},
		{topic: Topic{User: "cat"}, want: ""},
	}
	for i := range listeners {
		s := gateway.subscribe(l, listeners[i].topic, 100)
		if s == nil {
			return
		}
		listeners[i].sub = read(s)
	}
	for _, n := range all {
		if !shop.publish(l, n) {
			return
		}
		time.Sleep(soon)
	}
	for _, want := range listeners {
		got := want.sub.ids()
		if got == want.want {
			continue
		}
		f := notDelivered
		ids := strings.Fields(got)
		for i, id := range ids {
			if slices.Contains(ids[:i], id) {
				f = deliveredTwice
			} else if !slices.Contains(strings.Fields(want.want), id) {
				f = toldTheWrongUser
			}
		}
		l.Report(f, fmt.Sprintf("A subscriber to %s got the notifications [%s]. Others were subscribed to other topics.", want.topic.words(), got), fmt.Sprintf("It gets [%s], each once.", want.want))
		return
	}
	_ = shop.close(l) && gateway.close(l)
}

// words says what a topic is.
func (t Topic) words() string {
	user, kind := "every user", "every kind"
	if t.User != "" {
		user = fmt.Sprintf("user %q", t.User)
	}
	if t.Kind != "" {
		kind = fmt.Sprintf("kind %q", t.Kind)
	}
	return user + ", " + kind
}

// names takes names that contain whatever an implementation may use as a separator, and what has a meaning in patterns.
func names(l *grade.Lab, impl Implementation) {
	shop, gateway := start(l, impl, "shop"), start(l, impl, "gateway")
	users := []string{"ann", "a*", "a?n", "[a]nn", `a\nn`, "Ann", "ännchen", "*"}
	kinds := []string{"mail"}
	for _, separator := range strings.Split(". : / | - _ # , ; ~ %", " ") {
		users = append(users, "ann"+separator+"smith", "smith"+separator+"ann", "ann"+separator+"mail")
		kinds = append(kinds, "mail"+separator+"urgent", "urgent"+separator+"mail")
	}
	users = append(users, "ann smith", "ann  ", "ann\nsmith")

	type listener struct {
		topic Topic
		sub   *reader
	}
	var listeners []listener
	for _, user := range users {
		listeners = append(listeners, listener{topic: Topic{User: user}})
	}
	for _, kind := range kinds {
		listeners = append(listeners, listener{topic: Topic{Kind: kind}})
	}
	listeners = append(listeners, listener{topic: Topic{User: "ann", Kind: "mail"}})
	for i := range listeners {
		s := gateway.subscribe(l, listeners[i].topic, 10_000)
		if s == nil {
			return
		}
		listeners[i].sub = read(s)
	}
	var sent []Notification
	for _, user := range users {
		sent = append(sent, note(fmt.Sprint(len(sent)), user, "mail"))
	}
	for _, kind := range kinds {
		sent = append(sent, note(fmt.Sprint(len(sent)), "ann", kind))
	}
	for _, n := range sent {
		if !shop.publish(l, n) {
			return
		}
	}
	time.Sleep(patient)
	for _, x := range listeners {
		for _, got := range x.sub.all() {
			if !x.topic.has(got) {
				l.Report(toldTheWrongUser,
					fmt.Sprintf("A subscriber to %s got a notification of kind %q for user %q.", x.topic.words(), got.Kind, got.User),
					"It gets those of its topic, and no others.")
				return
			}
		}
	}
	for _, x := range listeners {
		got := x.sub.all()
		for _, n := range sent {
			times := 0
			for _, g := range got {
				if g.ID == n.ID {
					times++
				}
			}
			if x.topic.has(n) && times != 1 {
				f := notDelivered
				if times > 1 {
					f = deliveredTwice
				}
				l.Report(f, fmt.Sprintf("A subscriber to %s got the notification of kind %q for user %q %d times.", x.topic.words(), n.Kind, n.User, times), "It gets it once.")
				return
			}
		}
	}
	_ = shop.close(l) && gateway.close(l)
}

func (t Topic) has(n Notification) bool {
	return (t.User == "" || t.User == n.User) && (t.Kind == "" || t.Kind == n.Kind)
}

func format(l *grade.Lab, impl Implementation) {
	ours := redis.NewClient(l.Cloud().Redis())
	defer ours.Close()
	raw := ours.PSubscribe(l.Context(), "*")
	defer raw.Close()
	if _, err := raw.Receive(l.Context()); err != nil {
		panic(err)
	}
	shop, gateway := start(l, impl, "shop"), start(l, impl, "gateway")
	s := gateway.subscribe(l, Topic{User: "ann"}, 100)
	if s == nil {
		return
	}
	got := read(s)
	n := note("1", "ann", "mail")
	n.Text = "3 < 4 | \"ok\", said Zoë;\nnext: line"
	if !shop.publish(l, n) {
		return
	}
	var channel string
	select {
	case m := <-raw.Channel():
		channel = m.Channel
		var decoded Notification
		if err := json.Unmarshal([]byte(m.Payload), &decoded); err != nil || !same(decoded, n) {
			l.Report(notTheFormat, fmt.Sprintf("A notification was published as %.120q.", m.Payload), `The payload is a JSON object with the fields "id", "user", "kind", "text" and "at".`)
			return
		}
	case <-time.After(patient):
		l.Report(notDelivered, "Publish returned, and no client of Redis received anything.", "It is published to a channel of Redis.")
		return
	}
	time.Sleep(soon)
	if all := got.all(); len(all) != 1 || !same(all[0], n) {
		l.Report(notDelivered, fmt.Sprintf("%+v was published, and its subscriber got %+v.", n, all), "The notification arrives as it was.")
		return
	}

	next := note("2", "ann", "mail")
	payload, err := json.Marshal(struct {
		Notification
		Colour string `json:"colour"` // of a version to come
	}{next, "red"})
	if err != nil {
		panic(err)
	}
	for _, payload := range []string{"not JSON", `{"id": "half`, `[]`, "", string(payload)} {
		if err := ours.Publish(l.Context(), channel, payload).Err(); err != nil {
			panic(err)
		}
	}
	time.Sleep(soon)
	if ids := strings.Fields(got.ids()); !slices.Contains(ids, "2") {
		l.Report(killedByBadMessage,
			"Somebody published to the same channel what is no notification, and then a good one with one field more. The good one did not arrive.",
			"What cannot be decoded is skipped, and what comes after it arrives.")
		return
	}
	for _, g := range got.all() {
		if !same(g, n) && !same(g, next) {
			l.Report(passedGarbageOn, fmt.Sprintf("Somebody published to the same channel what is no notification. A subscriber got one with the ID %q, the user %q and the text %q.", g.ID, g.User, g.Text), "What cannot be decoded is skipped.")
			return
		}
	}
	_ = shop.close(l) && gateway.close(l)
}

func same(a, b Notification) bool {
	return a.ID == b.ID && a.User == b.User && a.Kind == b.Kind && a.Text == b.Text && a.At.Equal(b.At)
}

func right(l *grade.Lab, impl Implementation) {
	shop := start(l, impl, "shop")
	if !shop.publish(l, note("0", "ann", "mail")) { // connects
		return
	}
	p := l.Process("gateway")
	slowly := func() {
		p.Partition()
		time.AfterFunc(300*time.Millisecond, p.Heal)
	}
	options := p.Redis()
	options.OnConnect = func(context.Context, *redis.Conn) error {
		slowly() // what the gateway sends after connecting is 300 ms under way
		return nil
	}
	gateway := startIn(p, impl, options)
	for i, topic := range []Topic{{User: "ann"}, {Kind: "mail"}, {User: "ann"}} {
		if i == 1 { // on a connection that is there already
			slowly()
		}
		s := gateway.subscribeAtOnce(l, topic, 10)
		if s == nil {
			return
		}
		got := read(s)
		id := fmt.Sprint(i + 1)
		if !shop.publish(l, note(id, "ann", "mail")) {
			return
		}
		time.Sleep(2 * time.Second)
		if got.ids() != id {
			if got.ids() == "" {
				l.Report(lostBeforeSubscribed,
					fmt.Sprintf("The network was slow. Subscribe(%s) returned, a notification was published at once, and it did not arrive.", topic.words()),
					"When Subscribe returns, Redis has confirmed the subscription.")
			} else {
				l.Report(deliveredTwice, fmt.Sprintf("A subscriber to %s got the notifications [%s].", topic.words(), got.ids()), fmt.Sprintf("It gets [%s].", id))
			}
			return
		}
	}
	_ = shop.close(l) && gateway.close(l)
}

func contextEnds(l *grade.Lab, impl Implementation) {
	shop, gateway := start(l, impl, "shop"), start(l, impl, "gateway")
	var s Subscription
	var cancel context.CancelFunc
	ok := gateway.do(l, "Subscribe", func(ctx context.Context) (err error) {
		ctx, cancel = context.WithCancel(ctx)
		s, err = gateway.hub.Subscribe(ctx, Topic{User: "ann"}, 10)
		return err
	})
	if !ok || s == nil {
		return
	}
	got := read(s)
	cancel()
	time.Sleep(soon)
	const expected = "The subscription goes on until its Close or the hub's."
	if got.closed() {
		l.Report(endedWithContext, "Subscribe returned, and then its context ended. The channel of notifications was closed, and nobody had called Close.", expected)
		return
	}
	if !shop.publish(l, note("1", "ann", "mail")) {
		return
	}
	time.Sleep(soon)
	if got.ids() != "1" {
		l.Report(endedWithContext, fmt.Sprintf("Subscribe returned, and then its context ended. Notification 1 was published after that, and the subscriber got [%s].", got.ids()), expected)
		return
	}
	_ = shop.close(l) && gateway.close(l)
}

func slow(l *grade.Lab, impl Implementation) {
	shop, gateway := start(l, impl, "shop"), start(l, impl, "gateway")
	const buffer, total = 3, 50
	sleepy := gateway.subscribe(l, Topic{User: "ann"}, buffer)
	if sleepy == nil {
		return
	}
	var readers []*reader
	for _, topic := range []Topic{{User: "ann"}, {Kind: "mail"}} {
		s := gateway.subscribe(l, topic, buffer)
		if s == nil {
			return
		}
		readers = append(readers, read(s))
	}
	for i := range total {
		if !shop.publish(l, note(fmt.Sprint(i+1), "ann", "mail")) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(soon)
	for _, r := range readers {
		if got := len(r.all()); got != total {
			l.Report(stalled, fmt.Sprintf("%d notifications were published. One subscriber did not read; another one, which did, got %d of them.", total, got), "All others get everything.")
			return
		}
	}

	var late []string
	for len(late) <= total {
		select {
		case n, ok := <-sleepy.Notifications():
			if ok {
				late = append(late, n.ID)
				continue
			}
		case <-time.After(soon):
		}
		break
	}
	what := fmt.Sprintf("A subscriber with a buffer of %d read nothing while %d notifications came. Then it read %d, the last of them [%s], and Dropped says %d.",
		buffer, total, len(late), strings.Join(late[max(0, len(late)-5):], " "), sleepy.Dropped())
	switch {
	case len(late) > buffer+1: // one may be in the hand of a goroutine
		l.Report(unbounded, what, fmt.Sprintf("It holds %d at most.", buffer))
	case len(late) == 0 || late[len(late)-1] != fmt.Sprint(total):
		l.Report(keptTheOldest, what, fmt.Sprintf("It finds the newest, %d to %d; the older ones are dropped.", total-buffer+1, total))
	case sleepy.Dropped() != total-len(late):
		l.Report(notCounted, what, fmt.Sprintf("%d were dropped, and Dropped says so.", total-len(late)))
	default:
		_ = shop.close(l) && gateway.close(l)
	}
}

func disconnect(l *grade.Lab, impl Implementation) {
	shop, gateway := start(l, impl, "shop"), start(l, impl, "gateway")
	var readers []*reader
	for _, topic := range []Topic{{User: "ann"}, {Kind: "mail"}} {
		s := gateway.subscribe(l, topic, 10)
		if s == nil {
			return
		}
		readers = append(readers, read(s))
	}
	for i := range 3 {
		time.Sleep(soon)
		gateway.process.Disconnect()
		time.Sleep(patient)
		if !shop.publish(l, note(fmt.Sprint(i+1), "ann", "mail")) {
			return
		}
		time.Sleep(soon)
		for _, r := range readers {
			if ids := strings.Fields(r.ids()); len(ids) != i+1 {
				l.Report(silent, fmt.Sprintf("Connections were cut %d times, and 10 s after each a notification was published. A subscriber got [%s].", i+1, r.ids()), "The hub connects and subscribes again, and what comes then arrives.")
				return
			}
		}
	}
	s := gateway.subscribe(l, Topic{}, 10)
	if s == nil {
		return
	}
	_ = shop.close(l) && gateway.close(l)
}

func unsubscribe(l *grade.Lab, impl Implementation) {
	ours := redis.NewClient(l.Cloud().Redis())
	defer ours.Close()
	shop, gateway := start(l, impl, "shop"), start(l, impl, "gateway")
	ann := Topic{User: "ann"}
	first, second, other := gateway.subscribe(l, ann, 10), gateway.subscribe(l, ann, 10), gateway.subscribe(l, Topic{Kind: "mail"}, 10)
	if first == nil || second == nil || other == nil {
		return
	}
	gone, stays := read(first), read(second)
	othersToo := read(other)
	if !gateway.end(l, first) {
		return
	}
	time.Sleep(soon)
	if !gone.closed() {
		l.Report(notClosed, "A subscription was closed, and a second later its channel was open.", "Close closes the channel of Notifications.")
		return
	}
	if !shop.publish(l, note("1", "ann", "mail")) {
		return
	}
	time.Sleep(soon)
	if stays.ids() != "1" || othersToo.ids() != "1" {
		l.Report(closedSomeoneElses, fmt.Sprintf("Two subscribers listened to the same topic, and one was closed. Then notification 1 was published; the other one got [%s], and a subscriber to another topic that fits got [%s].", stays.ids(), othersToo.ids()), "Both get it.")
		return
	}
	if !gateway.end(l, second) || !gateway.end(l, other) {
		return
	}
	time.Sleep(soon)
	if n := subscriptions(l, ours); n != 0 {
		l.Report(stillSubscribed, fmt.Sprintf("All subscriptions were closed. A second later Redis counts %d channels and patterns with a subscriber.", n), "It counts 0.")
		return
	}

	const rounds = 100
	before := runtime.NumGoroutine()
	for range rounds {
		s := gateway.subscribe(l, ann, 10)
		if s == nil || !gateway.end(l, s) {
			return
		}
	}
	time.Sleep(time.Minute)
	if more := runtime.NumGoroutine() - before; more > rounds/2 {
		l.Report(leaks, fmt.Sprintf("%d subscriptions were made and closed. A minute later there are %d goroutines more than before.", rounds, more), "A subscription leaves nothing behind.")
		return
	}
	back := gateway.subscribe(l, ann, 10)
	if back == nil {
		return
	}
	got := read(back)
	if !shop.publish(l, note("2", "ann", "mail")) {
		return
	}
	time.Sleep(soon)
	if got.ids() != "2" {
		l.Report(notDelivered, fmt.Sprintf("Someone subscribed to a topic that had been unsubscribed from before, and got [%s].", got.ids()), "It gets notification 2, published after that.")
		return
	}
	_ = shop.close(l) && gateway.close(l)
}

func closing(l *grade.Lab, impl Implementation) {
	ours := redis.NewClient(l.Cloud().Redis())
	defer ours.Close()
	shop, gateway := start(l, impl, "shop"), start(l, impl, "gateway")
	one := gateway.subscribe(l, Topic{User: "ann"}, 1)
	if one == nil {
		return
	}
	got := read(one)
	unread := make([]Subscription, 20)
	for i := range unread {
		if unread[i] = gateway.subscribe(l, Topic{Kind: "mail"}, 1); unread[i] == nil {
			return
		}
	}
	for range 5 {
		if !shop.publish(l, note("1", "ann", "mail")) {
			return
		}
	}
	time.Sleep(soon)
	open := 0
	ok := gateway.do(l, "Close of the hub", func(context.Context) error {
		err := gateway.hub.Close()
		for _, s := range unread { // at once
			if !ended(s) {
				open++
			}
		}
		return err
	})
	if !ok {
		return
	}
	time.Sleep(soon)
	_ = gateway.rdb.Close()
	if !got.closed() {
		l.Report(notClosed, "The hub was closed, and a second later a subscription's channel was open.", "Closing the hub closes all its subscriptions.")
		return
	}
	if open > 0 {
		l.Report(closeDidNotWait, fmt.Sprintf("Close of the hub returned, and %d of %d subscriptions' channels were still open. They were closed a little later.", open, len(unread)), "When Close returns, nothing of the hub runs any more.")
		return
	}
	if n := subscriptions(l, ours); n != 0 {
		l.Report(stillSubscribed, fmt.Sprintf("The hub was closed. A second later Redis counts %d channels and patterns with a subscriber.", n), "It counts 0.")
		return
	}
	shop.close(l)
}

// ended says whether a subscription's channel is closed, behind what was not read. It does not wait.
func ended(s Subscription) bool {
	for {
		select {
		case _, ok := <-s.Notifications():
			if !ok {
				return true
			}
		default:
			return false
		}
	}
}

// subscriptions counts the channels and patterns that Redis has a subscriber for.
func subscriptions(l *grade.Lab, ours *redis.Client) int {
	patterns, err := ours.PubSubNumPat(l.Context()).Result()
	if err != nil {
		panic(err)
	}
	channels, err := ours.PubSubChannels(l.Context(), "*").Result()
	if err != nil {
		panic(err)
	}
	return int(patterns) + len(channels)
}

func note(id, user, kind string) Notification {
	return Notification{ID: id, User: user, Kind: kind, Text: "notification " + id, At: time.Now()}
}

// node is a process with a hub in it.
type node struct {
	process *grade.Process
	rdb     *redis.Client
	hub     Hub
}

func start(l *grade.Lab, impl Implementation, name string) *node {
	p := l.Process(name)
	return startIn(p, impl, p.Redis())
}

func startIn(p *grade.Process, impl Implementation, options *redis.Options) *node {
	n := &node{process: p, rdb: redis.NewClient(options)}
	_ = p.Do(func(context.Context) error {
		n.hub = impl.NewHub(n.rdb)
		return nil
	})
	return n
}

// do runs a method of the learner's and reports if it fails or does not return.
func (n *node) do(l *grade.Lab, name string, f func(ctx context.Context) error) bool {
	if n.hub == nil {
		l.Report(failed, "NewHub returned nil.", "It returns a hub.")
		return false
	}
	var err error
	done := make(chan struct{})
	n.process.Go(func(ctx context.Context) error {
		defer close(done)
		err = f(ctx)
		return nil
	})
	select {
	case <-done:
	case <-time.After(patient):
		l.Report(failed, name+" did not return within 10 s.", "It returns.")
		return false
	}
	if err != nil {
		l.Report(failed, fmt.Sprintf("%s returned the error %q.", name, err), "It returns none.")
		return false
	}
	return true
}

func (n *node) publish(l *grade.Lab, what Notification) bool {
	return n.do(l, "Publish", func(ctx context.Context) error { return n.hub.Publish(ctx, what) })
}

// subscribe subscribes and lets a second pass, so that a Subscribe that returns too early is told of it in one scenario only.
func (n *node) subscribe(l *grade.Lab, topic Topic, buffer int) Subscription {
	s := n.subscribeAtOnce(l, topic, buffer)
	time.Sleep(soon)
	return s
}

func (n *node) subscribeAtOnce(l *grade.Lab, topic Topic, buffer int) (s Subscription) {
	ok := n.do(l, "Subscribe", func(ctx context.Context) (err error) {
		s, err = n.hub.Subscribe(ctx, topic, buffer)
		return err
	})
	if !ok {
		return nil
	}
	if s == nil {
		l.Report(failed, "Subscribe returned neither a subscription nor an error.", "It returns a subscription.")
	}
	return s
}

func (n *node) end(l *grade.Lab, s Subscription) bool {
	return n.do(l, "Close of a subscription", func(context.Context) error {
		if err := s.Close(); err != nil {
			return err
		}
		return s.Close() // does nothing
	})
}

// close closes the hub, and the client a second after it.
func (n *node) close(l *grade.Lab) bool {
	if !n.do(l, "Close of the hub", func(context.Context) error { return n.hub.Close() }) {
		return false
	}
	time.Sleep(soon)
	_ = n.rdb.Close()
	return true
}

// reader is a subscriber that reads at once.
type reader struct {
	mu  sync.Mutex
	got []Notification
	end bool
}

func read(s Subscription) *reader {
	r := &reader{}
	notifications := s.Notifications()
	go func() {
		for n := range notifications {
			r.mu.Lock()
			r.got = append(r.got, n)
			r.mu.Unlock()
		}
		r.mu.Lock()
		r.end = true
		r.mu.Unlock()
	}()
	return r
}

func (r *reader) all() []Notification {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *reader) ids() string {
	var ids []string
	for _, n := range r.all() {
		ids = append(ids, n.ID)
	}
	return strings.Join(ids, " ")
}

func (r *reader) closed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.end
}
