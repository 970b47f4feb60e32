package redis

import (
	"slices"
	"strings"
)

// subscriptions are the subscribers of each channel, or of each pattern, in the order in which they came.
type subscriptions map[string][]*conn

func (s subscriptions) add(name string, c *conn) { s[name] = append(s[name], c) }

func (s subscriptions) remove(name string, c *conn) {
	rest := slices.DeleteFunc(slices.Clone(s[name]), func(o *conn) bool { return o == c })
	if len(rest) == 0 {
		delete(s, name)
	} else {
		s[name] = rest
	}
}

var pubSubCommands = map[string]func(*call){
	"publish":  func(k *call) { k.w.int(k.s.publish(k.args[0], k.args[1])) },
	"spublish": func(k *call) { k.w.int(k.s.publishShard(k.args[0], k.args[1])) },
	"pubsub":   (*call).pubsub,

	"subscribe":    func(k *call) { k.subscribe("subscribe", k.s.channels, &k.c.channels) },
	"psubscribe":   func(k *call) { k.subscribe("psubscribe", k.s.patterns, &k.c.patterns) },
	"ssubscribe":   func(k *call) { k.subscribe("ssubscribe", k.s.shards, &k.c.shards) },
	"unsubscribe":  func(k *call) { k.unsubscribe("unsubscribe", k.s.channels, &k.c.channels) },
	"punsubscribe": func(k *call) { k.unsubscribe("punsubscribe", k.s.patterns, &k.c.patterns) },
	"sunsubscribe": func(k *call) { k.unsubscribe("sunsubscribe", k.s.shards, &k.c.shards) },
}

func (c *conn) subscribed() bool { return len(c.channels)+len(c.patterns)+len(c.shards) > 0 }

// count is what (un)subscribing answers: shard channels are counted by themselves.
func (k *call) count(kind string) int {
	if strings.HasPrefix(kind, "s") && kind != "subscribe" {
		return len(k.c.shards)
	}
	return len(k.c.channels) + len(k.c.patterns)
}

func (k *call) subscribe(kind string, all subscriptions, own *[]string) {
	for _, name := range k.args {
		if !slices.Contains(*own, name) {
			*own = append(*own, name)
			all.add(name, k.c)
		}
		k.w.push(3)
		k.w.bulk(kind)
		k.w.bulk(name)
		k.w.int(k.count(kind))
	}
}

func (k *call) unsubscribe(kind string, all subscriptions, own *[]string) {
	names := k.args
	if len(names) == 0 {
		names = slices.Clone(*own)
	}
	for _, name := range names {
		all.remove(name, k.c)
		*own = slices.DeleteFunc(*own, func(o string) bool { return o == name })
		k.w.push(3)
		k.w.bulk(kind)
		k.w.bulk(name)
		k.w.int(k.count(kind))
	}
	if len(names) == 0 {
		k.w.push(3)
		k.w.bulk(kind)
		k.w.null()
		k.w.int(k.count(kind))
	}
}

func (c *conn) unsubscribeAll() {
	for _, name := range c.channels {
		c.s.channels.remove(name, c)
	}
	for _, name := range c.patterns {
		c.s.patterns.remove(name, c)
	}
	for _, name := range c.shards {
		c.s.shards.remove(name, c)
	}
	c.channels, c.patterns, c.shards = nil, nil, nil
}

// publish hands a message to who is subscribed at this moment and returns to how many subscriptions. Who subscribed to the
// channel and to matching patterns gets it once for each.
func (s *Server) publish(channel, message string) int {
	n := 0
	for _, c := range s.channels[channel] {
		c.message("message", channel, message)
		n++
	}
	patterns := make([]string, 0, len(s.patterns))
	for pattern := range s.patterns {
		if matches(pattern, channel) {
			patterns = append(patterns, pattern)
		}
	}
	slices.Sort(patterns) // the same order every time; Redis promises none
	for _, pattern := range patterns {
		for _, c := range s.patterns[pattern] {
			c.message("pmessage", pattern, channel, message)
			n++
		}
	}
	return n
}

func (s *Server) publishShard(channel, message string) int {
	subscribers := s.shards[channel]
	for _, c := range subscribers {
		c.message("smessage", channel, message)
	}
	return len(subscribers)
}

// message may cut the connection, if its client reads too slowly: lists of subscribers are therefore replaced, not changed.
func (c *conn) message(parts ...string) {
	w := reply{resp3: c.resp3}
	w.push(len(parts))
	for _, p := range parts {
		w.bulk(p)
	}
	c.send(w.buf)
}

func (k *call) pubsub() {
	sub, args := k.subcommand()
	active := func(all subscriptions) {
		var names []string
		for name := range all {
			if len(args) == 0 || matches(args[0], name) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		k.w.bulks(names)
	}
	number := func(all subscriptions) {
		k.w.array(2 * len(args))
		for _, name := range args {
			k.w.bulk(name)
			k.w.int(len(all[name]))
		}
	}
	switch {
	case sub == "channels" && len(args) <= 1:
		active(k.s.channels)
	case sub == "shardchannels" && len(args) <= 1:
		active(k.s.shards)
	case sub == "numsub":
		number(k.s.channels)
	case sub == "shardnumsub":
		number(k.s.shards)
	case sub == "numpat" && len(args) == 0:
		k.w.int(len(k.s.patterns))
	default:
		k.unknownSubcommand()
	}
}
