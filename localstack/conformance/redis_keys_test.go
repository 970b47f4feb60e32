package conformance_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	. "github.com/brokerdojo/brokerdojo/localstack/conformance"
)

func TestRedisExpiry(t *testing.T) {
	Run(t, redisRule("a key is gone when its time is over", "EXPIRE"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("session")
		value(t, client.Set(t.Context(), key, "x", time.Second))
		c.Sleep(900 * time.Millisecond)
		equal(t, "value before", value(t, client.Get(t.Context(), key)), "x")
		c.Sleep(200 * time.Millisecond)
		isNil(t, client.Get(t.Context(), key).Err())
		equal(t, "keys", value(t, client.Exists(t.Context(), key)), 0)
	})
	Run(t, redisRule("SET forgets a key's time to live, unless KEEPTTL is given", "SET"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("session")
		value(t, client.Set(t.Context(), key, "x", time.Hour))
		value(t, client.Set(t.Context(), key, "y", redis.KeepTTL))
		if ttl := value(t, client.TTL(t.Context(), key)); ttl < 59*time.Minute {
			t.Fatalf("with KEEPTTL it lives for %s", ttl)
		}
		value(t, client.Set(t.Context(), key, "z", 0))
		equal(t, "time to live", value(t, client.TTL(t.Context(), key)), -1)
	})
	Run(t, redisRule("changing a value keeps its time to live", "EXPIRE"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("counter")
		value(t, client.Set(t.Context(), key, 1, time.Hour))
		value(t, client.Incr(t.Context(), key))
		if ttl := value(t, client.TTL(t.Context(), key)); ttl < 59*time.Minute {
			t.Fatalf("after INCR it lives for %s", ttl)
		}
	})
	Run(t, redisRule("a renamed key keeps its time to live", "EXPIRE"), func(t *testing.T, c *Cloud) {
		client, key, other := c.Redis(), c.Name("a"), c.Name("b")
		value(t, client.Set(t.Context(), key, 1, time.Second))
		value(t, client.Rename(t.Context(), key, other))
		c.Sleep(1100 * time.Millisecond)
		equal(t, "keys", value(t, client.Exists(t.Context(), other)), 0)
	})
	Run(t, redisRule("SET NX with a time to live is taken by one, until the time is over", "SET, Patterns"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("lock")
		equal(t, "first", value(t, client.SetNX(t.Context(), key, "a", time.Second)), true)
		equal(t, "second", value(t, client.SetNX(t.Context(), key, "b", time.Second)), false)
		c.Sleep(1100 * time.Millisecond)
		equal(t, "after a second", value(t, client.SetNX(t.Context(), key, "b", time.Second)), true)
	})
	Run(t, redisRule("a time to live that is not positive deletes the key", "EXPIRE"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("a")
		value(t, client.Set(t.Context(), key, 1, 0))
		equal(t, "answer", value(t, client.Expire(t.Context(), key, -time.Second)), true)
		equal(t, "keys", value(t, client.Exists(t.Context(), key)), 0)
	})
	Run(t, redisRule("EXPIRE NX sets only a first time to live, GT only a longer one", "EXPIRE (since 7.0)"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("a")
		value(t, client.Set(t.Context(), key, 1, 0))
		equal(t, "NX", value(t, client.ExpireNX(t.Context(), key, time.Minute)), true)
		equal(t, "NX again", value(t, client.ExpireNX(t.Context(), key, time.Minute)), false)
		equal(t, "GT with less", value(t, client.ExpireGT(t.Context(), key, time.Second)), false)
		equal(t, "GT with more", value(t, client.ExpireGT(t.Context(), key, time.Hour)), true)
	})
	Run(t, redisRule("a stream's time to live ends it with its groups", "EXPIRE"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("events")
		group(t, client, key, "0")
		value(t, client.Expire(t.Context(), key, time.Second))
		c.Sleep(1100 * time.Millisecond)
		refused(t, client.XInfoGroups(t.Context(), key).Err(), "ERR no such key")
	})
}

func TestRedisNotifications(t *testing.T) {
	const source = "Redis keyspace notifications"
	Run(t, redisRule("no event is published unless notify-keyspace-events asks for it", source+", Configuration"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("a")
		setting(t, client, "notify-keyspace-events", "")
		s := subscribed(t, client.PSubscribe(t.Context(), "__key*__:"+key), 1)
		value(t, client.Set(t.Context(), key, 1, 0))
		s.nothing()
	})
	Run(t, redisRule("a change is told on the key's channel and on the event's", source+", Type of events"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("a")
		setting(t, client, "notify-keyspace-events", "KEA")
		s := subscribed(t, client.Subscribe(t.Context(), "__keyspace@0__:"+key, "__keyevent@0__:set"), 2)
		value(t, client.Set(t.Context(), key, 1, 0))
		for _, want := range [][2]string{{"__keyspace@0__:" + key, "set"}, {"__keyevent@0__:set", key}} {
			m := s.next()
			equal(t, "channel and message", [2]string{m.Channel, m.Payload}, want)
		}
	})
	events := func(t *testing.T, c *Cloud, f func(client *redis.Client, key string), want ...string) {
		t.Helper()
		client, key := c.Redis(), c.Name("a")
		setting(t, client, "notify-keyspace-events", "KA")
		s := subscribed(t, client.Subscribe(t.Context(), "__keyspace@0__:"+key), 1)
		f(client, key)
		for _, w := range want {
			equal(t, "event", s.next().Payload, w)
		}
		s.nothing()
	}
	Run(t, redisRule("a key that ends by itself is told as expired", source+", Timing of expired events"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("session")
		setting(t, client, "notify-keyspace-events", "Ex")
		s := subscribed(t, client.Subscribe(t.Context(), "__keyevent@0__:expired"), 1)
		value(t, client.Set(t.Context(), key, 1, time.Second))
		m := s.next()
		equal(t, "expired key", m.Payload, key)
	})
	Run(t, redisRule("what changes nothing is not told", source), func(t *testing.T, c *Cloud) {
		events(t, c, func(client *redis.Client, key string) {
			value(t, client.SAdd(t.Context(), key, "a"))
			value(t, client.SAdd(t.Context(), key, "a"))
			value(t, client.SRem(t.Context(), key, "b"))
			value(t, client.Del(t.Context(), key+"x"))
		}, "sadd")
	})
	Run(t, redisRule("taking the last element is told as the key's end too", source), func(t *testing.T, c *Cloud) {
		events(t, c, func(client *redis.Client, key string) {
			value(t, client.RPush(t.Context(), key, "a"))
			value(t, client.LPop(t.Context(), key))
		}, "rpush", "lpop", "del")
	})
	Run(t, redisRule("a stream's changes are told, reading and acknowledging are not", source), func(t *testing.T, c *Cloud) {
		events(t, c, func(client *redis.Client, key string) {
			value(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: "1-1", Values: []any{"a", 1}}))
			value(t, client.XGroupCreate(t.Context(), key, "g", "0"))
			read(t, client, key, "c", 1)
			value(t, client.XAck(t.Context(), key, "g", "1-1"))
			value(t, client.XDel(t.Context(), key, "1-1"))
		}, "xadd", "xgroup-create", "xgroup-createconsumer", "xdel")
	})
	Run(t, redisRule("what a script changes is told", source), func(t *testing.T, c *Cloud) {
		events(t, c, func(client *redis.Client, key string) {
			value(t, client.Eval(t.Context(), "redis.call('SET', KEYS[1], 1, 'EX', 100) return redis.call('DEL', KEYS[1])", []string{key}))
		}, "set", "expire", "del")
	})
}

func TestRedisLists(t *testing.T) {
	Run(t, redisRule("of the clients that wait for an element one gets it, who waited longest", "BLPOP, What key is served first"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		results := make(chan string, 2)
		wait := func(name string) {
			popped, err := client.BLPop(t.Context(), 2*time.Second, key).Result()
			results <- fmt.Sprintf("%s %v %v", name, popped, err)
		}
		go wait("first")
		c.Sleep(200 * time.Millisecond)
		go wait("second")
		c.Sleep(200 * time.Millisecond)
		value(t, client.RPush(t.Context(), key, "job"))
		equal(t, "first result", <-results, fmt.Sprintf("first [%s job] <nil>", key))
		equal(t, "second result", <-results, fmt.Sprintf("second [] %v", redis.Nil))
	})
	Run(t, redisRule("BLPOP answers nil when nothing came in time", "BLPOP"), func(t *testing.T, c *Cloud) {
		client := c.Redis()
		start := time.Now()
		isNil(t, client.BLPop(t.Context(), time.Second, c.Name("none")).Err())
		if took := time.Since(start); took < 990*time.Millisecond || took > 3*time.Second {
			t.Fatalf("it took %s", took)
		}
	})
	Run(t, redisRule("a client that goes away while it waits takes nothing", "BLPOP"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		waiting := c.Redis().Conn()
		id := value(t, waiting.ClientID(t.Context()))
		ended := make(chan error, 1)
		go func() { ended <- waiting.BLPop(t.Context(), 0, key).Err() }()
		c.Sleep(200 * time.Millisecond)
		equal(t, "killed", value(t, client.ClientKillByFilter(t.Context(), "ID", fmt.Sprint(id))), 1)
		if err := <-ended; err == nil || errors.Is(err, redis.Nil) {
			t.Fatalf("the wait ended with %v", err)
		}
		_ = waiting.Close()
		value(t, client.RPush(t.Context(), key, "job"))
		equal(t, "elements left", value(t, client.LLen(t.Context(), key)), 1)
	})
	Run(t, redisRule("LMOVE moves an element so that it is always in one of the lists", "LMOVE, Pattern: Reliable queue"), func(t *testing.T, c *Cloud) {
		client, from, to := c.Redis(), c.Name("todo"), c.Name("doing")
		value(t, client.RPush(t.Context(), from, "a", "b"))
		equal(t, "moved", value(t, client.LMove(t.Context(), from, to, "LEFT", "RIGHT")), "a")
		equal(t, "left", value(t, client.LLen(t.Context(), from)), 1)
		equal(t, "arrived", value(t, client.LIndex(t.Context(), to, 0)), "a")
	})
}

func TestRedisTransactions(t *testing.T) {
	const source = "Transactions"
	Run(t, redisRule("queued commands change nothing until EXEC", source), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("a")
		conn := client.Conn()
		defer conn.Close()
		value(t, conn.Do(t.Context(), "MULTI"))
		value(t, conn.Do(t.Context(), "SET", key, 1))
		isNil(t, client.Get(t.Context(), key).Err())
		value(t, conn.Do(t.Context(), "EXEC"))
		equal(t, "value", value(t, client.Get(t.Context(), key)), "1")
	})
	Run(t, redisRule("EXEC does nothing when a watched key has changed", source+", Optimistic locking using check-and-set"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("stock")
		value(t, client.Set(t.Context(), key, 10, 0))
		err := client.Watch(t.Context(), func(tx *redis.Tx) error {
			value(t, client.Set(t.Context(), key, 3, 0)) // somebody else
			_, err := tx.TxPipelined(t.Context(), func(p redis.Pipeliner) error { p.Set(t.Context(), key, 9, 0); return nil })
			return err
		}, key)
		if !errors.Is(err, redis.TxFailedErr) {
			t.Fatalf("got %v, want the transaction to fail", err)
		}
		equal(t, "value", value(t, client.Get(t.Context(), key)), "3")
	})
	Run(t, redisRule("EXEC runs when no watched key has changed", source+", Optimistic locking using check-and-set"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("stock")
		err := client.Watch(t.Context(), func(tx *redis.Tx) error {
			value(t, client.Set(t.Context(), key+"x", 3, time.Minute))
			_, err := tx.TxPipelined(t.Context(), func(p redis.Pipeliner) error { p.Set(t.Context(), key, 9, 0); return nil })
			return err
		}, key)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "value", value(t, client.Get(t.Context(), key)), "9")
	})
	Run(t, redisRule("a watched key that expires stops the transaction", source+", WATCH explained"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("a")
		value(t, client.Set(t.Context(), key, 1, 300*time.Millisecond))
		err := client.Watch(t.Context(), func(tx *redis.Tx) error {
			c.Sleep(600 * time.Millisecond)
			_, err := tx.TxPipelined(t.Context(), func(p redis.Pipeliner) error { p.Ping(t.Context()); return nil })
			return err
		}, key)
		if !errors.Is(err, redis.TxFailedErr) {
			t.Fatalf("got %v, want the transaction to fail", err)
		}
	})
	Run(t, redisRule("a command that fails does not undo the others", source+", What about rollbacks?"), func(t *testing.T, c *Cloud) {
		client, a, b := c.Redis(), c.Name("a"), c.Name("b")
		value(t, client.Set(t.Context(), a, "text", 0))
		_, err := client.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
			p.LPush(t.Context(), a, "x")
			p.Set(t.Context(), b, "done", 0)
			return nil
		})
		refused(t, err, "WRONGTYPE")
		equal(t, "value", value(t, client.Get(t.Context(), b)), "done")
	})
	Run(t, redisRule("a command that is refused while queueing stops the whole transaction", source+", Errors inside a transaction"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("a")
		conn := client.Conn()
		defer conn.Close()
		value(t, conn.Do(t.Context(), "MULTI"))
		value(t, conn.Do(t.Context(), "SET", key, 1))
		refused(t, conn.Do(t.Context(), "SET", key).Err(), "ERR wrong number of arguments")
		refused(t, conn.Do(t.Context(), "EXEC").Err(), "EXECABORT")
		isNil(t, client.Get(t.Context(), key).Err())
	})
	Run(t, redisRule("a blocking command in a transaction does not wait", "BLPOP, BLPOP inside a MULTI/EXEC transaction"), func(t *testing.T, c *Cloud) {
		client := c.Redis()
		start := time.Now()
		_, err := client.TxPipelined(t.Context(), func(p redis.Pipeliner) error { p.BLPop(t.Context(), 0, c.Name("none")); return nil })
		isNil(t, err)
		if took := time.Since(start); took > time.Second {
			t.Fatalf("it took %s", took)
		}
	})
}

func TestRedisScripts(t *testing.T) {
	Run(t, redisRule("a script can release a lock only for who holds it", "SET, Patterns; Scripting with Lua"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("lock")
		release := redis.NewScript(`if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) else return 0 end`)
		value(t, client.Set(t.Context(), key, "mine", time.Minute))
		equal(t, "by another", value(t, release.Run(t.Context(), client, []string{key}, "yours")).(int64), 0)
		equal(t, "by its holder", value(t, release.Run(t.Context(), client, []string{key}, "mine")).(int64), 1)
	})
	Run(t, redisRule("a script that the server does not know is refused with NOSCRIPT", "EVALSHA"), func(t *testing.T, c *Cloud) {
		refused(t, c.Redis().EvalSha(t.Context(), "0123456789012345678901234567890123456789", nil).Err(), "NOSCRIPT")
	})
	Run(t, redisRule("what a script did before it failed stays done", "Scripting with Lua"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("a")
		refused(t, client.Eval(t.Context(), "redis.call('SET', KEYS[1], 1) return redis.call('LPUSH', KEYS[1], 1)", []string{key}).Err(), "WRONGTYPE")
		equal(t, "value", value(t, client.Get(t.Context(), key)), "1")
	})
	Run(t, redisRule("a script can publish and append to a stream", "Scripting with Lua"), func(t *testing.T, c *Cloud) {
		client, key, channel := c.Redis(), c.Name("events"), c.Name("news")
		s := subscribed(t, client.Subscribe(t.Context(), channel), 1)
		value(t, client.Eval(t.Context(), "redis.call('XADD', KEYS[1], '1-1', 'a', 'b') return redis.call('PUBLISH', ARGV[1], 'added')", []string{key}, channel))
		equal(t, "message", s.next().Payload, "added")
		equal(t, "length", value(t, client.XLen(t.Context(), key)), 1)
	})
	Run(t, redisRule("a script wakes who waits for what it adds", "BLPOP; Scripting with Lua"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		go func() {
			c.Sleep(200 * time.Millisecond)
			client.Eval(t.Context(), "return redis.call('RPUSH', KEYS[1], 'job')", []string{key})
		}()
		equal(t, "popped", value(t, client.BLPop(t.Context(), 5*time.Second, key))[1], "job")
	})
}

func TestRedisConnections(t *testing.T) {
	Run(t, redisRule("databases do not share keys", "SELECT"), func(t *testing.T, c *Cloud) {
		client, other, key := c.Redis(), c.Redis(func(o *redis.Options) { o.DB = 9 }), c.Name("a")
		value(t, client.Set(t.Context(), key, 1, 0))
		isNil(t, other.Get(t.Context(), key).Err())
	})
	Run(t, redisRule("CLIENT LIST shows a connection's name, and CLIENT KILL ends it", "CLIENT LIST; CLIENT KILL"), func(t *testing.T, c *Cloud) {
		client, name := c.Redis(), c.Name("worker")
		other := c.Redis(func(o *redis.Options) { o.ClientName = name; o.MaxRetries = -1 })
		id := value(t, other.ClientID(t.Context()))
		equal(t, "name", value(t, other.ClientGetName(t.Context())), name)
		equal(t, "killed", value(t, client.ClientKillByFilter(t.Context(), "ID", fmt.Sprint(id))), 1)
		c.Eventually("a new connection", 5*time.Second, func() bool {
			again, err := other.ClientID(t.Context()).Result()
			return err == nil && again != id
		})
	})
	Run(t, redisRule("a command that does not exist is refused", "Redis serialization protocol specification"), func(t *testing.T, c *Cloud) {
		refused(t, c.Redis().Do(t.Context(), "NOSUCHCOMMAND", "a").Err(), "ERR unknown command 'NOSUCHCOMMAND', with args beginning with: 'a'")
	})
	Run(t, redisRule("a key of another type is refused with WRONGTYPE", "Redis data types"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("a")
		value(t, client.Set(t.Context(), key, 1, 0))
		refused(t, client.XLen(t.Context(), key).Err(), "WRONGTYPE")
		appendEntries(t, client, key+"s", 1)
		refused(t, client.Get(t.Context(), key+"s").Err(), "WRONGTYPE")
		equal(t, "type", value(t, client.Type(t.Context(), key+"s")), "stream")
	})
}
