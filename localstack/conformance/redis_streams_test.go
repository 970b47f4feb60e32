package conformance_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	. "github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// append adds entries with the ids 1-1, 2-1, ... up to n.
func appendEntries(t *testing.T, client *redis.Client, key string, n int) {
	t.Helper()
	for i := range n {
		value(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: fmt.Sprintf("%d-1", i+1), Values: []any{"n", i + 1}}))
	}
}

// read has a consumer of the group g read up to count new entries, and returns their ids.
func read(t *testing.T, client *redis.Client, key, consumer string, count int64) []string {
	t.Helper()
	found, err := client.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "g", Consumer: consumer, Streams: []string{key, ">"}, Count: count, Block: -1}).Result()
	if err == redis.Nil {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return ids(found[0].Messages)
}

func ids(messages []redis.XMessage) []string {
	var ids []string
	for _, m := range messages {
		ids = append(ids, m.ID)
	}
	return ids
}

func group(t *testing.T, client *redis.Client, key, from string) {
	t.Helper()
	value(t, client.XGroupCreateMkStream(t.Context(), key, "g", from))
}

func TestRedisStreams(t *testing.T) {
	Run(t, redisRule("an entry's id is larger than every earlier one", "XADD"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("events")
		value(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: "5-5", Values: []any{"a", 1}}))
		for _, id := range []string{"5-5", "5-4", "4-9"} {
			refused(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: id, Values: []any{"a", 1}}).Err(), "ERR The ID specified in XADD is equal or smaller")
		}
		last := "5-5"
		for range 5 {
			id := value(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, Values: []any{"a", 1}}))
			after := value(t, client.XRange(t.Context(), key, "("+last, "+"))
			equal(t, "entries after the last", strings.Join(ids(after), " "), id)
			last = id
		}
	})
	Run(t, redisRule("reading a stream takes nothing from it", "Redis Streams, Listening for new items with XREAD"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("events")
		appendEntries(t, client, key, 3)
		for range 2 {
			found := value(t, client.XRead(t.Context(), &redis.XReadArgs{Streams: []string{key, "0"}, Block: -1}))
			equal(t, "entries", strings.Join(ids(found[0].Messages), " "), "1-1 2-1 3-1")
		}
	})
	Run(t, redisRule("XREAD with $ waits for entries that are added after the call", "XREAD, The special $ ID"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("events")
		appendEntries(t, client, key, 3)
		done := make(chan error, 1)
		go func() {
			c.Sleep(300 * time.Millisecond)
			done <- client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: "9-1", Values: []any{"a", 1}}).Err()
		}()
		found := value(t, client.XRead(t.Context(), &redis.XReadArgs{Streams: []string{key, "$"}, Block: 5 * time.Second}))
		equal(t, "entries", strings.Join(ids(found[0].Messages), " "), "9-1")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
	Run(t, redisRule("XREAD answers nil when nothing came in time", "XREAD, Blocking for data"), func(t *testing.T, c *Cloud) {
		client := c.Redis()
		start := time.Now()
		isNil(t, client.XRead(t.Context(), &redis.XReadArgs{Streams: []string{c.Name("none"), "$"}, Block: 700 * time.Millisecond}).Err())
		if took := time.Since(start); took < 690*time.Millisecond || took > 3*time.Second {
			t.Fatalf("it took %s", took)
		}
	})
	Run(t, redisRule("XREAD of several streams answers with those that have something", "XREAD"), func(t *testing.T, c *Cloud) {
		client, a, b := c.Redis(), c.Name("a"), c.Name("b")
		appendEntries(t, client, b, 1)
		found := value(t, client.XRead(t.Context(), &redis.XReadArgs{Streams: []string{a, b, "0", "0"}, Block: -1}))
		equal(t, "streams", len(found), 1)
		equal(t, "stream", found[0].Stream, b)
	})
	Run(t, redisRule("MAXLEN keeps the newest entries", "XADD, Capped streams"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("events")
		appendEntries(t, client, key, 5)
		value(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: "9-1", MaxLen: 2, Values: []any{"a", 1}}))
		equal(t, "entries", strings.Join(ids(value(t, client.XRange(t.Context(), key, "-", "+"))), " "), "5-1 9-1")
	})
	Run(t, redisRule("MAXLEN ~ may keep more than asked for, by less than a block", "XTRIM"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("events")
		appendEntries(t, client, key, 250)
		value(t, client.XTrimMaxLenApprox(t.Context(), key, 120, 0))
		if n := value(t, client.XLen(t.Context(), key)); n != 150 { // 100 entries a block: stream-node-max-entries
			t.Fatalf("%d entries are left of 250, want 150", n)
		}
	})
	Run(t, redisRule("MINID removes what is older", "XTRIM"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("events")
		appendEntries(t, client, key, 5)
		equal(t, "removed", value(t, client.XTrimMinID(t.Context(), key, "4")), 3)
	})
	Run(t, redisRule("an emptied stream still exists, and its ids go on", "XDEL; XADD"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("events")
		appendEntries(t, client, key, 1)
		equal(t, "deleted", value(t, client.XDel(t.Context(), key, "1-1")), 1)
		equal(t, "keys", value(t, client.Exists(t.Context(), key)), 1)
		refused(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: "1-1", Values: []any{"a", 1}}).Err(), "ERR The ID specified in XADD is equal or smaller")
	})
	Run(t, redisRule("XSETID moves a stream's last id", "XSETID"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("events")
		appendEntries(t, client, key, 1)
		value(t, client.Do(t.Context(), "XSETID", key, "100-0"))
		equal(t, "last id", value(t, client.XInfoStream(t.Context(), key)).LastGeneratedID, "100-0")
	})
	Run(t, redisRule("the stream commands of Redis 8 are unknown before it", "XACKDEL (since 8.2); XDELEX (8.2); XREADGROUP (CLAIM since 8.4); XNACK (8.8)"), func(t *testing.T, c *Cloud) {
		client := c.Redis()
		needsBelow(t, client, 8, 2)
		for _, command := range [][]any{{"XACKDEL", "key", "g", "IDS", 1, "1-1"}, {"XDELEX", "key", "IDS", 1, "1-1"}, {"XNACK", "key", "g", "FAIL", "IDS", 1, "1-1"}} {
			refused(t, client.Do(t.Context(), command...).Err(), "ERR unknown command")
		}
		refused(t, client.Do(t.Context(), "XREADGROUP", "GROUP", "g", "c", "CLAIM", 1000, "STREAMS", "key", ">").Err(), "ERR syntax error")
	})
}

func TestRedisGroups(t *testing.T) {
	Run(t, redisRule("an entry goes to one consumer of a group", "XREADGROUP"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 4)
		equal(t, "a's", strings.Join(read(t, client, key, "a", 2), " "), "1-1 2-1")
		equal(t, "b's", strings.Join(read(t, client, key, "b", 9), " "), "3-1 4-1")
		equal(t, "what is left", len(read(t, client, key, "a", 9)), 0)
	})
	Run(t, redisRule("every group gets every entry", "Redis Streams, Consumer groups"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		appendEntries(t, client, key, 2)
		for _, name := range []string{"mail", "audit"} {
			value(t, client.XGroupCreate(t.Context(), key, name, "0"))
			found := value(t, client.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: name, Consumer: "a", Streams: []string{key, ">"}, Block: -1}))
			equal(t, "entries", len(found[0].Messages), 2)
		}
	})
	Run(t, redisRule("a group that starts at $ gets only what is added later", "XGROUP CREATE"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		appendEntries(t, client, key, 2)
		group(t, client, key, "$")
		value(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: "3-1", Values: []any{"a", 1}}))
		equal(t, "entries", strings.Join(read(t, client, key, "a", 9), " "), "3-1")
	})
	Run(t, redisRule("$ stands for the last id that ever was, deleted or not", "XGROUP CREATE"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		appendEntries(t, client, key, 3)
		value(t, client.XDel(t.Context(), key, "3-1"))
		group(t, client, key, "$")
		equal(t, "last delivered", value(t, client.XInfoGroups(t.Context(), key))[0].LastDeliveredID, "3-1")
	})
	Run(t, redisRule("creating a group again is refused with BUSYGROUP", "XGROUP CREATE"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		refused(t, client.XGroupCreate(t.Context(), key, "g", "0").Err(), "BUSYGROUP")
	})
	Run(t, redisRule("creating a group needs the stream, unless MKSTREAM makes it", "XGROUP CREATE"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		refused(t, client.XGroupCreate(t.Context(), key, "g", "0").Err(), "ERR The XGROUP subcommand requires the key to exist")
		group(t, client, key, "0")
		equal(t, "length", value(t, client.XLen(t.Context(), key)), 0)
	})
	Run(t, redisRule("reading in a group that does not exist is refused with NOGROUP", "XREADGROUP"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		appendEntries(t, client, key, 1)
		refused(t, client.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "none", Consumer: "a", Streams: []string{key, ">"}, Block: -1}).Err(), "NOGROUP")
	})
	Run(t, redisRule("what was not acknowledged can be read again by its consumer, and is counted", "XREADGROUP"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 2)
		read(t, client, key, "a", 9)
		history := func(consumer string) []string {
			found := value(t, client.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "g", Consumer: consumer, Streams: []string{key, "0"}, Block: -1}))
			return ids(found[0].Messages)
		}
		equal(t, "a's history", strings.Join(history("a"), " "), "1-1 2-1")
		equal(t, "b's history", len(history("b")), 0)
		pending := value(t, client.XPendingExt(t.Context(), &redis.XPendingExtArgs{Stream: key, Group: "g", Start: "-", End: "+", Count: 9}))
		equal(t, "deliveries", pending[0].RetryCount, 2)
	})
	Run(t, redisRule("an entry is acknowledged once", "XACK"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 2)
		read(t, client, key, "a", 9)
		equal(t, "acknowledged", value(t, client.XAck(t.Context(), key, "g", "1-1", "7-7")), 1)
		equal(t, "acknowledged again", value(t, client.XAck(t.Context(), key, "g", "1-1")), 0)
		equal(t, "pending", value(t, client.XPending(t.Context(), key, "g")).Count, 1)
	})
	Run(t, redisRule("acknowledging does not take an entry from the stream", "XACK"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 1)
		read(t, client, key, "a", 9)
		value(t, client.XAck(t.Context(), key, "g", "1-1"))
		equal(t, "length", value(t, client.XLen(t.Context(), key)), 1)
	})
	Run(t, redisRule("a deleted entry that is pending can be acknowledged", "XACK; XDEL"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 1)
		read(t, client, key, "a", 9)
		value(t, client.XDel(t.Context(), key, "1-1"))
		equal(t, "pending", value(t, client.XPending(t.Context(), key, "g")).Count, 1)
		equal(t, "acknowledged", value(t, client.XAck(t.Context(), key, "g", "1-1")), 1)
	})
	Run(t, redisRule("XCLAIM leaves an entry that is not idle long enough", "XCLAIM"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 1)
		read(t, client, key, "a", 9)
		claim := func(consumer string) int {
			return len(value(t, client.XClaim(t.Context(), &redis.XClaimArgs{Stream: key, Group: "g", Consumer: consumer, MinIdle: time.Second, Messages: []string{"1-1"}})))
		}
		equal(t, "claimed at once", claim("b"), 0)
		c.Sleep(1100 * time.Millisecond)
		equal(t, "claimed after a second", claim("b"), 1)
		equal(t, "claimed by a rival just after", claim("c"), 0) // claiming resets the idle time
		pending := value(t, client.XPendingExt(t.Context(), &redis.XPendingExtArgs{Stream: key, Group: "g", Start: "-", End: "+", Count: 9}))
		equal(t, "owner", pending[0].Consumer, "b")
		equal(t, "deliveries", pending[0].RetryCount, 2)
	})
	Run(t, redisRule("JUSTID claims without counting a delivery", "XCLAIM"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 1)
		read(t, client, key, "a", 9)
		claimed := value(t, client.XClaimJustID(t.Context(), &redis.XClaimArgs{Stream: key, Group: "g", Consumer: "b", Messages: []string{"1-1"}}))
		equal(t, "claimed", strings.Join(claimed, " "), "1-1")
		pending := value(t, client.XPendingExt(t.Context(), &redis.XPendingExtArgs{Stream: key, Group: "g", Start: "-", End: "+", Count: 9}))
		equal(t, "deliveries", pending[0].RetryCount, 1)
	})
	Run(t, redisRule("XAUTOCLAIM goes through the pending entries in steps", "XAUTOCLAIM"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 5)
		read(t, client, key, "a", 9)
		claim := func(start string) ([]string, string) {
			messages, next, err := client.XAutoClaim(t.Context(), &redis.XAutoClaimArgs{Stream: key, Group: "g", Consumer: "b", Start: start, Count: 2}).Result()
			if err != nil {
				t.Fatal(err)
			}
			return ids(messages), next
		}
		var all []string
		next := "0-0"
		for range 3 {
			var step []string
			step, next = claim(next)
			all = append(all, step...)
		}
		equal(t, "claimed", strings.Join(all, " "), "1-1 2-1 3-1 4-1 5-1")
		equal(t, "last cursor", next, "0-0")
	})
	Run(t, redisRule("XAUTOCLAIM drops deleted entries and says which", "XAUTOCLAIM (since 7.0)"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 3)
		read(t, client, key, "a", 9)
		value(t, client.XDel(t.Context(), key, "2-1"))
		answer := value(t, client.Do(t.Context(), "XAUTOCLAIM", key, "g", "b", 0, "0", "JUSTID")).([]any)
		equal(t, "claimed and dropped", fmt.Sprint(answer[1:]), "[[1-1 3-1] [2-1]]")
		equal(t, "pending", value(t, client.XPending(t.Context(), key, "g")).Count, 2)
	})
	Run(t, redisRule("a pending entry that was deleted is read again without its fields", "XREADGROUP, What happens when a pending message is deleted?"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 1)
		read(t, client, key, "a", 9)
		value(t, client.XDel(t.Context(), key, "1-1"))
		found := value(t, client.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "g", Consumer: "a", Streams: []string{key, "0"}, Block: -1}))
		equal(t, "entry", found[0].Messages[0].ID, "1-1")
		equal(t, "fields", len(found[0].Messages[0].Values), 0)
	})
	Run(t, redisRule("deleting a consumer loses what was pending at it", "XGROUP DELCONSUMER"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 2)
		read(t, client, key, "a", 9)
		equal(t, "were pending", value(t, client.XGroupDelConsumer(t.Context(), key, "g", "a")), 2)
		equal(t, "pending", value(t, client.XPending(t.Context(), key, "g")).Count, 0)
		equal(t, "entries for another", len(read(t, client, key, "b", 9)), 0)
	})
	Run(t, redisRule("NOACK leaves nothing pending", "XREADGROUP"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 2)
		value(t, client.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "g", Consumer: "a", Streams: []string{key, ">"}, NoAck: true, Block: -1}))
		equal(t, "pending", value(t, client.XPending(t.Context(), key, "g")).Count, 0)
	})
	Run(t, redisRule("a group knows how many entries it has read and has yet to read", "XINFO GROUPS, Consumer group lag (since 7.0)"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 5)
		read(t, client, key, "a", 2)
		info := value(t, client.XInfoGroups(t.Context(), key))[0]
		equal(t, "entries read", info.EntriesRead, 2)
		equal(t, "lag", info.Lag, 3)
		equal(t, "pending", info.Pending, 2)
	})
	Run(t, redisRule("the lag is unknown after an unread entry was deleted, until the group has read to the end", "XINFO GROUPS, Consumer group lag (since 7.0)"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 5)
		read(t, client, key, "a", 2)
		value(t, client.XDel(t.Context(), key, "4-1"))
		equal(t, "lag", value(t, client.XInfoGroups(t.Context(), key))[0].Lag, -1) // go-redis's word for nil
		read(t, client, key, "a", 9)
		info := value(t, client.XInfoGroups(t.Context(), key))[0]
		equal(t, "lag at the end", info.Lag, 0)
		equal(t, "entries read at the end", info.EntriesRead, 5)
	})
	Run(t, redisRule("XGROUP SETID delivers again what comes after the id", "XGROUP SETID"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 3)
		for _, id := range read(t, client, key, "a", 9) {
			value(t, client.XAck(t.Context(), key, "g", id))
		}
		value(t, client.XGroupSetID(t.Context(), key, "g", "1-1"))
		equal(t, "entries", strings.Join(read(t, client, key, "b", 9), " "), "2-1 3-1")
	})
	Run(t, redisRule("of the consumers that wait for an entry one gets it, who waited longest", "XREADGROUP; BLPOP"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		type result struct{ consumer, ids string }
		results := make(chan result, 2)
		wait := func(consumer string) {
			found, err := client.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "g", Consumer: consumer, Streams: []string{key, ">"}, Block: 2 * time.Second}).Result()
			if err != nil {
				results <- result{consumer, err.Error()}
				return
			}
			results <- result{consumer, strings.Join(ids(found[0].Messages), " ")}
		}
		go wait("first")
		c.Sleep(200 * time.Millisecond)
		go wait("second")
		c.Sleep(200 * time.Millisecond)
		appendEntries(t, client, key, 1)
		equal(t, "first result", <-results, result{"first", "1-1"})
		equal(t, "second result", <-results, result{"second", redis.Nil.Error()})
	})
	Run(t, redisRule("who waits in a group that is destroyed is told", "XGROUP DESTROY"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		go func() {
			c.Sleep(200 * time.Millisecond)
			client.XGroupDestroy(t.Context(), key, "g")
		}()
		refused(t, client.XReadGroup(t.Context(), &redis.XReadGroupArgs{Group: "g", Consumer: "a", Streams: []string{key, ">"}, Block: 5 * time.Second}).Err(), "NOGROUP")
	})
	Run(t, redisRule("XPENDING shows what has been idle for a time", "XPENDING (IDLE since 6.2)"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 2)
		read(t, client, key, "a", 1)
		c.Sleep(600 * time.Millisecond)
		read(t, client, key, "b", 1)
		pending := value(t, client.XPendingExt(t.Context(), &redis.XPendingExtArgs{Stream: key, Group: "g", Idle: 500 * time.Millisecond, Start: "-", End: "+", Count: 9}))
		equal(t, "idle entries", len(pending), 1)
		equal(t, "its owner", pending[0].Consumer, "a")
		if idle := pending[0].Idle; idle < 590*time.Millisecond || idle > 3*time.Second {
			t.Fatalf("it is idle for %s", idle)
		}
	})
	Run(t, redisRule("XINFO STREAM FULL shows groups, consumers and what is pending", "XINFO STREAM"), func(t *testing.T, c *Cloud) {
		client, key := c.Redis(), c.Name("jobs")
		group(t, client, key, "0")
		appendEntries(t, client, key, 3)
		read(t, client, key, "a", 2)
		info := value(t, client.XInfoStreamFull(t.Context(), key, 10))
		equal(t, "entries added", info.EntriesAdded, 3)
		equal(t, "groups", len(info.Groups), 1)
		equal(t, "pending in the group", len(info.Groups[0].Pending), 2)
		equal(t, "pending at its consumer", len(info.Groups[0].Consumers[0].Pending), 2)
	})
}
