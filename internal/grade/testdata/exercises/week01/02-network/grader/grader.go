// Package grader holds no exercise: its scenarios say what a process's network does, and report where it does not.
package grader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/redis/go-redis/v9"

	"github.com/brokerdojo/brokerdojo/internal/grade"
)

// Implementation is empty: the grader does everything.
type Implementation struct{}

var unexpected = grade.Finding{Name: "unexpected", Cause: "The network of a process does not do what its comment says.", Lesson: "week01#none"}

// Exercise is the network's test.
var Exercise = grade.Exercise[Implementation]{
	Services: []string{"aws", "redis"},
	Findings: []grade.Finding{unexpected},
	Scenarios: []grade.Scenario[Implementation]{
		{Name: "a call takes the latency of AWS and is counted", Run: on(latency)},
		{Name: "a throttled SQS client tries again, and only what arrives counts", Run: on(throttledOnce)},
		{Name: "SQS throttles with its own error", Run: on(throttledSQS)},
		{Name: "SNS throttles with its own error", Run: on(throttledSNS)},
		{Name: "a lost request never reaches SQS", Run: on(lostRequest)},
		{Name: "SQS has done what a lost response was about", Run: on(lostResponse)},
		{Name: "a process that crashes before a call does not make it", Run: on(crashBefore)},
		{Name: "a process that crashes after a call has made it", Run: on(crashAfter)},
		{Name: "a crash ends a long poll at the broker too", Run: on(crashInPoll)},
		{Name: "a crash reaches the context after the network", Run: on(crashContext)},
		{Name: "a delay makes the one operation slow", Run: on(delay)},
		{Name: "a disconnect breaks the call that is under way", Run: on(disconnect)},
		{Name: "a partition holds calls up until it heals", Run: on(partition)},
		{Name: "a partition does not outlast the call's own context", Run: on(partitionDeadline)},
		{Name: "a FIFO queue has a price of its own", Run: on(fifoPrice)},
		{Name: "64 KiB are one request to pay", Run: on(bigMessage)},
		{Name: "Redis commands are counted by name, in pipelines too", Run: on(redisCount)},
		{Name: "a lost request never reaches Redis", Run: on(redisLostRequest)},
		{Name: "Redis has done what a lost response was about", Run: on(redisLostResponse)},
		{Name: "a process that crashes after a Redis command has made it", Run: on(redisCrashAfter)},
		{Name: "a Redis command can be slow", Run: on(redisDelay)},
		{Name: "a partition from Redis looks like silence and delivers when it heals", Run: on(redisPartition)},
		{Name: "a Redis client connects again after a disconnect", Run: on(redisDisconnect)},
		{Name: "a Redis client subscribes while it already listens", Run: on(redisSubscribeLate)},
		{Name: "a client may know its broker by a host's name", Run: on(redisHostName)},
		{Name: "signal.NotifyContext does not stop the clock", Run: on(notify)},
		{Name: "a stopped process's errors leave out that it was stopped", Run: on(stop)},
		{Name: "processes are at different distances", Run: on(distances)},
	},
}

// network is what each scenario has at hand.
type network struct {
	l     *grade.Lab
	p     *grade.Process
	ours  *sqs.Client
	queue *string
}

func on(f func(n *network)) func(*grade.Lab, Implementation) {
	return func(l *grade.Lab, _ Implementation) {
		n := &network{l: l, p: l.Process("the process"), ours: sqs.NewFromConfig(l.Cloud().AWS())}
		q, err := n.ours.CreateQueue(l.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q")})
		if err != nil {
			panic(err)
		}
		n.queue = q.QueueUrl
		f(n)
	}
}

// check reports unless ok.
func (n *network) check(ok bool, format string, args ...any) {
	if !ok {
		n.l.Report(unexpected, fmt.Sprintf(format, args...), "see the scenario")
	}
}

// equal reports unless got is want.
func equal[T comparable](n *network, what string, got, want T) {
	n.check(got == want, "%s: got %v, want %v", what, got, want)
}

// client is an SQS client of the process that does not retry.
func (n *network) client() *sqs.Client {
	config := n.p.AWS()
	config.Retryer = func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }
	return sqs.NewFromConfig(config)
}

func (n *network) send(client *sqs.Client) error {
	return n.p.Do(func(ctx context.Context) error { return sendTo(ctx, client, n.queue, "hello") })
}

func sendTo(ctx context.Context, client *sqs.Client, queue *string, body string) error {
	_, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: &body})
	return err
}

// stored is how many messages the queue holds, visible or not.
func (n *network) stored() int {
	out, err := n.ours.GetQueueAttributes(n.l.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: n.queue, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
	})
	if err != nil {
		panic(err)
	}
	var visible, hidden int
	fmt.Sscan(out.Attributes["ApproximateNumberOfMessages"], &visible)
	fmt.Sscan(out.Attributes["ApproximateNumberOfMessagesNotVisible"], &hidden)
	return visible + hidden
}

func since(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func latency(n *network) {
	client := n.client()
	took := since(func() { n.check(n.send(client) == nil, "send fails") })
	equal(n, "latency", took, grade.AWSLatency)
	equal(n, "calls", n.p.Calls("SendMessage"), 1)
	equal(n, "calls of others", n.p.Calls("ReceiveMessage"), 0)
}

func throttledOnce(n *network) {
	n.p.Throttle("SendMessage", 2)
	client := sqs.NewFromConfig(n.p.AWS())
	took := since(func() {
		err := n.send(client)
		n.check(err == nil, "the third try fails: %v", err)
	})
	n.check(took > 3*grade.AWSLatency, "no backoff: %v", took)
	equal(n, "calls", n.p.Calls("SendMessage"), 1)
	equal(n, "stored", n.stored(), 1)
}

func throttledSQS(n *network) {
	n.p.Throttle("SendMessage", grade.Always)
	err := n.send(n.client())
	var typed *types.RequestThrottled
	n.check(errors.As(err, &typed), "not a RequestThrottled: %v", err)
	equal(n, "stored", n.stored(), 0)
}

func throttledSNS(n *network) {
	n.p.Throttle("Publish", grade.Always)
	config := n.p.AWS()
	config.Retryer = func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }
	err := n.p.Do(func(ctx context.Context) error {
		_, err := sns.NewFromConfig(config).Publish(ctx, &sns.PublishInput{TopicArn: aws.String("arn:aws:sns:us-east-1:000000000000:t"), Message: aws.String("hello")})
		return err
	})
	var api smithy.APIError
	n.check(errors.As(err, &api) && api.ErrorCode() == "ThrottlingException", "not throttled: %v", err)
}

func lostRequest(n *network) {
	n.p.LoseRequest("SendMessage", 1)
	n.check(n.send(n.client()) != nil, "the client sees no error")
	equal(n, "stored", n.stored(), 0)
	equal(n, "calls", n.p.Calls("SendMessage"), 0)
	n.check(n.send(n.client()) == nil, "the second call fails too")
}

func lostResponse(n *network) {
	n.p.LoseResponse("SendMessage", 1)
	n.check(n.send(n.client()) != nil, "the client sees no error")
	equal(n, "stored", n.stored(), 1)
	n.check(n.send(sqs.NewFromConfig(n.p.AWS())) == nil, "a client cannot send again")
}

func crashBefore(n *network) {
	n.p.CrashBefore("SendMessage")
	n.check(n.send(n.client()) != nil, "the client sees no error")
	n.check(n.p.Crashed(), "the process lives")
	equal(n, "stored", n.stored(), 0)
}

func crashAfter(n *network) {
	n.p.CrashAfter("SendMessage")
	n.check(n.send(n.client()) != nil, "the client sees no error")
	n.check(n.p.Crashed(), "the process lives")
	equal(n, "stored", n.stored(), 1)
}

func crashInPoll(n *network) {
	client := n.client()
	var received int
	n.p.Go(func(ctx context.Context) error {
		// With a context of its own, so that only the network can end it.
		out, err := client.ReceiveMessage(context.WithoutCancel(ctx), &sqs.ReceiveMessageInput{QueueUrl: n.queue, WaitTimeSeconds: 20})
		if err == nil {
			received = len(out.Messages)
		}
		return err
	})
	time.Sleep(5 * time.Second)
	took := since(func() {
		n.p.Crash()
		n.check(n.p.Wait() != nil, "the poll ends well")
	})
	equal(n, "the crash takes effect", took, 0)
	time.Sleep(time.Millisecond) // for the broker to notice
	if err := sendTo(n.l.Context(), n.ours, n.queue, "hello"); err != nil {
		panic(err)
	}
	out, err := n.ours.ReceiveMessage(n.l.Context(), &sqs.ReceiveMessageInput{QueueUrl: n.queue})
	n.check(err == nil && len(out.Messages) == 1 && received == 0, "the message went to the process that crashed: %v", err)
}

func crashContext(n *network) {
	var reached error
	n.p.Go(func(ctx context.Context) error {
		<-ctx.Done()
		reached = sendTo(context.WithoutCancel(ctx), n.client(), n.queue, "too late")
		return nil
	})
	time.Sleep(time.Second)
	n.p.Crash()
	n.p.Wait()
	n.check(reached != nil, "a crashed process still reaches the broker")
	equal(n, "stored", n.stored(), 0)
}

func delay(n *network) {
	n.p.Delay("SendMessage", 2*time.Second)
	client := n.client()
	equal(n, "slow", since(func() { n.send(client) }), 2*time.Second+grade.AWSLatency)
	n.p.Delay("SendMessage", 0)
	equal(n, "as before", since(func() { n.send(client) }), grade.AWSLatency)
}

func disconnect(n *network) {
	client := n.client()
	n.p.Go(func(ctx context.Context) error {
		_, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: n.queue, WaitTimeSeconds: 20})
		return err
	})
	time.Sleep(5 * time.Second)
	n.p.Disconnect()
	n.check(n.p.Wait() != nil, "the poll goes on")
	n.check(n.send(client) == nil, "the client cannot connect again")
}

func partition(n *network) {
	n.p.Partition()
	time.AfterFunc(time.Minute, n.p.Heal)
	client := n.client()
	took := since(func() { n.check(n.send(client) == nil, "the call fails") })
	n.check(took >= time.Minute && took < time.Minute+time.Second, "the call took %v", took)
	equal(n, "stored", n.stored(), 1)
}

func partitionDeadline(n *network) {
	n.p.Partition()
	client := n.client()
	err := n.p.Do(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		return sendTo(ctx, client, n.queue, "hello")
	})
	n.check(errors.Is(err, context.DeadlineExceeded), "not the deadline: %v", err)
	n.p.Heal()
	equal(n, "stored", n.stored(), 0)
}

func fifoPrice(n *network) {
	client := n.client()
	q, err := n.ours.CreateQueue(n.l.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q.fifo"), Attributes: map[string]string{"FifoQueue": "true"}})
	if err != nil {
		panic(err)
	}
	n.p.Do(func(ctx context.Context) error {
		_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: q.QueueUrl, MessageBody: aws.String("hello"), MessageGroupId: aws.String("g"), MessageDeduplicationId: aws.String("d"),
		})
		n.check(err == nil, "send fails: %v", err)
		return nil
	})
	n.l.Cost(1, 0.50)
}

func bigMessage(n *network) {
	client := n.client()
	n.p.Do(func(ctx context.Context) error {
		body := string(slices.Repeat([]byte("x"), 100<<10))
		if err := sendTo(ctx, client, n.queue, body); err != nil {
			panic(err)
		}
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: n.queue})
		n.check(err == nil && len(out.Messages) == 1, "receive fails: %v", err)
		return nil
	})
	n.l.Cost(1, 1.00) // two requests to send and two to receive: $1.60 for a million
}

// redis is a client of the process that does not retry.
func (n *network) redis() *redis.Client {
	options := n.p.Redis()
	options.MaxRetries = -1
	options.ReadTimeout = 3 * time.Second
	return redis.NewClient(options)
}

func (n *network) push(rdb *redis.Client) error {
	return n.p.Do(func(ctx context.Context) error { return rdb.RPush(ctx, "list", "hello").Err() })
}

func (n *network) listed() int64 {
	rdb := redis.NewClient(n.l.Cloud().Redis())
	defer rdb.Close()
	return rdb.LLen(n.l.Context(), "list").Val()
}

func redisCount(n *network) {
	rdb := n.redis()
	defer rdb.Close()
	n.p.Do(func(ctx context.Context) error {
		n.check(rdb.Ping(ctx).Err() == nil, "ping fails")
		equal(n, "latency", since(func() { rdb.Ping(ctx) }), grade.ConnLatency)
		pipe := rdb.Pipeline()
		for range 3 {
			pipe.RPush(ctx, "list", string(slices.Repeat([]byte("x"), 50<<10)))
		}
		_, err := pipe.Exec(ctx)
		n.check(err == nil, "pipeline fails: %v", err)
		return nil
	})
	equal(n, "calls of PING", n.p.Calls("PING"), 2)
	equal(n, "calls of RPUSH", n.p.Calls("RPUSH"), 3)
	equal(n, "listed", n.listed(), 3)
}

func redisLostRequest(n *network) {
	rdb := n.redis()
	defer rdb.Close()
	n.p.LoseRequest("RPUSH", 1)
	n.check(n.push(rdb) != nil, "the client sees no error")
	equal(n, "listed", n.listed(), 0)
	n.check(n.push(rdb) == nil, "the client cannot push again")
	equal(n, "calls", n.p.Calls("RPUSH"), 1)
}

func redisLostResponse(n *network) {
	rdb := n.redis()
	defer rdb.Close()
	n.p.LoseResponse("RPUSH", 1)
	n.check(n.push(rdb) != nil, "the client sees no error")
	equal(n, "listed", n.listed(), 1)
	n.check(n.push(rdb) == nil, "the client cannot push again")
}

func redisCrashAfter(n *network) {
	rdb := n.redis()
	defer rdb.Close()
	n.p.CrashAfter("RPUSH")
	n.check(n.push(rdb) != nil, "the client sees no error")
	n.check(n.p.Crashed(), "the process lives")
	equal(n, "listed", n.listed(), 1)
	n.check(rdb.Ping(n.l.Context()).Err() != nil, "a crashed process still reaches Redis")
}

func redisDelay(n *network) {
	rdb := n.redis()
	defer rdb.Close()
	n.push(rdb)
	n.p.Delay("RPUSH", 2*time.Second)
	equal(n, "slow", since(func() { n.push(rdb) }), 2*time.Second+grade.ConnLatency)
}

func redisPartition(n *network) {
	rdb := n.redis()
	defer rdb.Close()
	n.push(rdb)
	n.p.Partition()
	took := since(func() { n.check(n.push(rdb) != nil, "a command gets through") })
	equal(n, "the client's read timeout", took, 3*time.Second)
	equal(n, "listed", n.listed(), 1)

	// The client closed the connection that timed out; one that is open delivers.
	n.p.Heal()
	sub := rdb.Subscribe(n.l.Context(), "news")
	defer sub.Close()
	if _, err := sub.Receive(n.l.Context()); err != nil {
		panic(err)
	}
	n.p.Partition()
	ours := redis.NewClient(n.l.Cloud().Redis())
	defer ours.Close()
	equal(n, "receivers", ours.Publish(n.l.Context(), "news", "hello").Val(), 1)
	time.AfterFunc(time.Minute, n.p.Heal)
	took = since(func() {
		m, err := sub.ReceiveMessage(n.l.Context())
		n.check(err == nil && m.Payload == "hello", "nothing arrives: %v", err)
	})
	n.check(took >= time.Minute && took < time.Minute+time.Second, "it arrived after %v", took)
}

func redisDisconnect(n *network) {
	rdb := n.redis()
	defer rdb.Close()
	sub := rdb.Subscribe(n.l.Context(), "news")
	defer sub.Close()
	if _, err := sub.Receive(n.l.Context()); err != nil {
		panic(err)
	}
	n.p.Disconnect()
	_, err := sub.Receive(n.l.Context())
	n.check(err != nil, "the subscription's connection is still there")
	again, err := sub.Receive(n.l.Context())
	_, ok := again.(*redis.Subscription)
	n.check(err == nil && ok, "the client does not subscribe again: %v %v", again, err)
	n.check(n.push(rdb) == nil, "the client cannot push")
}

// redisSubscribeLate is for go-redis's PubSub: it holds its lock while it connects, and whoever wants the lock then must not
// stop the clock.
func redisSubscribeLate(n *network) {
	rdb := n.redis()
	defer rdb.Close()
	sub := rdb.Subscribe(n.l.Context())
	defer sub.Close()
	messages := sub.Channel()
	n.check(sub.PSubscribe(n.l.Context(), "news.*") == nil, "the client cannot subscribe")
	time.Sleep(time.Second)
	rdb.Publish(n.l.Context(), "news.today", "hello")
	select {
	case m := <-messages:
		equal(n, "payload", m.Payload, "hello")
	case <-time.After(time.Minute):
		n.check(false, "nothing arrives")
	}
}

// Both of the next two touch a global that the standard library fills on first use.

func redisHostName(n *network) {
	options := n.p.Redis()
	options.Addr = "localhost:6379"
	rdb := redis.NewClient(options)
	defer rdb.Close()
	n.check(n.push(rdb) == nil, "push fails")
}

func notify(n *network) {
	n.p.Do(func(ctx context.Context) error {
		ctx, cancel := signal.NotifyContext(ctx, os.Interrupt)
		defer cancel()
		ctx, cancel = context.WithTimeout(ctx, time.Hour)
		defer cancel()
		<-ctx.Done()
		return nil
	})
}

func stop(n *network) {
	mine := errors.New("mine")
	n.p.Go(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	n.p.Go(func(ctx context.Context) error { <-ctx.Done(); return mine })
	took := since(func() {
		err := n.p.Stop()
		n.check(errors.Is(err, mine) && !errors.Is(err, context.Canceled), "Stop returns %v", err)
	})
	equal(n, "time to stop", took, 0)
}

func distances(n *network) {
	other := n.l.Process("another")
	client := sqs.NewFromConfig(other.AWS())
	took := since(func() {
		other.Do(func(ctx context.Context) error { return sendTo(ctx, client, n.queue, "hello") })
	})
	n.check(took > grade.AWSLatency && took < grade.AWSLatency+time.Millisecond, "it takes %v", took)
}
