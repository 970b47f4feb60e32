package rabbitmq

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// vhost is a virtual host: a name space of exchanges and queues.
type vhost struct {
	s         *Server
	name      string
	engine    *queue.Broker
	exchanges map[string]*exchange
	queues    map[string]*queueState
	policies  map[string]*policy
	replies   map[*channel]*replyConsumer // that wait at amq.rabbitmq.reply-to
	ids       uint64
}

func (s *Server) addVHost(name string) *vhost {
	v := &vhost{
		s: s, name: name, engine: queue.NewBroker(), exchanges: map[string]*exchange{}, queues: map[string]*queueState{},
		policies: map[string]*policy{}, replies: map[*channel]*replyConsumer{},
	}
	for name, kind := range map[string]string{"": "direct", "amq.direct": "direct", "amq.fanout": "fanout", "amq.topic": "topic", "amq.headers": "headers", "amq.match": "headers"} {
		v.exchanges[name] = &exchange{vhost: v, name: name, kind: kind, durable: true, arguments: amqp.Table{}}
	}
	v.exchanges["amq.rabbitmq.trace"] = &exchange{vhost: v, name: "amq.rabbitmq.trace", kind: "topic", durable: true, internal: true, arguments: amqp.Table{}}
	s.vhosts[name] = v
	return v
}

// exchange routes messages by its bindings.
type exchange struct {
	vhost                         *vhost
	name, kind                    string
	durable, autoDelete, internal bool
	arguments                     amqp.Table

	bindings []*binding            // from here, in the order in which they were made
	byKey    map[string][]*binding // of a direct exchange
	counters counters
}

// binding leads from an exchange to a queue, or to another exchange.
type binding struct {
	source    *exchange
	queue     *queueState // nil: exchange
	exchange  *exchange
	key       string
	words     []string // of key, for a topic exchange
	arguments amqp.Table
}

func (b *binding) destination() string {
	if b.queue != nil {
		return b.queue.name
	}
	return b.exchange.name
}

// described is how messages call a resource.
func (v *vhost) described(kind, name string) string {
	return fmt.Sprintf("%s '%s' in vhost '%s'", kind, name, v.name)
}

func (v *vhost) exchange(name string) (*exchange, *exception) {
	if x := v.exchanges[name]; x != nil {
		return x, nil
	}
	return nil, fail(notFound, "no %s", v.described("exchange", name))
}

// notPredefined refuses to touch the exchanges that the server brings.
func notPredefined(name string) *exception {
	switch {
	case name == "":
		return fail(accessRefused, "operation not permitted on the default exchange")
	case strings.HasPrefix(name, "amq."):
		return fail(accessRefused, "exchange name '%s' contains reserved prefix 'amq.*'", name)
	}
	return nil
}

var exchangeKinds = []string{"direct", "fanout", "topic", "headers"}

func (ch *channel) declareExchange(m amqp.ExchangeDeclare) *exception {
	name := strings.TrimRight(m.Exchange, "\r\n")
	if m.Passive {
		if name == "" {
			return fail(accessRefused, "operation not permitted on the default exchange")
		}
		if _, e := ch.vhost.exchange(name); e != nil {
			return e
		}
		return ch.reply(m.NoWait, amqp.ExchangeDeclareOk{})
	}
	if !slices.Contains(exchangeKinds, m.Type) {
		return fail(commandInvalid, "unknown exchange type '%s'", m.Type)
	}
	if name == "" {
		return fail(accessRefused, "operation not permitted on the default exchange")
	}
	if e := ch.allow(configure, "exchange", name); e != nil {
		return e
	}
	if x := ch.vhost.exchanges[name]; x != nil {
		if e := x.equivalent(m); e != nil {
			return e
		}
		return ch.reply(m.NoWait, amqp.ExchangeDeclareOk{})
	}
	if e := notPredefined(name); e != nil {
		return e
	}
	if alternate, ok := m.Arguments["alternate-exchange"]; ok {
		a, ok := alternate.(string)
		if !ok {
			return fail(preconditionFailed, "invalid arg 'alternate-exchange' for %s: expected type 'longstr'", ch.vhost.described("exchange", name))
		}
		if e := firstFailure(ch.allow(read, "exchange", name), ch.allow(write, "exchange", a)); e != nil {
			return e
		}
	}
	ch.vhost.exchanges[name] = &exchange{
		vhost: ch.vhost, name: name, kind: m.Type, durable: m.Durable, autoDelete: m.AutoDelete, internal: m.Internal, arguments: m.Arguments,
	}
	return ch.reply(m.NoWait, amqp.ExchangeDeclareOk{})
}

func firstFailure(es ...*exception) *exception {
	for _, e := range es {
		if e != nil {
			return e
		}
	}
	return nil
}

// equivalent checks a declaration against the exchange that is there.
func (x *exchange) equivalent(m amqp.ExchangeDeclare) *exception {
	where := x.vhost.described("exchange", x.name)
	return firstFailure(
		same("type", where, m.Type, x.kind),
		same("durable", where, m.Durable, x.durable),
		same("auto_delete", where, m.AutoDelete, x.autoDelete),
		same("internal", where, m.Internal, x.internal),
		sameArgument("alternate-exchange", where, m.Arguments, x.arguments),
	)
}

func same[T comparable](name, where string, received, current T) *exception {
	if received == current {
		return nil
	}
	return fail(preconditionFailed, "inequivalent arg '%s' for %s: received '%v' but current is '%v'", name, where, received, current)
}

func (ch *channel) deleteExchange(m amqp.ExchangeDelete) *exception {
	if strings.HasPrefix(m.Exchange, "amq.") {
		return fail(accessRefused, "deletion of system %s not allowed", ch.vhost.described("exchange", m.Exchange))
	}
	if e := firstFailure(notPredefined(m.Exchange), ch.allow(configure, "exchange", m.Exchange)); e != nil {
		return e
	}
	if x := ch.vhost.exchanges[m.Exchange]; x != nil {
		if m.IfUnused && len(x.bindings) > 0 {
			return fail(preconditionFailed, "%s in use", ch.vhost.described("exchange", x.name))
		}
		x.delete()
	}
	return ch.reply(m.NoWait, amqp.ExchangeDeleteOk{})
}

// delete removes an exchange and the bindings from it and to it.
func (x *exchange) delete() {
	delete(x.vhost.exchanges, x.name)
	for _, b := range slices.Clone(x.bindings) {
		b.remove()
	}
	for _, source := range x.vhost.exchanges {
		for _, b := range slices.Clone(source.bindings) {
			if b.exchange == x {
				b.remove()
			}
		}
	}
}

func (ch *channel) bindExchange(m amqp.ExchangeBind) *exception {
	if m.Source == "" || m.Destination == "" {
		return fail(accessRefused, "operation not permitted on the default exchange")
	}
	if e := firstFailure(ch.allow(write, "exchange", m.Destination), ch.allow(read, "exchange", m.Source)); e != nil {
		return e
	}
	to, e := ch.vhost.exchange(m.Destination)
	if e != nil {
		return e
	}
	from, e := ch.vhost.exchange(m.Source)
	if e != nil {
		return e
	}
	if e := from.bind(&binding{exchange: to, key: m.RoutingKey, arguments: m.Arguments}); e != nil {
		return e
	}
	return ch.reply(m.NoWait, amqp.ExchangeBindOk{})
}

func (ch *channel) unbindExchange(m amqp.ExchangeUnbind) *exception {
	if m.Source == "" || m.Destination == "" {
		return fail(accessRefused, "operation not permitted on the default exchange")
	}
	if e := firstFailure(ch.allow(write, "exchange", m.Destination), ch.allow(read, "exchange", m.Source)); e != nil {
		return e
	}
	to, from := ch.vhost.exchanges[m.Destination], ch.vhost.exchanges[m.Source]
	if from != nil && to != nil {
		from.unbind(&binding{exchange: to, key: m.RoutingKey, arguments: m.Arguments})
	}
	return ch.reply(m.NoWait, amqp.ExchangeUnbindOk{})
}

func (ch *channel) bindQueue(m amqp.QueueBind) *exception {
	name, e := ch.named(m.Queue)
	if e != nil {
		return e
	}
	key := m.RoutingKey
	if m.Queue == "" && key == "" {
		key = name
	}
	if m.Exchange == "" {
		return fail(accessRefused, "operation not permitted on the default exchange")
	}
	if e := firstFailure(ch.allow(write, "queue", name), ch.allow(read, "exchange", m.Exchange)); e != nil {
		return e
	}
	q, e := ch.queue(name)
	if e != nil {
		return e
	}
	x, e := ch.vhost.exchange(m.Exchange)
	if e != nil {
		return e
	}
	if e := x.bind(&binding{queue: q, key: key, arguments: m.Arguments}); e != nil {
		return e
	}
	return ch.reply(m.NoWait, amqp.QueueBindOk{})
}

func (ch *channel) unbindQueue(m amqp.QueueUnbind) *exception {
	name, e := ch.named(m.Queue)
	if e != nil {
		return e
	}
	if m.Exchange == "" {
		return fail(accessRefused, "operation not permitted on the default exchange")
	}
	if e := firstFailure(ch.allow(write, "queue", name), ch.allow(read, "exchange", m.Exchange)); e != nil {
		return e
	}
	if q := ch.vhost.queues[name]; q != nil {
		if e := q.lockedFor(ch.conn); e != nil {
			return e
		}
		if x := ch.vhost.exchanges[m.Exchange]; x != nil {
			x.unbind(&binding{queue: q, key: m.RoutingKey, arguments: m.Arguments})
		}
	}
	return ch.reply(false, amqp.QueueUnbindOk{})
}

func (b *binding) equal(other *binding) bool {
	return b.queue == other.queue && b.exchange == other.exchange && b.key == other.key && reflect.DeepEqual(b.arguments, other.arguments)
}

// bind adds a binding. A second equal one adds nothing.
func (x *exchange) bind(b *binding) *exception {
	if x.kind == "headers" {
		if match, ok := b.arguments["x-match"]; ok {
			s, isString := match.(string)
			if !isString {
				return fail(preconditionFailed, "Invalid x-match field type %s (value %v); expected longstr", typeName(match), match)
			}
			if !slices.Contains([]string{"all", "any", "all-with-x", "any-with-x"}, s) {
				return fail(preconditionFailed, "Invalid x-match field value <<\"%s\">>; expected all, any, all-with-x, or any-with-x", s)
			}
		}
	}
	if b.arguments == nil {
		b.arguments = amqp.Table{}
	}
	if slices.ContainsFunc(x.bindings, b.equal) {
		return nil
	}
	b.source = x
	b.words = strings.Split(b.key, ".")
	x.bindings = append(x.bindings, b)
	if x.kind == "direct" {
		if x.byKey == nil {
			x.byKey = map[string][]*binding{}
		}
		x.byKey[b.key] = append(x.byKey[b.key], b)
	}
	if b.queue != nil {
		b.queue.bindings++
	}
	return nil
}

// unbind removes the binding that is equal to b, if there is one.
func (x *exchange) unbind(b *binding) {
	if b.arguments == nil {
		b.arguments = amqp.Table{}
	}
	if i := slices.IndexFunc(x.bindings, b.equal); i >= 0 {
		x.bindings[i].remove()
	}
}

// remove takes a binding out, and its source with it if that deletes itself.
func (b *binding) remove() {
	x := b.source
	x.bindings = slices.DeleteFunc(x.bindings, func(other *binding) bool { return other == b })
	if x.byKey != nil {
		if left := slices.DeleteFunc(x.byKey[b.key], func(other *binding) bool { return other == b }); len(left) > 0 {
			x.byKey[b.key] = left
		} else {
			delete(x.byKey, b.key)
		}
	}
	if b.queue != nil {
		b.queue.bindings--
	}
	if x.autoDelete && len(x.bindings) == 0 && x.vhost.exchanges[x.name] == x {
		x.delete()
	}
}

// route returns the queues that a message published to x reaches, each once.
func (x *exchange) route(m *message) []*queueState {
	if x.name == "" && len(m.keys) == 1 { // the frequent case
		if q := x.vhost.queues[m.keys[0]]; q != nil {
			return []*queueState{q}
		}
		return nil
	}
	if x.kind == "direct" && x.name != "" && len(m.keys) == 1 {
		if bs := x.byKey[m.keys[0]]; len(bs) == 1 && bs[0].queue != nil {
			return []*queueState{bs[0].queue}
		}
	}
	var found []*queueState
	seen := map[*queueState]bool{}
	visited := map[*exchange]bool{x: true}
	for todo := []*exchange{x}; len(todo) > 0; {
		x, todo = todo[0], todo[1:]
		reached := false
		add := func(q *queueState) {
			reached = true
			if !seen[q] {
				seen[q] = true
				found = append(found, q)
			}
		}
		if x.name == "" {
			for _, key := range m.keys {
				if q := x.vhost.queues[key]; q != nil {
					add(q)
				}
			}
		}
		for b := range x.matching(m) {
			if b.queue != nil {
				add(b.queue)
				continue
			}
			reached = true
			if !visited[b.exchange] {
				visited[b.exchange] = true
				todo = append(todo, b.exchange)
			}
		}
		if alternate := x.alternate(); !reached && alternate != nil && !visited[alternate] {
			visited[alternate] = true
			todo = append(todo, alternate)
		}
	}
	return found
}

// alternate returns the exchange that gets what x cannot route, or nil.
func (x *exchange) alternate() *exchange {
	name, ok := x.arguments["alternate-exchange"].(string)
	if !ok {
		name, ok = x.vhost.policyFor("exchanges", x.name).text("alternate-exchange")
	}
	if !ok {
		return nil
	}
	return x.vhost.exchanges[name]
}

// matching yields the bindings that a message fits.
func (x *exchange) matching(m *message) func(yield func(*binding) bool) {
	return func(yield func(*binding) bool) {
		switch x.kind {
		case "direct":
			for _, key := range m.keys {
				for _, b := range x.byKey[key] {
					if !yield(b) {
						return
					}
				}
			}
		case "fanout":
			for _, b := range x.bindings {
				if !yield(b) {
					return
				}
			}
		case "topic":
			for _, key := range m.keys {
				words := strings.Split(key, ".")
				for _, b := range x.bindings {
					if topicMatches(b.words, words) && !yield(b) {
						return
					}
				}
			}
		case "headers":
			for _, b := range x.bindings {
				if headersMatch(b.arguments, m.properties.Headers) && !yield(b) {
					return
				}
			}
		}
	}
}

// topicMatches says whether the words of a routing key fit a pattern's: * stands for one word, # for any number of them. An empty
// key is one empty word, as is what stands between two dots.
func topicMatches(pattern, words []string) bool {
	if len(pattern) == 1 && pattern[0] == "" { // an empty pattern has no words: it fits an empty key
		return len(words) == 1 && words[0] == ""
	}
	// star and mark are where to go on when a later word does not fit: # takes one word more.
	p, w, star, mark := 0, 0, -1, 0
	if len(words) == 1 && words[0] == "" {
		words = nil // an empty key has no words
	}
	for w < len(words) {
		switch {
		case p < len(pattern) && pattern[p] == "#":
			star, mark = p, w
			p++
		case p < len(pattern) && (pattern[p] == "*" || pattern[p] == words[w]):
			p++
			w++
		case star >= 0:
			mark++
			p, w = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "#" {
		p++
	}
	return p == len(pattern)
}

// headersMatch says whether a message's headers fit a binding's arguments.
// Source: RabbitMQ documentation, "Exchanges", headers exchange (checked 2026-12-01).
func headersMatch(arguments, headers amqp.Table) bool {
	mode, _ := arguments["x-match"].(string)
	one := strings.HasPrefix(mode, "any") // that fits is enough
	withX := strings.HasSuffix(mode, "-with-x")
	looked := 0
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		if name == "x-match" || !withX && strings.HasPrefix(name, "x-") {
			continue
		}
		looked++
		want := arguments[name]
		got, there := headers[name]
		fits := there && (want == nil || equalValues(want, got))
		if fits && one {
			return true
		}
		if !fits && !one {
			return false
		}
	}
	return !one || looked == 0
}

// equalValues compares field values. Numbers are equal whatever their types.
func equalValues(a, b any) bool {
	x, xok := integer(a)
	y, yok := integer(b)
	if xok && yok {
		return x == y
	}
	return reflect.DeepEqual(a, b)
}
