//go:build synctests

package kafka_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Without the tag this test never ends: see the package's documentation.
func TestCommitsThatWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := inMemory(t)
		topic(t, c, "orders", 1, 3)
		cl := client(t, c, kgo.ConsumeTopics("orders"), kgo.ConsumerGroup("g"), kgo.DisableAutoCommit())
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		records := cl.PollFetches(t.Context()).Records()
		c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorLoadInProgress, Count: 3})
		var commits sync.WaitGroup
		for range 2 {
			commits.Go(func() {
				if err := cl.CommitRecords(t.Context(), records...); err != nil {
					t.Error(err)
				}
			})
		}
		commits.Wait()
	})
}
