package rabbitmq

import (
	"crypto/rand"
	"encoding/base64"
	"maps"
	"slices"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

// channel is one of a connection's.
type channel struct {
	conn    *conn
	vhost   *vhost
	number  uint16
	closing bool // channel.close was sent: nothing but its confirmation counts
	over    bool // it has ended

	last      string // the queue declared last, which an empty name stands for
	prefetch  int    // of the consumers to come; 0 is no limit
	consumers map[string]*consumer
	replies   *replyConsumer

	tags    uint64 // delivery tags given
	unacked map[uint64]*delivery
	oldest  uint64 // no tag below it is unacknowledged

	incoming *publication // whose content is on its way

	confirming bool
	published  uint64              // publications since confirm.select
	confirmed  uint64              // the last one whose confirmation was sent or waits in acks
	acked      uint64              // all publications up to this one are confirmed, and the client is to be told
	awaited    map[uint64]*awaited // publications that queues without a majority have not taken yet

	tx *transaction
}

func newChannel(c *conn, number uint16) *channel {
	return &channel{conn: c, vhost: c.vhost, number: number, consumers: map[string]*consumer{}, unacked: map[uint64]*delivery{}, oldest: 1}
}

func (ch *channel) send(m amqp.Method) { ch.conn.out.method(ch.number, m) }

// close tells the client that the channel has failed. It is over at once; the client's confirmation frees the number.
func (ch *channel) close(e *exception, at amqp.ID) {
	ch.confirm()
	ch.end()
	ch.closing = true
	ch.send(amqp.ChannelClose{ReplyCode: e.code, ReplyText: shorten(e.Error()), ClassID: at.Class, MethodID: at.Method})
}

// end returns what is unacknowledged to its queues and ends the consumers.
func (ch *channel) end() {
	if ch.closing {
		return
	}
	ch.over = true
	for _, k := range ch.sortedConsumers() {
		k.remove()
	}
	ch.replies = nil
	ch.returnAll(lost)
	ch.tx, ch.incoming = nil, nil
	for _, v := range ch.conn.s.vhosts {
		delete(v.replies, ch)
	}
}

func (ch *channel) sortedConsumers() []*consumer {
	return slices.SortedFunc(maps.Values(ch.consumers), func(x, y *consumer) int { return int(x.id) - int(y.id) })
}

// handle runs what a frame asks for, and says at which method it failed.
func (ch *channel) handle(f amqp.Frame) (amqp.ID, *exception) {
	if f.Type != amqp.FrameMethod {
		if ch.closing {
			return amqp.ID{}, nil
		}
		return amqp.ID{Class: 60, Method: 40}, ch.content(f)
	}
	m, e := parse(f)
	if e != nil {
		return amqp.ID{}, e
	}
	at := amqp.IDOf(m)
	if ch.closing {
		switch m.(type) {
		case amqp.ChannelCloseOk:
			delete(ch.conn.channels, ch.number)
		case amqp.ChannelClose: // both at once
			ch.send(amqp.ChannelCloseOk{})
		}
		return at, nil
	}
	if ch.incoming != nil {
		return at, fail(unexpectedFrame, "expected content header for class 60, got non content header frame instead")
	}
	if _, ok := m.(amqp.BasicPublish); !ok {
		ch.confirm() // confirmations come before what is answered after them
	}
	return at, ch.run(m)
}

func (ch *channel) run(m amqp.Method) *exception {
	switch m := m.(type) {
	case amqp.BasicPublish:
		return ch.publish(m)
	case amqp.BasicAck:
		return ch.ack(m)
	case amqp.BasicNack:
		return ch.reject(m.DeliveryTag, m.Multiple, m.Requeue, nacked)
	case amqp.BasicReject:
		return ch.reject(m.DeliveryTag, false, m.Requeue, rejected)
	case amqp.BasicGet:
		return ch.get(m)
	case amqp.BasicConsume:
		return ch.consume(m)
	case amqp.BasicCancel:
		return ch.cancel(m)
	case amqp.BasicQos:
		return ch.qos(m)
	case amqp.BasicRecover:
		if e := ch.recover(m.Requeue); e != nil {
			return e
		}
		ch.send(amqp.BasicRecoverOk{})
		return nil
	case amqp.BasicRecoverAsync:
		return ch.recover(m.Requeue)

	case amqp.ExchangeDeclare:
		return ch.declareExchange(m)
	case amqp.ExchangeDelete:
		return ch.deleteExchange(m)
	case amqp.ExchangeBind:
		return ch.bindExchange(m)
	case amqp.ExchangeUnbind:
		return ch.unbindExchange(m)

	case amqp.QueueDeclare:
		return ch.declareQueue(m)
	case amqp.QueueBind:
		return ch.bindQueue(m)
	case amqp.QueueUnbind:
		return ch.unbindQueue(m)
	case amqp.QueuePurge:
		return ch.purgeQueue(m)
	case amqp.QueueDelete:
		return ch.deleteQueue(m)

	case amqp.ConfirmSelect:
		if ch.tx != nil {
			return fail(preconditionFailed, "cannot switch from tx to confirm mode")
		}
		ch.confirming = true
		return ch.reply(m.NoWait, amqp.ConfirmSelectOk{})
	case amqp.TxSelect:
		if ch.confirming {
			return fail(preconditionFailed, "cannot switch from confirm to tx mode")
		}
		if ch.tx == nil {
			ch.tx = &transaction{}
		}
		ch.send(amqp.TxSelectOk{})
		return nil
	case amqp.TxCommit:
		return ch.commit()
	case amqp.TxRollback:
		return ch.rollback()

	case amqp.ChannelClose:
		ch.end()
		ch.send(amqp.ChannelCloseOk{})
		delete(ch.conn.channels, ch.number)
		return nil
	case amqp.ChannelOpen:
		return fail(channelError, "second 'channel.open' seen")
	case amqp.ChannelFlow:
		if !m.Active {
			return fail(notImplemented, "active=false")
		}
		ch.send(amqp.ChannelFlowOk{Active: true})
		return nil
	case amqp.ChannelFlowOk, amqp.ChannelCloseOk:
		return nil
	case amqp.AccessRequest:
		ch.send(amqp.AccessRequestOk{Reserved1: 1})
		return nil
	default:
		return fail(commandInvalid, "unimplemented method")
	}
}

// reply confirms a method unless the client does not want to hear of it.
func (ch *channel) reply(noWait bool, m amqp.Method) *exception {
	if !noWait {
		ch.send(m)
	}
	return nil
}

// generated returns a name that nobody has.
func generated(prefix string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}
