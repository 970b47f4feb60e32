// Package grader holds no exercise: its scenarios say what a process's network does to a Kafka client.
package grader

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// Implementation is empty: the grader does everything.
type Implementation struct{}

var unexpected = grade.Finding{Name: "unexpected", Cause: "The network of a process does not do what its comment says.", Lesson: "week01#none"}

// Exercise is the network's test.
var Exercise = grade.Exercise[Implementation]{
	Services: []string{"kafka"},
	Findings: []grade.Finding{unexpected},
	Scenarios: []grade.Scenario[Implementation]{
		{Name: "a producer's requests are counted and survive a disconnect", Run: produce},
		{Name: "a consumer reads on when a partition heals", Run: consume},
	},
}

func client(options []kgo.Opt, more ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(options, append(more, kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("t"))...)...)
	if err != nil {
		panic(err)
	}
	return c
}

func produce(l *grade.Lab, _ Implementation) {
	p := l.Process("producer")
	producer := client(p.Kafka())
	defer producer.Close()
	for i := range 3 {
		err := p.Do(func(ctx context.Context) error {
			return producer.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr()
		})
		if err != nil {
			l.Report(unexpected, fmt.Sprintf("Producing %d fails: %v", i, err), "It works.")
			return
		}
		p.Disconnect()
	}
	if got := p.Calls("Produce"); got != 3 {
		l.Report(unexpected, fmt.Sprintf("%d requests were counted.", got), "There were 3.")
	}
}

func consume(l *grade.Lab, _ Implementation) {
	ours := client(l.Cloud().Kafka())
	defer ours.Close()
	if err := ours.ProduceSync(l.Context(), kgo.StringRecord("one")).FirstErr(); err != nil {
		panic(err)
	}
	p := l.Process("consumer")
	consumer := client(p.Kafka(), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer consumer.Close()
	read := make(chan string, 10)
	p.Go(func(ctx context.Context) error {
		for {
			fetches := consumer.PollFetches(ctx)
			if ctx.Err() != nil {
				return nil
			}
			fetches.EachRecord(func(r *kgo.Record) { read <- string(r.Value) })
		}
	})
	time.Sleep(10 * time.Second)
	p.Partition()
	if err := ours.ProduceSync(l.Context(), kgo.StringRecord("two")).FirstErr(); err != nil {
		panic(err)
	}
	time.Sleep(10 * time.Second)
	during := len(read)
	p.Heal()
	time.Sleep(time.Minute)
	if during != 1 || len(read) != 2 {
		l.Report(unexpected, fmt.Sprintf("%d records were read before the partition healed, and %d in all.", during, len(read)), "1 and 2.")
	}
}
