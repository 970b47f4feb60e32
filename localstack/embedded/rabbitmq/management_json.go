package rabbitmq

import (
	"encoding/json"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// jsonTable makes of a table what JSON can say.
func jsonTable(t amqp.Table) map[string]any {
	o := map[string]any{}
	for k, v := range t {
		o[k] = jsonValue(v)
	}
	return o
}

func jsonValue(v any) any {
	switch v := v.(type) {
	case amqp.Table:
		return jsonTable(v)
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, jsonValue(e))
		}
		return list
	case time.Time:
		return v.Unix()
	case []byte:
		return string(v)
	case amqp.Decimal:
		f := float64(v.Value)
		for range v.Scale {
			f /= 10
		}
		return f
	default:
		return v
	}
}

// fieldTable makes a table of what JSON says: whole numbers are int64.
func fieldTable(o map[string]any) amqp.Table {
	t := amqp.Table{}
	for k, v := range o {
		t[k] = fieldValue(v)
	}
	return t
}

func fieldValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return fieldTable(v)
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, fieldValue(e))
		}
		return list
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case float64:
		if n := int64(v); float64(n) == v {
			return n
		}
		return v
	default:
		return v
	}
}

// propertiesJSON are a message's properties in the API.
type propertiesJSON struct {
	ContentType     string         `json:"content_type,omitempty"`
	ContentEncoding string         `json:"content_encoding,omitempty"`
	Headers         map[string]any `json:"headers,omitempty"`
	DeliveryMode    uint8          `json:"delivery_mode,omitempty"`
	Priority        *uint8         `json:"priority,omitempty"`
	CorrelationID   string         `json:"correlation_id,omitempty"`
	ReplyTo         string         `json:"reply_to,omitempty"`
	Expiration      string         `json:"expiration,omitempty"`
	MessageID       string         `json:"message_id,omitempty"`
	Timestamp       *int64         `json:"timestamp,omitempty"`
	Type            string         `json:"type,omitempty"`
	UserID          string         `json:"user_id,omitempty"`
	AppID           string         `json:"app_id,omitempty"`
	ClusterID       string         `json:"cluster_id,omitempty"`
}

func (j propertiesJSON) properties() amqp.Properties {
	p := amqp.Properties{
		ContentType: j.ContentType, ContentEncoding: j.ContentEncoding, DeliveryMode: j.DeliveryMode, Priority: j.Priority, CorrelationID: j.CorrelationID, ReplyTo: j.ReplyTo,
		Expiration: j.Expiration, MessageID: j.MessageID, Type: j.Type, UserID: j.UserID, AppID: j.AppID, ClusterID: j.ClusterID,
	}
	if j.Headers != nil {
		p.Headers = fieldTable(j.Headers)
	}
	if j.Timestamp != nil {
		t := time.Unix(*j.Timestamp, 0).UTC()
		p.Timestamp = &t
	}
	return p
}

func jsonProperties(p amqp.Properties) propertiesJSON {
	j := propertiesJSON{
		ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationID: p.CorrelationID, ReplyTo: p.ReplyTo,
		Expiration: p.Expiration, MessageID: p.MessageID, Type: p.Type, UserID: p.UserID, AppID: p.AppID, ClusterID: p.ClusterID,
	}
	if p.Headers != nil {
		j.Headers = jsonTable(p.Headers)
	}
	if p.Timestamp != nil {
		t := p.Timestamp.Unix()
		j.Timestamp = &t
	}
	return j
}

func (c *counters) add(o counters) {
	c.publishIn += o.publishIn
	c.publishOut += o.publishOut
	c.deliver += o.deliver
	c.deliverNoAck += o.deliverNoAck
	c.get += o.get
	c.getNoAck += o.getNoAck
	c.getEmpty += o.getEmpty
	c.ack += o.ack
	c.redeliver += o.redeliver
	c.returned += o.returned
}

func (c counters) named() map[string]uint64 {
	return map[string]uint64{
		"publish": c.publishIn, "deliver": c.deliver, "deliver_no_ack": c.deliverNoAck, "get": c.get, "get_no_ack": c.getNoAck, "get_empty": c.getEmpty,
		"deliver_get": c.deliver + c.deliverNoAck + c.get + c.getNoAck, "ack": c.ack, "redeliver": c.redeliver,
	}
}

// sampling is how far apart the two looks at counters are at least that a rate is made of. The plugin looks every 5 seconds;
// here nobody looks until somebody asks, so that a rate is that since the last question or the one before.
const sampling = 5 * time.Second

// rates remembers what counters were when somebody last asked.
type rates struct {
	at, before   time.Time
	was, earlier counters
}

// stats returns counters with their rates, in 1/s.
func (r *rates) stats(now counters) map[string]any {
	if t := time.Now(); r.at.IsZero() || t.Sub(r.at) >= sampling {
		r.before, r.earlier = r.at, r.was
		r.at, r.was = t, now
	}
	stats := map[string]any{}
	earlier := r.earlier.named()
	for name, n := range now.named() {
		rate := 0.0
		if !r.before.IsZero() {
			rate = float64(n-earlier[name]) / time.Since(r.before).Seconds()
		}
		stats[name], stats[name+"_details"] = n, map[string]any{"rate": rate}
	}
	return stats
}
