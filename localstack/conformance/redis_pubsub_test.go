package conformance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	. "github.com/brokerdojo/brokerdojo/localstack/conformance"
)

func TestRedisPubSub(t *testing.T) {
	Run(t, redisRule("a message reaches only who is subscribed when it is published", "Redis Pub/Sub, Delivery semantics"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		value(t, client.Publish(t.Context(), channel, "early"))
		s := subscribed(t, client.Subscribe(t.Context(), channel), 1)
		value(t, client.Publish(t.Context(), channel, "late"))
		equal(t, "first message", s.next().Payload, "late")
		s.nothing()
	})
	Run(t, redisRule("publishing where nobody listens is no error and reaches 0", "PUBLISH"), func(t *testing.T, c *Cloud) {
		equal(t, "receivers", value(t, c.Redis().Publish(t.Context(), c.Name("void"), "x")), 0)
	})
	Run(t, redisRule("PUBLISH answers how many connections received the message", "PUBLISH"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		for range 3 {
			subscribed(t, client.Subscribe(t.Context(), channel), 1)
		}
		equal(t, "receivers", value(t, client.Publish(t.Context(), channel, "x")), 3)
	})
	Run(t, redisRule("every subscriber of a channel gets every message", "Redis Pub/Sub"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		a := subscribed(t, client.Subscribe(t.Context(), channel), 1)
		b := subscribed(t, client.Subscribe(t.Context(), channel), 1)
		for i := range 3 {
			value(t, client.Publish(t.Context(), channel, i))
		}
		for i := range 3 {
			equal(t, "a's message", a.next().Payload, fmt.Sprint(i))
			equal(t, "b's message", b.next().Payload, fmt.Sprint(i))
		}
	})
	Run(t, redisRule("a subscriber gets messages in the order in which they were published", "Redis Pub/Sub"), func(t *testing.T, c *Cloud) {
		client, first, second := c.Redis(), c.Name("a"), c.Name("b")
		s := subscribed(t, client.Subscribe(t.Context(), first, second), 2)
		for i := range 200 {
			value(t, client.Publish(t.Context(), []string{first, second}[i%2], i))
		}
		for i := range 200 {
			equal(t, "message", s.next().Payload, fmt.Sprint(i))
		}
	})
	Run(t, redisRule("a pattern's subscriber gets the messages of all matching channels, and their names", "Redis Pub/Sub, Pattern-matching subscriptions"), func(t *testing.T, c *Cloud) {
		client, prefix := c.Redis(), c.Name("orders")
		s := subscribed(t, client.PSubscribe(t.Context(), prefix+".*"), 1)
		value(t, client.Publish(t.Context(), prefix+".created", "1"))
		value(t, client.Publish(t.Context(), prefix, "no match"))
		value(t, client.Publish(t.Context(), prefix+".paid.twice", "2"))
		for i, channel := range []string{prefix + ".created", prefix + ".paid.twice"} {
			m := s.next()
			equal(t, "channel", m.Channel, channel)
			equal(t, "pattern", m.Pattern, prefix+".*")
			equal(t, "message", m.Payload, fmt.Sprint(i+1))
		}
	})
	Run(t, redisRule("who subscribed to a channel and to a matching pattern gets a message twice", "Redis Pub/Sub, Messages matching both a pattern and a channel subscription"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		s := subscribed(t, client.Subscribe(t.Context(), channel), 1)
		if err := s.PSubscribe(t.Context(), channel+"*"); err != nil {
			t.Fatal(err)
		}
		c.Eventually("the pattern's subscription", 5*time.Second, func() bool { return value(t, client.PubSubNumPat(t.Context())) > 0 })
		equal(t, "receivers", value(t, client.Publish(t.Context(), channel, "x")), 2)
		equal(t, "kinds", s.next().Pattern+s.next().Pattern, channel+"*")
	})
	Run(t, redisRule("subscribing twice to a channel does not double its messages", "SUBSCRIBE"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		s := subscribed(t, client.Subscribe(t.Context(), channel, channel), 2)
		equal(t, "receivers", value(t, client.Publish(t.Context(), channel, "x")), 1)
		s.next()
		s.nothing()
	})
	Run(t, redisRule("after unsubscribing from a channel only the others' messages come", "UNSUBSCRIBE"), func(t *testing.T, c *Cloud) {
		client, a, b := c.Redis(), c.Name("a"), c.Name("b")
		s := subscribed(t, client.Subscribe(t.Context(), a, b), 2)
		if err := s.Unsubscribe(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		c.Eventually("the end of the subscription", 5*time.Second, func() bool { return value(t, client.PubSubNumSub(t.Context(), a))[a] == 0 })
		value(t, client.Publish(t.Context(), a, "1"))
		value(t, client.Publish(t.Context(), b, "2"))
		equal(t, "message", s.next().Payload, "2")
	})
	Run(t, redisRule("what is published while a subscriber is away is lost for it", "Redis Pub/Sub, Delivery semantics"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		s := subscribed(t, client.Subscribe(t.Context(), channel), 1)
		value(t, client.Publish(t.Context(), channel, "1"))
		equal(t, "message", s.next().Payload, "1")
		_ = s.Close()
		value(t, client.Publish(t.Context(), channel, "2"))
		s = subscribed(t, client.Subscribe(t.Context(), channel), 1)
		value(t, client.Publish(t.Context(), channel, "3"))
		equal(t, "message after coming back", s.next().Payload, "3")
	})
	Run(t, redisRule("channels are not part of a database", "Redis Pub/Sub, Database & Scoping"), func(t *testing.T, c *Cloud) {
		other := c.Redis(func(o *redis.Options) { o.DB = 9 })
		channel := c.Name("news")
		s := subscribed(t, c.Redis().Subscribe(t.Context(), channel), 1)
		value(t, other.Publish(t.Context(), channel, "from database 9"))
		equal(t, "message", s.next().Payload, "from database 9")
	})
	Run(t, redisRule("a connection that subscribed in RESP2 refuses other commands", "Redis Pub/Sub"), func(t *testing.T, c *Cloud) {
		conn := c.Redis(func(o *redis.Options) { o.Protocol = 2 }).Conn()
		defer conn.Close()
		value(t, conn.Do(t.Context(), "SUBSCRIBE", c.Name("news")))
		refused(t, conn.Get(t.Context(), "key").Err(), "ERR Can't execute 'get'")
	})
	Run(t, redisRule("a connection that subscribed in RESP3 runs other commands", "Redis Pub/Sub"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(func(o *redis.Options) { o.Protocol = 3 }), c.Name("news")
		conn := client.Conn()
		defer conn.Close()
		if err := conn.Process(t.Context(), redis.NewCmd(t.Context(), "CLIENT", "SETNAME", channel)); err != nil {
			t.Fatal(err)
		}
		value(t, conn.Do(t.Context(), "SUBSCRIBE", channel))
		value(t, conn.Set(t.Context(), c.Name("key"), "1", time.Minute))
	})
	Run(t, redisRule("what a transaction publishes is sent when it runs", "Transactions"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		s := subscribed(t, client.Subscribe(t.Context(), channel), 1)
		conn := client.Conn()
		defer conn.Close()
		value(t, conn.Do(t.Context(), "MULTI"))
		equal(t, "answer", value(t, conn.Do(t.Context(), "PUBLISH", channel, "x")).(string), "QUEUED")
		s.nothing()
		value(t, conn.Do(t.Context(), "EXEC"))
		equal(t, "message", s.next().Payload, "x")
	})
	Run(t, redisRule("a shard channel and a channel of the same name are two", "Redis Pub/Sub, Sharded Pub/Sub"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		plain := subscribed(t, client.Subscribe(t.Context(), channel), 1)
		shard := subscribed(t, client.SSubscribe(t.Context(), channel), 1)
		equal(t, "receivers of SPUBLISH", value(t, client.SPublish(t.Context(), channel, "shard")), 1)
		equal(t, "receivers of PUBLISH", value(t, client.Publish(t.Context(), channel, "plain")), 1)
		equal(t, "message", plain.next().Payload, "plain")
		equal(t, "message", shard.next().Payload, "shard")
	})
	Run(t, redisRule("PUBSUB counts a channel's subscribers, and not those by pattern", "PUBSUB NUMSUB"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		subscribed(t, client.Subscribe(t.Context(), channel), 1)
		subscribed(t, client.PSubscribe(t.Context(), channel+"*"), 1)
		equal(t, "subscribers", value(t, client.PubSubNumSub(t.Context(), channel))[channel], 1)
		names := value(t, client.PubSubChannels(t.Context(), channel+"*"))
		equal(t, "channels", strings.Join(names, " "), channel)
	})
	Run(t, redisRule("a subscriber that does not read does not slow the publisher down", "Redis client handling, Output buffer limits"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		subscribed(t, client.Subscribe(t.Context(), channel), 1) // and never reads again
		start := time.Now()
		for range 500 {
			value(t, client.Publish(t.Context(), channel, strings.Repeat("x", 1000)))
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("publishing took %s", took)
		}
	})
	Run(t, redisRule("a subscriber that does not read is cut when its output buffer passes the limit", "Redis client handling, Output buffer limits"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		setting(t, client, "client-output-buffer-limit", "pubsub 1mb 0 0")
		conn := c.Redis().Conn()
		defer conn.Close()
		value(t, conn.Do(t.Context(), "SUBSCRIBE", channel))
		message := strings.Repeat("x", 1<<20)
		for range 64 { // more than kernels keep for a socket
			value(t, client.Publish(t.Context(), channel, message))
		}
		c.Eventually("the subscription's end", 10*time.Second, func() bool { return value(t, client.PubSubNumSub(t.Context(), channel))[channel] == 0 })
	})
	Run(t, redisRule("a message may hold any bytes", "PUBLISH"), func(t *testing.T, c *Cloud) {
		client, channel := c.Redis(), c.Name("news")
		s := subscribed(t, client.Subscribe(t.Context(), channel), 1)
		message := strings.Repeat("\x00\r\n\xff", 1<<16)
		value(t, client.Publish(t.Context(), channel, message))
		if s.next().Payload != message {
			t.Fatal("the message came changed")
		}
	})
}
