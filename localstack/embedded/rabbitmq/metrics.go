package rabbitmq

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Metrics returns what the plugin rabbitmq_prometheus serves on port 15692: /metrics with totals, /metrics/per-object with each
// queue, and /metrics/detailed, which here has the same as per-object. Names are the plugin's, for what exists here.
// Source: RabbitMQ documentation, "Monitoring with Prometheus and Grafana" (checked 2026-12-01).
func (s *Server) Metrics() http.Handler {
	mux := http.NewServeMux()
	serve := func(each bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			_, _ = w.Write(s.metrics(each)) // the client may be gone
		}
	}
	mux.HandleFunc("GET /metrics", serve(false))
	mux.HandleFunc("GET /metrics/per-object", serve(true))
	mux.HandleFunc("GET /metrics/detailed", serve(true))
	return mux
}

// page is a text of metrics.
type page struct{ bytes.Buffer }

func (p *page) metric(name, kind, help string) {
	fmt.Fprintf(p, "# TYPE %s %s\n# HELP %s %s\n", name, kind, name, help)
}

// label quotes a label's value.
func label(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func (s *Server) metrics(each bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &page{}
	p.metric("rabbitmq_build_info", "untyped", "RabbitMQ & Erlang/OTP version info")
	fmt.Fprintf(p, "rabbitmq_build_info{rabbitmq_version=%s,product_name=\"RabbitMQ\",product_version=%s} 1\n", label(Version), label(Version))
	p.metric("rabbitmq_identity_info", "untyped", "RabbitMQ node & cluster identity info")
	fmt.Fprintf(p, "rabbitmq_identity_info{rabbitmq_node=%s,rabbitmq_cluster=%s} 1\n", label(nodeName), label(nodeName))
	p.metric("rabbitmq_erlang_uptime_seconds", "gauge", "Node uptime")
	fmt.Fprintf(p, "rabbitmq_erlang_uptime_seconds %d\n", int(time.Since(s.started).Seconds()))
	for _, alarm := range []struct{ name, reason string }{{"rabbitmq_alarms_memory_used_watermark", "memory"}, {"rabbitmq_alarms_free_disk_space_watermark", "disk"}} {
		p.metric(alarm.name, "untyped", "is 1 if the alarm is in effect")
		fmt.Fprintf(p, "%s %d\n", alarm.name, map[bool]int{true: 1}[slices.Contains(s.alarms, alarm.reason)])
	}

	channels, consumers, unacked := 0, 0, 0
	for c := range s.conns {
		channels += len(c.channels)
		for _, ch := range c.channels {
			unacked += len(ch.unacked)
		}
	}
	var queues []*queueState
	for _, name := range slices.Sorted(maps.Keys(s.vhosts)) {
		v := s.vhosts[name]
		for _, q := range slices.Sorted(maps.Keys(v.queues)) {
			queues = append(queues, v.queues[q])
			consumers += len(v.queues[q].consumers)
		}
	}
	for _, g := range []struct {
		name, help string
		value      int
	}{
		{"rabbitmq_connections", "Connections currently open", len(s.conns)},
		{"rabbitmq_channels", "Channels currently open", channels},
		{"rabbitmq_consumers", "Consumers currently connected", consumers},
		{"rabbitmq_queues", "Queues available", len(queues)},
		{"rabbitmq_channel_messages_unacked", "Delivered but not yet acknowledged messages", unacked},
	} {
		p.metric(g.name, "gauge", g.help)
		fmt.Fprintf(p, "%s %d\n", g.name, g.value)
	}

	for _, g := range []struct {
		name, kind, help string
		value            func(q *queueState) int64
	}{
		{"rabbitmq_queue_messages_ready", "gauge", "Messages ready to be delivered to consumers", func(q *queueState) int64 { return int64(q.ready()) }},
		{"rabbitmq_queue_messages_unacked", "gauge", "Messages delivered to consumers but not yet acknowledged", func(q *queueState) int64 { return int64(q.unacked) }},
		{"rabbitmq_queue_messages", "gauge", "Sum of ready and unacknowledged messages - total queue depth", func(q *queueState) int64 { return int64(q.ready() + q.unacked) }},
		{"rabbitmq_queue_messages_ready_bytes", "gauge", "Size in bytes of ready messages", func(q *queueState) int64 { return q.bytes }},
		{"rabbitmq_queue_consumers", "gauge", "Consumers on a queue", func(q *queueState) int64 { return int64(len(q.consumers)) }},
		{"rabbitmq_queue_messages_published_total", "counter", "Total number of messages published to queues", func(q *queueState) int64 { return int64(q.counters.publishIn) }},
	} {
		p.metric(g.name, g.kind, g.help)
		total := int64(0)
		for _, q := range queues {
			total += g.value(q)
			if each {
				fmt.Fprintf(p, "%s{vhost=%s,queue=%s} %d\n", g.name, label(q.vhost.name), label(q.name), g.value(q))
			}
		}
		if !each {
			fmt.Fprintf(p, "%s %d\n", g.name, total)
		}
	}

	var total counters
	for _, q := range queues {
		total.add(q.counters)
	}
	total.add(s.gone)
	for _, g := range []struct {
		name, help string
		value      uint64
	}{
		{"rabbitmq_global_messages_received_total", "Total number of messages received from publishers", s.received},
		{"rabbitmq_global_messages_routed_total", "Total number of messages routed to queues or streams", total.publishIn},
		{"rabbitmq_global_messages_confirmed_total", "Total number of messages confirmed to publishers", s.confirmed},
		{"rabbitmq_global_messages_unroutable_dropped_total", "Total number of messages published as non-mandatory into an exchange and dropped as unroutable", s.dropped},
		{"rabbitmq_global_messages_unroutable_returned_total", "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable", s.returned},
		{"rabbitmq_global_messages_delivered_total", "Total number of messages delivered to consumers", total.deliver + total.deliverNoAck + total.get + total.getNoAck},
		{"rabbitmq_global_messages_redelivered_total", "Total number of messages redelivered to consumers", total.redeliver},
		{"rabbitmq_global_messages_acknowledged_total", "Total number of message acknowledgements received from consumers", total.ack},
		{"rabbitmq_global_messages_get_empty_total", "Total number of times basic.get operations fetched no message", total.getEmpty},
	} {
		p.metric(g.name, "counter", g.help)
		fmt.Fprintf(p, "%s{protocol=\"amqp091\"} %d\n", g.name, g.value)
	}
	for _, r := range []string{"rejected", "expired", "maxlen", "delivery_limit"} {
		name := "rabbitmq_global_messages_dead_lettered_" + r + "_total"
		p.metric(name, "counter", "Total number of messages dead-lettered, by reason")
		fmt.Fprintf(p, "%s %d\n", name, s.deadLettered[r])
	}
	return p.Bytes()
}
