package rabbitmq

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// name is how lists call a connection: by its two ends.
func (c *conn) name() string {
	if c.net == nil {
		return ""
	}
	return fmt.Sprintf("%v -> %v #%d", c.net.RemoteAddr(), c.net.LocalAddr(), c.id)
}

func (ch *channel) name() string { return fmt.Sprintf("%s (%d)", ch.conn.name(), ch.number) }

func describeConnection(c *conn) object {
	o := object{
		"name": c.name(), "node": c.node.name, "vhost": "", "user": "", "protocol": "AMQP 0-9-1", "state": "starting", "channels": len(c.channels), "channel_max": c.channelMax,
		"frame_max": c.frameMax, "timeout": int(c.heartbeat.Seconds()), "client_properties": jsonTable(c.properties), "connected_at": c.since.UnixMilli(), "type": "network",
		"auth_mechanism": "PLAIN", "ssl": false,
	}
	if c.opened {
		o["vhost"], o["user"], o["state"] = c.vhost.name, c.user.name, "running"
	}
	if c.blocked != nil {
		o["state"] = "blocked"
	}
	if s, ok := c.properties["connection_name"].(string); ok {
		o["user_provided_name"] = s
	}
	return o
}

// conns are the connections to a virtual host.
func (v *vhost) conns() []*conn {
	return slices.DeleteFunc(sortedConns(v.s), func(c *conn) bool { return c.vhost != v })
}

func (m *management) connections(_ *request, all []*vhost) (any, error) {
	return shown(everywhere(all, (*vhost).conns), describeConnection), nil
}

func (m *management) connection(r *request) (*conn, error) {
	for c := range m.s.conns {
		if c.name() == r.PathValue("name") {
			return c, nil
		}
	}
	return nil, missing
}

func (m *management) oneConnection(r *request, c *conn) (any, error) {
	return describeConnection(c), nil
}

func (m *management) closeConnection(r *request, c *conn) (any, error) {
	c.force(cmp.Or(r.Header.Get("X-Reason"), "Closed via management plugin"))
	return nil, noContent
}

func describeChannel(ch *channel) object {
	return object{
		"name": ch.name(), "number": ch.number, "node": ch.conn.node.name, "vhost": ch.vhost.name, "user": ch.conn.user.name, "state": "running", "confirm": ch.confirming,
		"transactional": ch.tx != nil, "prefetch_count": ch.prefetch, "global_prefetch_count": 0, "consumer_count": len(ch.consumers), "messages_unacknowledged": len(ch.unacked),
		"messages_unconfirmed": 0, "connection_details": object{"name": ch.conn.name()},
	}
}

func sortedChannels(c *conn) []*channel {
	return slices.SortedFunc(maps.Values(c.channels), func(x, y *channel) int { return int(x.number) - int(y.number) })
}

func (m *management) channels(_ *request, all []*vhost) (any, error) {
	return shown(everywhere(all, func(v *vhost) (list []*channel) {
		for _, c := range v.conns() {
			list = append(list, sortedChannels(c)...)
		}
		return list
	}), describeChannel), nil
}

func (m *management) connectionChannels(_ *request, c *conn) (any, error) {
	return shown(sortedChannels(c), describeChannel), nil
}

func (m *management) oneChannel(r *request) (any, error) {
	for c := range m.s.conns {
		for _, ch := range c.channels {
			if ch.name() == r.PathValue("name") {
				return describeChannel(ch), nil
			}
		}
	}
	return nil, missing
}

func describeConsumer(k *consumer) object {
	status := "up"
	if k.queue.singleActive && k.queue.active != k {
		status = "waiting"
	}
	return object{
		"consumer_tag": k.tag, "queue": object{"name": k.queue.name, "vhost": k.queue.vhost.name}, "ack_required": !k.noAck, "exclusive": k.exclusive, "prefetch_count": k.prefetch,
		"active": status == "up", "activity_status": map[string]string{"up": "up", "waiting": "waiting"}[status], "arguments": jsonTable(k.arguments),
		"channel_details": object{"name": k.channel.name(), "number": k.channel.number, "connection_name": k.channel.conn.name(), "user": k.channel.conn.user.name, "node": k.channel.conn.node.name},
	}
}

func (m *management) consumers(_ *request, all []*vhost) (any, error) {
	return shown(everywhere(all, func(v *vhost) []*consumer {
		return everyConsumer(sorted(v.queues))
	}), describeConsumer), nil
}

func everyConsumer(queues []*queueState) (list []*consumer) {
	for _, q := range queues {
		list = append(list, q.consumers...)
	}
	return list
}
