package rabbitmq

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

func describeExchange(x *exchange) object {
	o := object{
		"name": x.name, "vhost": x.vhost.name, "type": x.kind, "durable": x.durable, "auto_delete": x.autoDelete, "internal": x.internal,
		"arguments": jsonTable(x.arguments), "user_who_performed_action": "",
	}
	if p := x.vhost.policyFor("exchanges", x.name); p != nil {
		o["policy"] = p.name
	}
	if x.counters != (counters{}) {
		o["message_stats"] = object{"publish_in": x.counters.publishIn, "publish_out": x.counters.publishOut}
	}
	return o
}

func (m *management) exchanges(_ *request, all []*vhost) (any, error) {
	return shown(everywhere(all, func(v *vhost) []*exchange { return sorted(v.exchanges) }), describeExchange), nil
}

// exchangeName is the name in the path. The default exchange, which has none, is amq.default there.
func exchangeName(s string) string {
	if s == "amq.default" {
		return ""
	}
	return s
}

func (m *management) oneExchange(r *request, v *vhost) (any, error) {
	x := v.exchanges[exchangeName(r.PathValue("exchange"))]
	if x == nil {
		return nil, missing
	}
	return describeExchange(x), nil
}

type exchangeJSON struct {
	Name       string         `json:"name"`
	VHost      string         `json:"vhost"`
	Type       string         `json:"type"`
	Durable    *bool          `json:"durable"`
	AutoDelete bool           `json:"auto_delete"`
	Internal   bool           `json:"internal"`
	Arguments  map[string]any `json:"arguments"`
}

func (m *management) putExchange(r *request, v *vhost) (any, error) {
	in := exchangeJSON{Type: "direct"}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	in.Name = r.PathValue("exchange")
	return nil, m.declareExchange(m.channel(r, v), in)
}

func (m *management) declareExchange(ch *channel, in exchangeJSON) error {
	had := ch.vhost.exchanges[in.Name] != nil
	if e := ch.declareExchange(amqp.ExchangeDeclare{
		Exchange: in.Name, Type: in.Type, Durable: in.Durable == nil || *in.Durable, AutoDelete: in.AutoDelete, Internal: in.Internal, Arguments: fieldTable(in.Arguments),
	}); e != nil {
		return e
	}
	if had {
		return noContent
	}
	return created
}

func (m *management) deleteExchange(r *request, v *vhost) (any, error) {
	name := r.PathValue("exchange")
	if v.exchanges[name] == nil {
		return nil, missing
	}
	if e := m.channel(r, v).deleteExchange(amqp.ExchangeDelete{Exchange: name, IfUnused: r.URL.Query().Get("if-unused") == "true"}); e != nil {
		return nil, e
	}
	return nil, noContent
}

func (m *management) exchangeBindings(r *request, v *vhost) (any, error) {
	name := exchangeName(r.PathValue("exchange"))
	if v.exchanges[name] == nil {
		return nil, missing
	}
	asSource := strings.HasSuffix(r.URL.Path, "/source")
	return describeBindings(v, func(source, destination, kind string) bool {
		return asSource && source == name || !asSource && kind == "exchange" && destination == name
	}), nil
}

func describeQueue(q *queueState) object {
	o := object{
		"name": q.name, "vhost": q.vhost.name, "type": q.kind, "durable": q.durable, "auto_delete": q.autoDelete, "exclusive": q.exclusive, "arguments": jsonTable(q.arguments),
		"node": nodeName, "state": "running", "messages": q.ready() + q.unacked, "messages_ready": q.ready(), "messages_unacknowledged": q.unacked,
		"message_bytes_ready": q.bytes, "consumers": len(q.consumers), "consumer_utilisation": nil, "policy": nil, "effective_policy_definition": object{},
		"message_stats": q.rates.stats(q.counters),
	}
	if q.log != nil {
		o["message_bytes_ready"] = q.log.bytes()
	}
	if o["node"] = ""; q.home != nil {
		o["node"] = q.home.name
	}
	if !q.available() {
		o["state"] = map[bool]string{true: "down", false: "minority"}[q.kind == classic]
	}
	if q.kind != classic {
		members, online := []string{}, []string{}
		for _, n := range q.vhost.s.nodes {
			if members = append(members, n.name); n.up {
				online = append(online, n.name)
			}
		}
		o["leader"], o["members"], o["online"] = o["node"], members, online
	}
	if q.policy != nil {
		o["policy"], o["effective_policy_definition"] = q.policy.name, q.policy.definition
	}
	if q.singleActive && q.active != nil {
		o["single_active_consumer_tag"] = q.active.tag
	}
	return o
}

func (m *management) queues(_ *request, all []*vhost) (any, error) {
	return shown(everywhere(all, func(v *vhost) []*queueState { return sorted(v.queues) }), describeQueue), nil
}

func (m *management) queue(r *request) (*queueState, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	if q := v.queues[r.PathValue("queue")]; q != nil {
		return q, nil
	}
	return nil, missing
}

func (m *management) oneQueue(r *request, q *queueState) (any, error) {
	o := describeQueue(q)
	o["consumer_details"] = shown(q.consumers, describeConsumer)
	return o, nil
}

type queueJSON struct {
	Name       string         `json:"name"`
	VHost      string         `json:"vhost"`
	Durable    *bool          `json:"durable"`
	AutoDelete bool           `json:"auto_delete"`
	Arguments  map[string]any `json:"arguments"`
}

func (m *management) putQueue(r *request, v *vhost) (any, error) {
	var in queueJSON
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	in.Name = r.PathValue("queue")
	return nil, m.declareQueue(m.channel(r, v), in)
}

func (m *management) declareQueue(ch *channel, in queueJSON) error {
	had := ch.vhost.queues[in.Name] != nil
	if e := ch.declareQueue(amqp.QueueDeclare{Queue: in.Name, Durable: in.Durable == nil || *in.Durable, AutoDelete: in.AutoDelete, Arguments: fieldTable(in.Arguments)}); e != nil {
		return e
	}
	if had {
		return noContent
	}
	return created
}

func (m *management) deleteQueue(r *request, q *queueState) (any, error) {
	query := r.URL.Query()
	if e := m.channel(r, q.vhost).deleteQueue(amqp.QueueDelete{Queue: q.name, IfUnused: query.Get("if-unused") == "true", IfEmpty: query.Get("if-empty") == "true"}); e != nil {
		return nil, e
	}
	return nil, noContent
}

func (m *management) purge(r *request, q *queueState) (any, error) {
	if e := m.channel(r, q.vhost).purgeQueue(amqp.QueuePurge{Queue: q.name}); e != nil {
		return nil, e
	}
	return nil, noContent
}

func (m *management) queueBindings(r *request, q *queueState) (any, error) {
	return describeBindings(q.vhost, func(_, destination, kind string) bool { return kind == "queue" && destination == q.name }), nil
}

// bindingKey names a binding in a path: its routing key, and its arguments' hash if it has any.
func (b *binding) propertiesKey() string {
	if len(b.arguments) == 0 {
		if b.key == "" {
			return "~"
		}
		return url.QueryEscape(b.key)
	}
	text, _ := json.Marshal(jsonTable(b.arguments))
	return url.QueryEscape(b.key) + "~" + base64.RawURLEncoding.EncodeToString(text)
}

func describeBinding(b *binding) object {
	kind := "queue"
	if b.queue == nil {
		kind = "exchange"
	}
	return object{
		"source": b.source.name, "vhost": b.source.vhost.name, "destination": b.destination(), "destination_type": kind, "routing_key": b.key,
		"arguments": jsonTable(b.arguments), "properties_key": b.propertiesKey(),
	}
}

// describeBindings lists those that fit, the default exchange's to every queue included.
func describeBindings(v *vhost, fits func(source, destination, kind string) bool) []any {
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(v.queues)) {
		if fits("", name, "queue") {
			list = append(list, object{
				"source": "", "vhost": v.name, "destination": name, "destination_type": "queue", "routing_key": name, "arguments": object{}, "properties_key": url.QueryEscape(name),
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.exchanges)) {
		for _, b := range v.exchanges[name].bindings {
			o := describeBinding(b)
			if fits(name, b.destination(), o["destination_type"].(string)) {
				list = append(list, o)
			}
		}
	}
	return list
}

func (m *management) bindings(_ *request, all []*vhost) (any, error) {
	return append([]any{}, everywhere(all, func(v *vhost) []any { return describeBindings(v, func(_, _, _ string) bool { return true }) })...), nil
}

// ends are what a path says of a binding: which exchange leads to what.
type ends struct {
	vhost                     *vhost
	source, destination, kind string // kind: "queue" or "exchange"
}

func (m *management) ends(r *request) (ends, error) {
	v, err := m.vhost(r)
	if err != nil {
		return ends{}, err
	}
	kind := map[string]string{"q": "queue", "e": "exchange"}[r.PathValue("kind")]
	if kind == "" {
		return ends{}, missing
	}
	return ends{v, exchangeName(r.PathValue("source")), r.PathValue("to"), kind}, nil
}

func (m *management) bindingsBetween(_ *request, e ends) (any, error) {
	return describeBindings(e.vhost, func(s, d, k string) bool { return s == e.source && d == e.destination && k == e.kind }), nil
}

type bindingJSON struct {
	Source          string         `json:"source"`
	VHost           string         `json:"vhost"`
	Destination     string         `json:"destination"`
	DestinationType string         `json:"destination_type"`
	RoutingKey      string         `json:"routing_key"`
	Arguments       map[string]any `json:"arguments"`
}

func (m *management) bind(r *request, e ends) (any, error) {
	in := bindingJSON{}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	in.Source, in.Destination, in.DestinationType = e.source, e.destination, e.kind
	if err := m.addBinding(m.channel(r, e.vhost), in); err != nil {
		return nil, err
	}
	return nil, created
}

func (m *management) addBinding(ch *channel, in bindingJSON) error {
	var e *exception
	if in.DestinationType == "exchange" {
		e = ch.bindExchange(amqp.ExchangeBind{Source: in.Source, Destination: in.Destination, RoutingKey: in.RoutingKey, Arguments: fieldTable(in.Arguments)})
	} else {
		e = ch.bindQueue(amqp.QueueBind{Exchange: in.Source, Queue: in.Destination, RoutingKey: in.RoutingKey, Arguments: fieldTable(in.Arguments)})
	}
	if e != nil {
		return e
	}
	return nil
}

func (m *management) binding(r *request) (*binding, error) {
	e, err := m.ends(r)
	if err != nil {
		return nil, err
	}
	if x := e.vhost.exchanges[e.source]; x != nil {
		for _, b := range x.bindings {
			if b.destination() == e.destination && (b.queue != nil) == (e.kind == "queue") && b.propertiesKey() == r.PathValue("key") {
				return b, nil
			}
		}
	}
	return nil, missing
}

func (m *management) oneBinding(r *request, b *binding) (any, error) {
	return describeBinding(b), nil
}

func (m *management) unbind(r *request, b *binding) (any, error) {
	b.remove()
	return nil, noContent
}

func describePolicy(p *policy) object {
	return object{"vhost": p.vhost.name, "name": p.name, "pattern": p.pattern.String(), "apply-to": p.applyTo, "priority": p.priority, "definition": p.definition}
}

func (m *management) policies(_ *request, all []*vhost) (any, error) {
	return shown(everywhere(all, func(v *vhost) []*policy { return sorted(v.policies) }), describePolicy), nil
}

func (m *management) onePolicy(r *request, v *vhost) (any, error) {
	if p := v.policies[r.PathValue("policy")]; p != nil {
		return describePolicy(p), nil
	}
	return nil, missing
}

type policyJSON struct {
	VHost      string         `json:"vhost"`
	Name       string         `json:"name"`
	Pattern    *string        `json:"pattern"`
	ApplyTo    string         `json:"apply-to"`
	Priority   int            `json:"priority"`
	Definition map[string]any `json:"definition"`
}

func (m *management) putPolicy(r *request, v *vhost) (any, error) {
	var in policyJSON
	if err := json.Unmarshal(r.body, &in); err != nil {
		return nil, badRequest("the body is no JSON as it should be: %v", err)
	}
	in.Name = r.PathValue("policy")
	return nil, v.setPolicy(in)
}

// policyKeys are what a policy may define, by what it applies to.
var policyKeys = []string{
	"message-ttl", "expires", "max-length", "max-length-bytes", "overflow", "dead-letter-exchange", "dead-letter-routing-key", "dead-letter-strategy",
	"delivery-limit", "max-age", "stream-max-segment-size-bytes", "alternate-exchange", "queue-leader-locator",
}

func (v *vhost) setPolicy(in policyJSON) error {
	if in.Pattern == nil {
		return badRequest("key_missing: pattern")
	}
	if len(in.Definition) == 0 {
		return badRequest("Validation failed\n\nno policy provided")
	}
	for key := range in.Definition {
		if !slices.Contains(policyKeys, key) {
			return badRequest("Validation failed\n\n[{<<\"%s\">>}] are not recognised policy settings", key)
		}
		a, ok := queueArguments["x-"+key]
		if !ok {
			continue
		}
		value := in.Definition[key]
		if n, ok := value.(float64); ok {
			value = int64(n)
		}
		if problem := a.check(value); problem != "" {
			return badRequest("Validation failed\n\n%s: %s", key, problem)
		}
	}
	re, err := regexp.Compile(*in.Pattern)
	if err != nil {
		return badRequest("Validation failed\n\npattern: %v", err)
	}
	applyTo := cmp.Or(in.ApplyTo, "all")
	if !slices.Contains([]string{"all", "queues", "exchanges", "classic_queues", "quorum_queues", "streams"}, applyTo) {
		return badRequest("Validation failed\n\napply-to '%s' not recognised", applyTo)
	}
	_, had := v.policies[in.Name]
	v.policies[in.Name] = &policy{v, in.Name, re, applyTo, in.Priority, in.Definition}
	v.policiesChanged()
	if had {
		return noContent
	}
	return created
}

// policiesChanged lets every queue see what holds for it now.
func (v *vhost) policiesChanged() {
	for _, q := range v.queues {
		q.configure()
		q.use()
		v.s.touch(q)
	}
}

func (m *management) deletePolicy(r *request, v *vhost) (any, error) {
	if v.policies[r.PathValue("policy")] == nil {
		return nil, missing
	}
	delete(v.policies, r.PathValue("policy"))
	v.policiesChanged()
	return nil, noContent
}
