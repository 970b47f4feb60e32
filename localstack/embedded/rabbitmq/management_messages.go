package rabbitmq

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

func (m *management) publish(r *request, v *vhost) (any, error) {
	var in struct {
		RoutingKey      string         `json:"routing_key"`
		Payload         string         `json:"payload"`
		PayloadEncoding string         `json:"payload_encoding"`
		Properties      propertiesJSON `json:"properties"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	body := []byte(in.Payload)
	switch in.PayloadEncoding {
	case "base64":
		var err error
		if body, err = base64.StdEncoding.DecodeString(in.Payload); err != nil {
			return nil, badRequest("payload: %v", err)
		}
	case "string", "":
	default:
		return nil, badRequest("unsupported_encoding: %s", in.PayloadEncoding)
	}
	name := exchangeName(r.PathValue("exchange"))
	ch := m.channel(r, v)
	if e := ch.publish(amqp.BasicPublish{Exchange: name, RoutingKey: in.RoutingKey}); e != nil {
		return nil, e
	}
	p := ch.incoming
	p.message = &message{exchange: name, keys: []string{in.RoutingKey}, properties: in.Properties.properties(), body: body, ttl: -1}
	routed := len(p.exchange.route(p.message)) > 0
	if e := ch.arrived(p); e != nil {
		return nil, e
	}
	return object{"routed": routed}, nil
}

// get takes messages off a queue, to look at: with ackmode ack_requeue_true they go back at once.
func (m *management) get(r *request, q *queueState) (any, error) {
	var in struct {
		Count    json.Number `json:"count"`
		AckMode  string      `json:"ackmode"`
		Encoding string      `json:"encoding"`
		Truncate json.Number `json:"truncate"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	count, err := in.Count.Int64()
	if err != nil {
		return nil, badRequest("key_missing: count")
	}
	modes := []string{"ack_requeue_true", "reject_requeue_true", "ack_requeue_false", "reject_requeue_false"}
	if !slices.Contains(modes, in.AckMode) {
		return nil, badRequest("ackmode: one of %v", modes)
	}
	ch := m.channel(r, q.vhost)
	list := []any{}
	for range count {
		before := len(ch.unacked)
		if e := ch.get(amqp.BasicGet{Queue: q.name}); e != nil {
			return nil, e
		}
		if len(ch.unacked) == before {
			break
		}
		d := ch.unacked[ch.tags]
		payload, encoding := string(d.entry.message.body), "string"
		if in.Encoding == "base64" || !utf8.ValidString(payload) {
			payload, encoding = base64.StdEncoding.EncodeToString(d.entry.message.body), "base64"
		}
		if n, err := in.Truncate.Int64(); err == nil && n >= 0 && int64(len(payload)) > n {
			payload = payload[:n]
		}
		list = append(list, object{
			"payload": payload, "payload_encoding": encoding, "payload_bytes": len(d.entry.message.body), "redelivered": d.entry.back, "exchange": d.entry.message.exchange,
			"routing_key": d.entry.message.keys[0], "message_count": q.ready(), "properties": jsonProperties(d.entry.shown(q)),
		})
	}
	switch in.AckMode {
	case "ack_requeue_false":
		_ = ch.ack(amqp.BasicAck{Multiple: true}) // tag 0: all there are
	case "reject_requeue_false":
		_ = ch.reject(0, true, false, rejected)
	case "reject_requeue_true":
		_ = ch.reject(0, true, true, rejected)
	default:
		_ = ch.reject(0, true, true, nacked)
	}
	return list, nil
}
