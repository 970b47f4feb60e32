package amqp

import (
	"encoding/binary"
	"time"
)

// Properties are what a content's header says of it. A zero property is not there, but for those that are pointers.
type Properties struct {
	ContentType     string
	ContentEncoding string
	Headers         Table // nil: none
	DeliveryMode    uint8 // 1 transient, 2 persistent
	Priority        *uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string // milliseconds, in digits
	MessageID       string
	Timestamp       *time.Time
	Type            string
	UserID          string
	AppID           string
	ClusterID       string
}

// Each property has a bit that says whether it is there, from the highest down.
const (
	hasContentType = 1 << (15 - iota)
	hasContentEncoding
	hasHeaders
	hasDeliveryMode
	hasPriority
	hasCorrelationID
	hasReplyTo
	hasExpiration
	hasMessageID
	hasTimestamp
	hasType
	hasUserID
	hasAppID
	hasClusterID
)

func (d *decoder) properties() (p Properties) {
	flags := d.short()
	if flags&3 != 0 { // the lowest would say that more flags follow
		d.fail("property flags %#x", flags)
	}
	for _, s := range []struct {
		flag uint16
		to   *string
	}{{hasContentType, &p.ContentType}, {hasContentEncoding, &p.ContentEncoding}} {
		if flags&s.flag != 0 {
			*s.to = d.shortstr()
		}
	}
	if flags&hasHeaders != 0 {
		p.Headers = d.table()
	}
	if flags&hasDeliveryMode != 0 {
		p.DeliveryMode = d.octet()
	}
	if flags&hasPriority != 0 {
		priority := d.octet()
		p.Priority = &priority
	}
	for _, s := range []struct {
		flag uint16
		to   *string
	}{{hasCorrelationID, &p.CorrelationID}, {hasReplyTo, &p.ReplyTo}, {hasExpiration, &p.Expiration}, {hasMessageID, &p.MessageID}} {
		if flags&s.flag != 0 {
			*s.to = d.shortstr()
		}
	}
	if flags&hasTimestamp != 0 {
		t := d.timestamp()
		p.Timestamp = &t
	}
	for _, s := range []struct {
		flag uint16
		to   *string
	}{{hasType, &p.Type}, {hasUserID, &p.UserID}, {hasAppID, &p.AppID}, {hasClusterID, &p.ClusterID}} {
		if flags&s.flag != 0 {
			*s.to = d.shortstr()
		}
	}
	return p
}

func (p Properties) append(b []byte) ([]byte, error) {
	start := len(b)
	b = append(b, 0, 0)
	var flags uint16
	var err error
	text := func(flag uint16, s string) {
		if s != "" && err == nil {
			flags |= flag
			b, err = appendShortstr(b, s)
		}
	}
	text(hasContentType, p.ContentType)
	text(hasContentEncoding, p.ContentEncoding)
	if p.Headers != nil && err == nil {
		flags |= hasHeaders
		b, err = p.Headers.append(b)
	}
	if p.DeliveryMode != 0 {
		flags |= hasDeliveryMode
		b = append(b, p.DeliveryMode)
	}
	if p.Priority != nil {
		flags |= hasPriority
		b = append(b, *p.Priority)
	}
	text(hasCorrelationID, p.CorrelationID)
	text(hasReplyTo, p.ReplyTo)
	text(hasExpiration, p.Expiration)
	text(hasMessageID, p.MessageID)
	if p.Timestamp != nil {
		flags |= hasTimestamp
		b = binary.BigEndian.AppendUint64(b, uint64(p.Timestamp.Unix()))
	}
	text(hasType, p.Type)
	text(hasUserID, p.UserID)
	text(hasAppID, p.AppID)
	text(hasClusterID, p.ClusterID)
	binary.BigEndian.PutUint16(b[start:], flags)
	return b, err
}
