package redis_test

import (
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/redis"
)

// Over loopback: go test -bench . -benchmem ./localstack/embedded/redis
func BenchmarkCommand(b *testing.B) {
	s := redis.New(redis.Options{})
	defer s.Close()
	addr, err := s.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	c := goredis.NewClient(&goredis.Options{Addr: addr.String()})
	defer c.Close()
	pipe := c.Pipeline()
	for i := range 10000 {
		pipe.Set(b.Context(), "key"+string(rune(i)), i, 0)
	}
	if _, err := pipe.Exec(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, command := range []struct {
		name string
		run  func() error
	}{
		{"SET with a time to live", func() error { return c.Set(b.Context(), "a", 1, 1000e9).Err() }},
		{"PUBLISH", func() error { return c.Publish(b.Context(), "news", "x").Err() }},
		{"XADD with MAXLEN", func() error {
			return c.XAdd(b.Context(), &goredis.XAddArgs{Stream: "s", MaxLen: 1000, Values: []any{"a", 1}}).Err()
		}},
	} {
		b.Run(command.name, func(b *testing.B) {
			for b.Loop() {
				if err := command.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(command.name+", 8 clients", func(b *testing.B) {
			b.SetParallelism(4)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := command.run(); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
