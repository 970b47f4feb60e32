package sns

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// The kinds of messages, as in the envelope's Type and the header x-amz-sns-message-type.
const (
	notification             = "Notification"
	subscriptionConfirmation = "SubscriptionConfirmation"
	unsubscribeConfirmation  = "UnsubscribeConfirmation"
)

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// envelope returns the JSON that a subscription without raw delivery gets.
// Source: Amazon SNS Developer Guide, "Parsing message formats"; a FIFO topic's message has a SequenceNumber and no signature
// (recorded 2025-08-18; checked 2026-12-01).
func (s *Service) envelope(d *delivery) string {
	m, t := d.message, d.sub.topic
	e := object{}
	e.add("Type", d.kind)
	e.add("MessageId", m.id)
	if d.token != "" {
		e.add("Token", d.token)
	}
	if m.sequence != "" {
		e.add("SequenceNumber", m.sequence)
	}
	e.add("TopicArn", t.arn)
	if m.subject != nil {
		e.add("Subject", *m.subject)
	}
	e.add("Message", d.body())
	if d.token != "" {
		e.add("SubscribeURL", d.subscribeURL())
	}
	e.add("Timestamp", timestamp(m.published))
	if !t.fifo {
		e.add("SignatureVersion", m.signatureVersion)
		e.add("Signature", s.signature(d))
		e.add("SigningCertURL", d.endpoint+CertificatePath)
	}
	if d.kind == notification {
		e.add("UnsubscribeURL", d.endpoint+"/?Action=Unsubscribe&SubscriptionArn="+d.sub.arn)
	}
	if len(m.attributes) > 0 {
		e.raw("MessageAttributes", envelopeAttributes(m.attributes))
	}
	if d.replay != nil {
		e.raw("Replayed", "true")
	}
	return e.String()
}

func (d *delivery) subscribeURL() string {
	return d.endpoint + "/?Action=ConfirmSubscription&TopicArn=" + d.sub.topic.arn + "&Token=" + d.token
}

// signature returns the signature of what the envelope says. It is the same for all subscriptions that get the same body,
// and made once.
// Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" (checked 2026-12-01).
func (s *Service) signature(d *delivery) string {
	m := d.message
	var text strings.Builder
	add := func(name, value string) { text.WriteString(name + "\n" + value + "\n") }
	add("Message", d.body())
	add("MessageId", m.id)
	if d.token != "" {
		add("SubscribeURL", d.subscribeURL())
	} else if m.subject != nil {
		add("Subject", *m.subject)
	}
	add("Timestamp", timestamp(m.published))
	if d.token != "" {
		add("Token", d.token)
	}
	add("TopicArn", d.sub.topic.arn)
	add("Type", d.kind)

	m.signing.Lock()
	defer m.signing.Unlock()
	signature, ok := m.signatures[text.String()]
	if !ok {
		signature = s.signer.sign(m.signatureVersion, text.String())
		if m.signatures == nil {
			m.signatures = map[string]string{}
		}
		m.signatures[text.String()] = signature
	}
	return signature
}

func envelopeAttributes(attributes map[string]MessageAttributeValue) string {
	list := object{}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		v := object{}
		v.add("Type", a.DataType)
		if a.BinaryValue != nil {
			v.add("Value", base64.StdEncoding.EncodeToString(a.BinaryValue))
		} else {
			v.add("Value", a.StringValue)
		}
		list.raw(name, v.String())
	}
	return list.String()
}

// object writes a JSON object with its members in the order that they are added in.
type object struct{ b strings.Builder }

func (o *object) add(name, value string) { o.raw(name, quote(value)) }

func (o *object) raw(name, json string) {
	if o.b.Len() == 0 {
		o.b.WriteString("{")
	} else {
		o.b.WriteString(",")
	}
	o.b.WriteString(quote(name))
	o.b.WriteString(":")
	o.b.WriteString(json)
}

func (o *object) String() string {
	if o.b.Len() == 0 {
		return "{}"
	}
	return o.b.String() + "}"
}

func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the service does not
	if err := e.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}
