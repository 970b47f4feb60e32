package redis_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/redis"
)

// inBubble runs f as a subtest in a bubble of its own, with a server in memory that is closed at the end.
func inBubble(t *testing.T, name string, f func(t *testing.T, s *redis.Server)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := redis.New(redis.Options{})
			t.Cleanup(func() { _ = s.Close() })
			f(t, s)
		})
	})
}

func client(t testing.TB, s *redis.Server, settings ...func(*goredis.Options)) *goredis.Client {
	o := &goredis.Options{Addr: "127.0.0.1:6379", Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.Dial(ctx) }}
	for _, set := range settings {
		set(o)
	}
	c := goredis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func must[T any](t testing.TB, cmd interface{ Result() (T, error) }) T {
	t.Helper()
	v, err := cmd.Result()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return v
}

func TestSockets(t *testing.T) {
	for _, protocol := range []int{2, 3} {
		t.Run(fmt.Sprintf("a client connects and subscribes over a socket with RESP%d", protocol), func(t *testing.T) {
			s := redis.New(redis.Options{})
			defer s.Close()
			addr, err := s.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c := goredis.NewClient(&goredis.Options{Addr: addr.String(), Protocol: protocol, ClientName: "me"})
			defer c.Close()
			ps := c.Subscribe(t.Context(), "news")
			defer ps.Close()
			if _, err := ps.Receive(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := must(t, c.Publish(t.Context(), "news", "x")); n != 1 {
				t.Fatalf("%d receivers", n)
			}
			if m, err := ps.ReceiveMessage(t.Context()); err != nil || m.Payload != "x" {
				t.Fatal(m, err)
			}
			info := must(t, c.ClientInfo(t.Context()))
			if info.Name != "me" || !strings.HasPrefix(info.LibName, "go-redis") || info.Resp != protocol {
				t.Fatalf("%+v", info)
			}
		})
	}
	t.Run("Close ends connections, port and goroutines, also of who is blocked", func(t *testing.T) {
		before := runtime.NumGoroutine()
		s := redis.New(redis.Options{})
		addr, err := s.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "SET a 1 PX 100000\r\nBLPOP none 0\r\n")
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if n := runtime.NumGoroutine(); n > before {
			t.Fatalf("%d goroutines, before it were %d", n, before)
		}
		if _, err := s.Dial(t.Context()); err == nil {
			t.Fatal("a closed server takes connections")
		}
		l, err := net.Listen("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	})
}

func TestDisconnect(t *testing.T) {
	inBubble(t, "only the matching connections are cut", func(t *testing.T, s *redis.Server) {
		a := client(t, s, func(o *goredis.Options) { o.ClientName = "a" })
		b := client(t, s, func(o *goredis.Options) { o.ClientName = "b" })
		idA, idB := must(t, a.ClientID(t.Context())), must(t, b.ClientID(t.Context()))
		if n := s.Disconnect(func(c redis.Client) bool { return c.Name == "a" }); n != 1 {
			t.Fatalf("%d were cut", n)
		}
		synctest.Wait()
		if again := must(t, a.ClientID(t.Context())); again == idA {
			t.Error("a kept its connection")
		}
		if again := must(t, b.ClientID(t.Context())); again != idB {
			t.Error("b lost its connection")
		}
	})
	inBubble(t, "a subscriber that is cut subscribes again", func(t *testing.T, s *redis.Server) {
		c := client(t, s)
		ps := c.Subscribe(t.Context(), "news")
		defer ps.Close()
		messages := ps.Channel()
		synctest.Wait()
		must(t, c.Publish(t.Context(), "news", "1"))
		if m := <-messages; m.Payload != "1" {
			t.Fatal(m)
		}
		s.Disconnect(func(c redis.Client) bool { return c.Subscriptions > 0 })
		time.Sleep(10 * time.Second)
		must(t, c.Publish(t.Context(), "news", "2"))
		if m := <-messages; m.Payload != "2" {
			t.Fatal(m)
		}
	})
	inBubble(t, "what a blocked client waits for is not taken by it after it was cut", func(t *testing.T, s *redis.Server) {
		conn, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "BLPOP jobs 0\r\n")
		synctest.Wait()
		_ = conn.Close()
		synctest.Wait()
		if n := must(t, client(t, s).RPush(t.Context(), "jobs", "x")); n != 1 {
			t.Fatalf("%d elements", n)
		}
		if n := must(t, client(t, s).LLen(t.Context(), "jobs")); n != 1 {
			t.Fatal("the element is gone")
		}
	})
}

func TestOutputBuffers(t *testing.T) {
	stalled := func(t *testing.T, s *redis.Server, limit string) (*goredis.Client, func() int64) {
		t.Helper()
		c := client(t, s)
		must(t, c.ConfigSet(t.Context(), "client-output-buffer-limit", limit))
		conn, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, "SUBSCRIBE news\r\n") // and reads nothing, ever
		synctest.Wait()
		return c, func() int64 { return must(t, c.PubSubNumSub(t.Context(), "news"))["news"] }
	}
	message := strings.Repeat("x", 1<<20)
	inBubble(t, "past the hard limit the subscriber is cut at once", func(t *testing.T, s *redis.Server) {
		c, subscribers := stalled(t, s, "pubsub 3mb 0 0")
		for i := range 3 {
			must(t, c.Publish(t.Context(), "news", message))
			if want := int64(1 - i/2); subscribers() != want {
				t.Fatalf("after %d MB: %d subscribers, want %d", i+1, subscribers(), want)
			}
		}
	})
	inBubble(t, "past the soft limit the subscriber is cut when the time is over", func(t *testing.T, s *redis.Server) {
		c, subscribers := stalled(t, s, "pubsub 0 1mb 60")
		must(t, c.Publish(t.Context(), "news", message))
		time.Sleep(60*time.Second - time.Millisecond)
		if subscribers() != 1 {
			t.Fatal("it was cut too early")
		}
		time.Sleep(2 * time.Millisecond)
		if subscribers() != 0 {
			t.Fatal("it was not cut")
		}
	})
	inBubble(t, "a subscriber that catches up in time stays", func(t *testing.T, s *redis.Server) {
		c := client(t, s)
		must(t, c.ConfigSet(t.Context(), "client-output-buffer-limit", "pubsub 0 1mb 60"))
		conn, err := s.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "SUBSCRIBE news\r\n")
		synctest.Wait()
		must(t, c.Publish(t.Context(), "news", message))
		time.Sleep(30 * time.Second)
		if _, err := io.CopyN(io.Discard, conn, 1<<20-1<<16); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if n := must(t, c.PubSubNumSub(t.Context(), "news"))["news"]; n != 1 {
			t.Fatal("it was cut")
		}
	})
}

func TestTime(t *testing.T) {
	inBubble(t, "a key ends, and is told as expired, at its very moment", func(t *testing.T, s *redis.Server) {
		c := client(t, s)
		must(t, c.ConfigSet(t.Context(), "notify-keyspace-events", "Ex"))
		ps := c.Subscribe(t.Context(), "__keyevent@0__:expired")
		defer ps.Close()
		if _, err := ps.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		must(t, c.Set(t.Context(), "session", 1, 12*time.Hour))
		if _, err := ps.ReceiveMessage(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 12*time.Hour {
			t.Fatalf("it took %s", took)
		}
	})
	inBubble(t, "a blocking command ends at its very moment", func(t *testing.T, s *redis.Server) {
		c := client(t, s)
		start := time.Now()
		if err := c.XRead(t.Context(), &goredis.XReadArgs{Streams: []string{"s", "$"}, Block: 20 * time.Minute}).Err(); !errors.Is(err, goredis.Nil) {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 20*time.Minute {
			t.Fatalf("it took %s", took)
		}
	})
	inBubble(t, "times to live go along when databases are swapped and keys renamed, moved and copied", func(t *testing.T, s *redis.Server) {
		c := client(t, s)
		must(t, c.Set(t.Context(), "a", 1, time.Minute))
		must(t, c.Copy(t.Context(), "a", "b", 0, false))
		must(t, c.Rename(t.Context(), "b", "c"))
		must(t, c.Move(t.Context(), "c", 1))
		must(t, c.Do(t.Context(), "SWAPDB", 0, 1))
		if ttl := must(t, c.TTL(t.Context(), "c")); ttl != time.Minute {
			t.Fatalf("c lives for %s", ttl)
		}
		time.Sleep(time.Minute)
		for db := range 2 {
			if n := must(t, client(t, s, func(o *goredis.Options) { o.DB = db }).DBSize(t.Context())); n != 0 {
				t.Fatalf("%d keys are left in database %d", n, db)
			}
		}
	})
}

func TestStreamsAsKeys(t *testing.T) {
	inBubble(t, "a copied stream is another one", func(t *testing.T, s *redis.Server) {
		c := client(t, s)
		add := func(key string) { must(t, c.XAdd(t.Context(), &goredis.XAddArgs{Stream: key, Values: []any{"a", 1}})) }
		add("a")
		must(t, c.Copy(t.Context(), "a", "b", 0, false))
		must(t, c.Copy(t.Context(), "a", "a", 3, false))
		add("a")
		for _, k := range []struct {
			db   int
			key  string
			want int64
		}{{0, "a", 2}, {0, "b", 1}, {3, "a", 1}} {
			if n := must(t, client(t, s, func(o *goredis.Options) { o.DB = k.db }).XLen(t.Context(), k.key)); n != k.want {
				t.Errorf("%s in database %d has %d entries, want %d", k.key, k.db, n, k.want)
			}
		}
	})
	inBubble(t, "many streams come and go", func(t *testing.T, s *redis.Server) {
		c := client(t, s)
		must(t, c.XAdd(t.Context(), &goredis.XAddArgs{Stream: "stays", Values: []any{"a", 1}}))
		for i := range 1000 {
			key := fmt.Sprint("s", i)
			must(t, c.XAdd(t.Context(), &goredis.XAddArgs{Stream: key, Values: []any{"a", 1}}))
			must(t, c.Del(t.Context(), key))
		}
		if n := must(t, c.XLen(t.Context(), "stays")); n != 1 {
			t.Fatalf("%d entries", n)
		}
	})
}

func TestGlobPatterns(t *testing.T) {
	inBubble(t, "patterns match as Redis's do", func(t *testing.T, s *redis.Server) {
		c := client(t, s)
		for _, m := range []struct {
			pattern, channel string
			want             bool
		}{
			{"*", "", false}, {"*", "a/b", true}, {"a*", "a", true}, {"a*c", "abbc", true}, {"a*c", "abbd", false}, {"a**c", "ac", true},
			{"h?llo", "hello", true}, {"h?llo", "hllo", false}, {"h[ae]llo", "hallo", true}, {"h[ae]llo", "hillo", false},
			{"h[^e]llo", "hallo", true}, {"h[^e]llo", "hello", false}, {"h[a-c]llo", "hbllo", true}, {"h[a-c]llo", "hdllo", false},
			{`h\*llo`, "h*llo", true}, {`h\*llo`, "hello", false}, {"h[ab", "ha", true}, {"[", "a", false}, {"a?", "a", false}, {"*a*b*c*", "xxaxxbxxcxx", true},
			{strings.Repeat("a*", 20) + "b", strings.Repeat("a", 200), false},
		} {
			if m.channel == "" {
				continue
			}
			ps := c.Subscribe(t.Context(), m.channel)
			if _, err := ps.Receive(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := len(must(t, c.PubSubChannels(t.Context(), m.pattern))) == 1; got != m.want {
				t.Errorf("%q matches %q: %t", m.pattern, m.channel, got)
			}
			_ = ps.Close()
			synctest.Wait()
		}
	})
}

func TestPassword(t *testing.T) {
	inBubble(t, "with requirepass a client has to say the password", func(t *testing.T, s *redis.Server) {
		admin := client(t, s)
		must(t, admin.ConfigSet(t.Context(), "requirepass", "secret"))
		for password, want := range map[string]string{"": "NOAUTH", "wrong": "WRONGPASS", "secret": ""} {
			for _, protocol := range []int{2, 3} {
				err := client(t, s, func(o *goredis.Options) { o.Password, o.Protocol = password, protocol }).Set(t.Context(), "a", 1, 0).Err()
				if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
					t.Errorf("password %q, RESP%d: got %v, want %q", password, protocol, err, want)
				}
			}
		}
	})
}

func TestSlowLog(t *testing.T) {
	inBubble(t, "commands at least as slow as the limit are kept, newest first, up to the most", func(t *testing.T, s *redis.Server) {
		c := client(t, s)
		must(t, c.ConfigSet(t.Context(), "slowlog-log-slower-than", "0"))
		must(t, c.ConfigSet(t.Context(), "slowlog-max-len", "2"))
		for i := range 3 {
			must(t, c.Set(t.Context(), "a", i, 0))
		}
		log := must(t, c.SlowLogGet(t.Context(), -1))
		if len(log) != 2 || strings.Join(log[0].Args, " ") != "set a 2" || strings.Join(log[1].Args, " ") != "set a 1" {
			t.Fatalf("%+v", log)
		}
	})
}

// raw sends bytes and QUIT on a connection of its own and returns what comes back until it is closed, or the time is over.
func raw(t testing.TB, s *redis.Server, data string, within time.Duration) string {
	t.Helper()
	conn, err := s.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		_, _ = io.WriteString(conn, data)
		_, _ = io.WriteString(conn, "\r\nQUIT\r\n")
	}()
	_ = conn.SetReadDeadline(time.Now().Add(within))
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func TestProtocol(t *testing.T) {
	for _, c := range []struct{ name, send, want string }{
		{"a line of words is a command", "SET a 'b c'\r\nGET a", "+OK\r\n$3\r\nb c\r\n+OK\r\n"},
		{"an empty line is nothing", "\r\n\r\nPING", "+PONG\r\n+OK\r\n"},
		{"several commands at once are answered in order", "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n", "+PONG\r\n$1\r\nx\r\n+OK\r\n"},
		{"an empty array is nothing", "*0\r\n*-1\r\nPING", "+PONG\r\n+OK\r\n"},
		{"what is no length ends the connection", "*x\r\nPING", "-ERR Protocol error: invalid multibulk length\r\n"},
		{"too many arguments end the connection", "*1048577\r\n", "-ERR Protocol error: invalid multibulk length\r\n"},
		{"what is no bulk string ends the connection", "*1\r\n:1\r\n", "-ERR Protocol error: expected '$', got ':'\r\n"},
		{"a negative bulk length ends the connection", "*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
		{"a bulk of 4 GB ends the connection", "*1\r\n$4294967296\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
		{"an open quote ends the connection", "SET a 'b\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"},
		{"a line that does not end ends the connection", strings.Repeat("x", 1<<17), "-ERR Protocol error: too big inline request\r\n"},
		{"a huge number of random elements is refused", "SADD s a\r\nSRANDMEMBER s -9000000000\r\nSRANDMEMBER s -2", ":1\r\n-ERR value is out of range\r\n*2\r\n$1\r\na\r\n$1\r\na\r\n+OK\r\n"},
		{"what the store cannot answer fails that command only", "EVAL 'return tostring' 0\r\nGET a", "-ERR internal error\r\n$-1\r\n+OK\r\n"},
		{"a table that contains itself is refused", "EVAL 'local a={} a[1]=a return a' 0\r\nGET a", "-ERR reached lua stack limit\r\n$-1\r\n+OK\r\n"},
		{"so is one beside other elements", "EVAL 'local a={1,\"xy\"} a[3]=a return a' 0\r\nGET a", "-ERR reached lua stack limit\r\n$-1\r\n+OK\r\n"},
		{"a table in a table is an answer", "EVAL 'return {1,{2,{\"x\"},{}},3}' 0", "*3\r\n:1\r\n*3\r\n:2\r\n*1\r\n$1\r\nx\r\n*0\r\n:3\r\n+OK\r\n"},
		{"the words of another protocol are no command", "GET / HTTP/1.1\r\n", "-ERR wrong number of arguments for 'get' command\r\n+OK\r\n"},
	} {
		inBubble(t, c.name, func(t *testing.T, s *redis.Server) {
			if got := raw(t, s, c.send, time.Second); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			if got := raw(t, s, "PING", time.Second); got != "+PONG\r\n+OK\r\n" {
				t.Fatalf("the server answers %q afterwards", got)
			}
		})
	}
}

func TestReplyModes(t *testing.T) {
	inBubble(t, "CLIENT REPLY keeps answers back", func(t *testing.T, s *redis.Server) {
		got := raw(t, s, "CLIENT REPLY SKIP\r\nSET a 1\r\nSET a 2\r\nCLIENT REPLY OFF\r\nSET a 3\r\nCLIENT REPLY ON\r\nGET a", time.Second)
		if want := "+OK\r\n+OK\r\n$1\r\n3\r\n+OK\r\n"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// failures is a log that keeps what went wrong in the server.
type failures struct{ found chan string }

func (h failures) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (h failures) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h failures) WithGroup(string) slog.Handler                { return h }
func (h failures) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += "\n" + a.String(); return true })
	select {
	case h.found <- text:
	default:
	}
	return nil
}

func FuzzConnection(f *testing.F) {
	log := failures{make(chan string, 1)}
	s := redis.New(redis.Options{Log: slog.New(log)})
	defer s.Close()
	for _, seed := range []string{"*1\r\n$4\r\nPING\r\n", "SET a 'b", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n", "*-1\r\n", "MULTI\r\nXADD s * a b\r\nEXEC\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		if len(data) > 1<<12 {
			return
		}
		fuzzed(t, s, log, data)
	})
}

// fuzzed sends bytes, and asks whether the server still lives and has nothing to complain of.
func fuzzed(t *testing.T, s *redis.Server, log failures, data string) {
	t.Helper()
	raw(t, s, data, 20*time.Millisecond)
	if got := raw(t, s, "RESET", 5*time.Second); got != "+RESET\r\n+OK\r\n" {
		t.Fatalf("the server answers %q", got)
	}
	select {
	case failure := <-log.found:
		t.Fatal(failure)
	default:
	}
}

func FuzzCommand(f *testing.F) {
	log := failures{make(chan string, 1)}
	s := redis.New(redis.Options{Log: slog.New(log)})
	defer s.Close()
	for _, seed := range []string{
		"XADD s MAXLEN ~ 10 LIMIT 1 * a b", "XREADGROUP GROUP g c COUNT 1 NOACK STREAMS s >", "XCLAIM s g c 0 1-1 FORCE RETRYCOUNT 1 IDLE 1", "XAUTOCLAIM s g c 0 0 COUNT 1",
		"XPENDING s g IDLE 1 - + 1 c", "XINFO STREAM s FULL COUNT 1", "XGROUP CREATE s g $ MKSTREAM ENTRIESREAD 1", "XSETID s 1-1 ENTRIESADDED 1 MAXDELETEDID 0-1", "XRANGE s (1 + COUNT 1",
		"SET a b EX 1 NX GET", "EXPIRE a 1 GT", "GETEX a PXAT 1", "ZADD z NX CH 1 a", "BZMPOP 0.01 1 z MIN COUNT 1", "LMPOP 1 l LEFT", "EVAL return{1} 0", "CLIENT KILL TYPE normal SKIPME yes",
		"CONFIG SET client-output-buffer-limit normal", "HELLO 3 AUTH a b SETNAME c", "COPY a b DB 1 REPLACE", "ZRANGE z 0 -1 REV WITHSCORES LIMIT 0 1", "SCAN 0 MATCH * COUNT 1 TYPE stream",
		"GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m ASC", "BITOP AND a b c", "LPOS l a RANK 1", "PUBSUB NUMSUB a", "SLOWLOG GET 1", "OBJECT FREQ a", "SINTERCARD 1 s LIMIT 1", "HRANDFIELD h 1 WITHVALUES",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, command string) {
		words := strings.Fields(command)
		if len(words) == 0 || len(words) > 12 || len(command) > 300 {
			return
		}
		switch strings.ToLower(words[0]) {
		case "eval", "eval_ro": // a script may run for ever, in Redis too
			return
		}
		var b strings.Builder
		fmt.Fprintf(&b, "*%d\r\n", len(words))
		for _, w := range words {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
		}
		fuzzed(t, s, log, b.String())
	})
}
