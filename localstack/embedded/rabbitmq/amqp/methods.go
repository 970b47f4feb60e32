package amqp

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// A Method is one of the structs below. Its fields are the method's arguments in the order of the wire: a string is a short
// string, a LongString a long one; neighbouring bools share an octet; fields called Reserved are sent as zeros.
type Method any

// LongString is a string of up to 4 GiB.
type LongString string

// Methods of class connection.
type (
	// ConnectionStart is what a server sends first.
	ConnectionStart struct {
		VersionMajor, VersionMinor uint8
		ServerProperties           Table
		Mechanisms, Locales        LongString // parted by spaces
	}
	// ConnectionStartOk chooses a SASL mechanism and answers it.
	ConnectionStartOk struct {
		ClientProperties Table
		Mechanism        string
		Response         LongString
		Locale           string
	}
	// ConnectionSecure is a further challenge.
	ConnectionSecure struct{ Challenge LongString }
	// ConnectionSecureOk answers it.
	ConnectionSecureOk struct{ Response LongString }
	// ConnectionTune proposes limits: channels, bytes a frame, and seconds between heartbeats; 0 is none.
	ConnectionTune struct {
		ChannelMax uint16
		FrameMax   uint32
		Heartbeat  uint16
	}
	// ConnectionTuneOk settles them.
	ConnectionTuneOk struct {
		ChannelMax uint16
		FrameMax   uint32
		Heartbeat  uint16
	}
	// ConnectionOpen chooses a virtual host.
	ConnectionOpen struct {
		VirtualHost string
		Reserved1   string
		Reserved2   bool
	}
	// ConnectionOpenOk says that it is open.
	ConnectionOpenOk struct{ Reserved1 string }
	// ConnectionClose says why the connection ends, and at which method if one is at fault.
	ConnectionClose struct {
		ReplyCode         uint16
		ReplyText         string
		ClassID, MethodID uint16
	}
	// ConnectionCloseOk is the last word.
	ConnectionCloseOk struct{}
	// ConnectionBlocked says that publishing is held up.
	ConnectionBlocked struct{ Reason string }
	// ConnectionUnblocked says that it goes on.
	ConnectionUnblocked struct{}
	// ConnectionUpdateSecret renews a credential.
	ConnectionUpdateSecret struct {
		NewSecret LongString
		Reason    string
	}
	// ConnectionUpdateSecretOk confirms it.
	ConnectionUpdateSecretOk struct{}
)

// Methods of class channel.
type (
	// ChannelOpen opens the channel whose number its frame carries.
	ChannelOpen struct{ Reserved1 string }
	// ChannelOpenOk confirms it.
	ChannelOpenOk struct{ Reserved1 LongString }
	// ChannelFlow asks the peer to pause or to go on.
	ChannelFlow struct{ Active bool }
	// ChannelFlowOk confirms it.
	ChannelFlowOk struct{ Active bool }
	// ChannelClose says why the channel ends.
	ChannelClose struct {
		ReplyCode         uint16
		ReplyText         string
		ClassID, MethodID uint16
	}
	// ChannelCloseOk is the last word.
	ChannelCloseOk struct{}
)

// Methods of class access, which RabbitMQ answers for old clients' sake.
type (
	// AccessRequest asks for nothing any more.
	AccessRequest struct {
		Realm                                     string
		Exclusive, Passive, Active, Write, ReadIt bool
	}
	// AccessRequestOk grants it.
	AccessRequestOk struct{ Reserved1 uint16 }
)

// Methods of class exchange.
type (
	// ExchangeDeclare makes an exchange, or with Passive asks whether it is there.
	ExchangeDeclare struct {
		Reserved1                                      uint16
		Exchange, Type                                 string
		Passive, Durable, AutoDelete, Internal, NoWait bool
		Arguments                                      Table
	}
	// ExchangeDeclareOk confirms it.
	ExchangeDeclareOk struct{}
	// ExchangeDelete removes an exchange.
	ExchangeDelete struct {
		Reserved1        uint16
		Exchange         string
		IfUnused, NoWait bool
	}
	// ExchangeDeleteOk confirms it.
	ExchangeDeleteOk struct{}
	// ExchangeBind routes from Source to Destination. It is RabbitMQ's own.
	ExchangeBind struct {
		Reserved1                       uint16
		Destination, Source, RoutingKey string
		NoWait                          bool
		Arguments                       Table
	}
	// ExchangeBindOk confirms it.
	ExchangeBindOk struct{}
	// ExchangeUnbind takes that back.
	ExchangeUnbind struct {
		Reserved1                       uint16
		Destination, Source, RoutingKey string
		NoWait                          bool
		Arguments                       Table
	}
	// ExchangeUnbindOk confirms it.
	ExchangeUnbindOk struct{}
)

// Methods of class queue.
type (
	// QueueDeclare makes a queue, or with Passive asks whether it is there.
	QueueDeclare struct {
		Reserved1                                       uint16
		Queue                                           string
		Passive, Durable, Exclusive, AutoDelete, NoWait bool
		Arguments                                       Table
	}
	// QueueDeclareOk says what it holds.
	QueueDeclareOk struct {
		Queue                       string
		MessageCount, ConsumerCount uint32
	}
	// QueueBind routes from an exchange to a queue.
	QueueBind struct {
		Reserved1                   uint16
		Queue, Exchange, RoutingKey string
		NoWait                      bool
		Arguments                   Table
	}
	// QueueBindOk confirms it.
	QueueBindOk struct{}
	// QueuePurge drops what is ready.
	QueuePurge struct {
		Reserved1 uint16
		Queue     string
		NoWait    bool
	}
	// QueuePurgeOk says how many messages that were.
	QueuePurgeOk struct{ MessageCount uint32 }
	// QueueDelete removes a queue.
	QueueDelete struct {
		Reserved1                 uint16
		Queue                     string
		IfUnused, IfEmpty, NoWait bool
	}
	// QueueDeleteOk says how many messages it had.
	QueueDeleteOk struct{ MessageCount uint32 }
	// QueueUnbind takes a binding back.
	QueueUnbind struct {
		Reserved1                   uint16
		Queue, Exchange, RoutingKey string
		Arguments                   Table
	}
	// QueueUnbindOk confirms it.
	QueueUnbindOk struct{}
)

// Methods of class basic. After Publish, Return, Deliver and GetOk, the content follows.
type (
	// BasicQos limits what a consumer may have unacknowledged.
	BasicQos struct {
		PrefetchSize  uint32
		PrefetchCount uint16
		Global        bool
	}
	// BasicQosOk confirms it.
	BasicQosOk struct{}
	// BasicConsume starts a consumer.
	BasicConsume struct {
		Reserved1                         uint16
		Queue, ConsumerTag                string
		NoLocal, NoAck, Exclusive, NoWait bool
		Arguments                         Table
	}
	// BasicConsumeOk names it.
	BasicConsumeOk struct{ ConsumerTag string }
	// BasicCancel ends a consumer. The server sends it too, when the queue is gone.
	BasicCancel struct {
		ConsumerTag string
		NoWait      bool
	}
	// BasicCancelOk confirms it.
	BasicCancelOk struct{ ConsumerTag string }
	// BasicPublish hands a message to an exchange.
	BasicPublish struct {
		Reserved1            uint16
		Exchange, RoutingKey string
		Mandatory, Immediate bool
	}
	// BasicReturn hands back a message that could not be routed.
	BasicReturn struct {
		ReplyCode                       uint16
		ReplyText, Exchange, RoutingKey string
	}
	// BasicDeliver hands a message to a consumer.
	BasicDeliver struct {
		ConsumerTag          string
		DeliveryTag          uint64
		Redelivered          bool
		Exchange, RoutingKey string
	}
	// BasicGet asks for one message.
	BasicGet struct {
		Reserved1 uint16
		Queue     string
		NoAck     bool
	}
	// BasicGetOk hands it over.
	BasicGetOk struct {
		DeliveryTag          uint64
		Redelivered          bool
		Exchange, RoutingKey string
		MessageCount         uint32
	}
	// BasicGetEmpty says that there is none.
	BasicGetEmpty struct{ Reserved1 string }
	// BasicAck confirms a delivery, or from the server a publication.
	BasicAck struct {
		DeliveryTag uint64
		Multiple    bool
	}
	// BasicReject gives one delivery back.
	BasicReject struct {
		DeliveryTag uint64
		Requeue     bool
	}
	// BasicRecoverAsync is an old form of BasicRecover, without an answer.
	BasicRecoverAsync struct{ Requeue bool }
	// BasicRecover asks for everything unacknowledged again.
	BasicRecover struct{ Requeue bool }
	// BasicRecoverOk confirms it.
	BasicRecoverOk struct{}
	// BasicNack gives deliveries back, or from the server publications. It is RabbitMQ's own.
	BasicNack struct {
		DeliveryTag       uint64
		Multiple, Requeue bool
	}
)

// Methods of the classes confirm and tx.
type (
	// ConfirmSelect asks for confirmations of what is published.
	ConfirmSelect struct{ NoWait bool }
	// ConfirmSelectOk confirms that.
	ConfirmSelectOk struct{}
	// TxSelect makes the channel transactional.
	TxSelect struct{}
	// TxSelectOk confirms it.
	TxSelectOk struct{}
	// TxCommit commits.
	TxCommit struct{}
	// TxCommitOk confirms it.
	TxCommitOk struct{}
	// TxRollback drops what was published and acknowledged since the last commit.
	TxRollback struct{}
	// TxRollbackOk confirms it.
	TxRollbackOk struct{}
)

const classBasic = 60

// An ID is what a method's frame begins with.
type ID struct{ Class, Method uint16 }

func (id ID) String() string { return fmt.Sprintf("{%d,%d}", id.Class, id.Method) }

var methods = map[ID]reflect.Type{
	{10, 10}: reflect.TypeFor[ConnectionStart](), {10, 11}: reflect.TypeFor[ConnectionStartOk](),
	{10, 20}: reflect.TypeFor[ConnectionSecure](), {10, 21}: reflect.TypeFor[ConnectionSecureOk](),
	{10, 30}: reflect.TypeFor[ConnectionTune](), {10, 31}: reflect.TypeFor[ConnectionTuneOk](),
	{10, 40}: reflect.TypeFor[ConnectionOpen](), {10, 41}: reflect.TypeFor[ConnectionOpenOk](),
	{10, 50}: reflect.TypeFor[ConnectionClose](), {10, 51}: reflect.TypeFor[ConnectionCloseOk](),
	{10, 60}: reflect.TypeFor[ConnectionBlocked](), {10, 61}: reflect.TypeFor[ConnectionUnblocked](),
	{10, 70}: reflect.TypeFor[ConnectionUpdateSecret](), {10, 71}: reflect.TypeFor[ConnectionUpdateSecretOk](),

	{20, 10}: reflect.TypeFor[ChannelOpen](), {20, 11}: reflect.TypeFor[ChannelOpenOk](),
	{20, 20}: reflect.TypeFor[ChannelFlow](), {20, 21}: reflect.TypeFor[ChannelFlowOk](),
	{20, 40}: reflect.TypeFor[ChannelClose](), {20, 41}: reflect.TypeFor[ChannelCloseOk](),

	{30, 10}: reflect.TypeFor[AccessRequest](), {30, 11}: reflect.TypeFor[AccessRequestOk](),

	{40, 10}: reflect.TypeFor[ExchangeDeclare](), {40, 11}: reflect.TypeFor[ExchangeDeclareOk](),
	{40, 20}: reflect.TypeFor[ExchangeDelete](), {40, 21}: reflect.TypeFor[ExchangeDeleteOk](),
	{40, 30}: reflect.TypeFor[ExchangeBind](), {40, 31}: reflect.TypeFor[ExchangeBindOk](),
	{40, 40}: reflect.TypeFor[ExchangeUnbind](), {40, 51}: reflect.TypeFor[ExchangeUnbindOk](),

	{50, 10}: reflect.TypeFor[QueueDeclare](), {50, 11}: reflect.TypeFor[QueueDeclareOk](),
	{50, 20}: reflect.TypeFor[QueueBind](), {50, 21}: reflect.TypeFor[QueueBindOk](),
	{50, 30}: reflect.TypeFor[QueuePurge](), {50, 31}: reflect.TypeFor[QueuePurgeOk](),
	{50, 40}: reflect.TypeFor[QueueDelete](), {50, 41}: reflect.TypeFor[QueueDeleteOk](),
	{50, 50}: reflect.TypeFor[QueueUnbind](), {50, 51}: reflect.TypeFor[QueueUnbindOk](),

	{60, 10}: reflect.TypeFor[BasicQos](), {60, 11}: reflect.TypeFor[BasicQosOk](),
	{60, 20}: reflect.TypeFor[BasicConsume](), {60, 21}: reflect.TypeFor[BasicConsumeOk](),
	{60, 30}: reflect.TypeFor[BasicCancel](), {60, 31}: reflect.TypeFor[BasicCancelOk](),
	{60, 40}: reflect.TypeFor[BasicPublish](), {60, 50}: reflect.TypeFor[BasicReturn](), {60, 60}: reflect.TypeFor[BasicDeliver](),
	{60, 70}: reflect.TypeFor[BasicGet](), {60, 71}: reflect.TypeFor[BasicGetOk](), {60, 72}: reflect.TypeFor[BasicGetEmpty](),
	{60, 80}: reflect.TypeFor[BasicAck](), {60, 90}: reflect.TypeFor[BasicReject](),
	{60, 100}: reflect.TypeFor[BasicRecoverAsync](), {60, 110}: reflect.TypeFor[BasicRecover](), {60, 111}: reflect.TypeFor[BasicRecoverOk](),
	{60, 120}: reflect.TypeFor[BasicNack](),

	{85, 10}: reflect.TypeFor[ConfirmSelect](), {85, 11}: reflect.TypeFor[ConfirmSelectOk](),
	{90, 10}: reflect.TypeFor[TxSelect](), {90, 11}: reflect.TypeFor[TxSelectOk](),
	{90, 20}: reflect.TypeFor[TxCommit](), {90, 21}: reflect.TypeFor[TxCommitOk](),
	{90, 30}: reflect.TypeFor[TxRollback](), {90, 31}: reflect.TypeFor[TxRollbackOk](),
}

var ids = func() map[reflect.Type]ID {
	ids := make(map[reflect.Type]ID, len(methods))
	for id, t := range methods {
		ids[t] = id
	}
	return ids
}()

// IDOf returns a method's id. It panics for what is no method: that is a mistake in the calling code.
func IDOf(m Method) ID {
	id, ok := ids[reflect.TypeOf(m)]
	if !ok {
		panic(fmt.Sprintf("amqp: %T is no method", m))
	}
	return id
}

// HasContent says whether a method is followed by a content.
func HasContent(m Method) bool {
	switch m.(type) {
	case BasicPublish, BasicReturn, BasicDeliver, BasicGetOk:
		return true
	}
	return false
}

// An UnknownMethodError is about a method that this package does not know.
type UnknownMethodError struct{ ID ID }

func (e *UnknownMethodError) Error() string { return "unknown method " + e.ID.String() }

// ParseMethod reads the payload of a method's frame. Its error is a *SyntaxError or an *UnknownMethodError.
func ParseMethod(payload []byte) (Method, error) {
	d := decoder{b: payload}
	id := ID{d.short(), d.short()}
	if d.err != nil {
		return nil, d.err
	}
	var m Method
	switch id { // the frequent ones, by hand
	case ID{60, 40}:
		d.short()
		p := BasicPublish{Exchange: d.shortstr(), RoutingKey: d.shortstr()}
		bits := d.octet()
		p.Mandatory, p.Immediate = bits&1 != 0, bits&2 != 0
		m = p
	case ID{60, 80}:
		m = BasicAck{d.longlong(), d.octet()&1 != 0}
	default:
		t, ok := methods[id]
		if !ok {
			return nil, &UnknownMethodError{id}
		}
		m = d.method(t)
	}
	if d.err == nil && len(d.b) > 0 {
		d.fail("%d bytes follow the arguments of method %s", len(d.b), id)
	}
	if d.err != nil {
		return nil, d.err
	}
	return m, nil
}

func (d *decoder) method(t reflect.Type) Method {
	v := reflect.New(t).Elem()
	var bits, mask byte
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() == reflect.Bool {
			if mask == 0 {
				bits, mask = d.octet(), 1
			}
			f.SetBool(bits&mask != 0)
			mask <<= 1
			continue
		}
		mask = 0
		switch f.Interface().(type) {
		case uint8:
			f.SetUint(uint64(d.octet()))
		case uint16:
			f.SetUint(uint64(d.short()))
		case uint32:
			f.SetUint(uint64(d.long()))
		case uint64:
			f.SetUint(d.longlong())
		case string:
			f.SetString(d.shortstr())
		case LongString:
			f.SetString(d.longstr())
		case Table:
			f.Set(reflect.ValueOf(d.table()))
		}
	}
	return v.Interface()
}

func appendMethod(b []byte, m Method) ([]byte, error) {
	id := IDOf(m)
	b = binary.BigEndian.AppendUint16(b, id.Class)
	b = binary.BigEndian.AppendUint16(b, id.Method)
	var err error
	switch m := m.(type) { // the frequent ones, by hand
	case BasicDeliver:
		if b, err = appendShortstr(b, m.ConsumerTag); err != nil {
			return b, err
		}
		b = binary.BigEndian.AppendUint64(b, m.DeliveryTag)
		b = append(b, bit(m.Redelivered))
		if b, err = appendShortstr(b, m.Exchange); err != nil {
			return b, err
		}
		return appendShortstr(b, m.RoutingKey)
	case BasicAck:
		return append(binary.BigEndian.AppendUint64(b, m.DeliveryTag), bit(m.Multiple)), nil
	}
	v := reflect.ValueOf(m)
	var mask byte
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() == reflect.Bool {
			if mask == 0 {
				b, mask = append(b, 0), 1
			}
			if f.Bool() {
				b[len(b)-1] |= mask
			}
			mask <<= 1
			continue
		}
		mask = 0
		switch a := f.Interface().(type) {
		case uint8:
			b = append(b, a)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, a)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, a)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, a)
		case string:
			b, err = appendShortstr(b, a)
		case LongString:
			b = appendLongstr(b, string(a))
		case Table:
			b, err = a.append(b)
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
