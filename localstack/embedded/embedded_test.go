package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerdojo/brokerdojo/localstack/embedded"
)

func start(t *testing.T, o embedded.Options) *embedded.Cloud {
	t.Helper()
	o.Ports = embedded.Auto
	cloud, err := embedded.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return cloud
}

// use sends something through every service, and wants it back.
func use(t *testing.T, cloud *embedded.Cloud) {
	t.Helper()
	ctx := t.Context()
	queues := sqs.NewFromConfig(cloud.AWS())
	queue, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String("17")}); err != nil {
		t.Fatal(err)
	}
	if got, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl}); err != nil || len(got.Messages) != 1 {
		t.Errorf("SQS: %v %v", got, err)
	}

	rdb := redis.NewClient(cloud.Redis())
	defer func() { _ = rdb.Close() }()
	if err := rdb.Set(ctx, "order", "17", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := rdb.Get(ctx, "order").Result(); got != "17" || err != nil {
		t.Errorf("Redis: %q %v", got, err)
	}

	kafka, err := kgo.NewClient(append(cloud.Kafka(), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("orders"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	if err := kafka.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("17")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	fetches := kafka.PollFetches(ctx)
	if records := fetches.Records(); fetches.Err() != nil || len(records) != 1 || string(records[0].Value) != "17" {
		t.Errorf("Kafka: %v %v", records, fetches.Err())
	}

	rabbit, err := amqp091.DialConfig(cloud.RabbitMQ())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rabbit.Close() }()
	ch, err := rabbit.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("orders", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirmed, err := ch.PublishWithDeferredConfirm("", "orders", true, false, amqp091.Publishing{Body: []byte("17")})
	if err != nil || !confirmed.Wait() {
		t.Fatal(err)
	}
	if got, ok, err := ch.Get("orders", true); !ok || string(got.Body) != "17" || err != nil {
		t.Errorf("RabbitMQ: %s %v %v", got.Body, ok, err)
	}
}

func TestAStartedCloudServesEveryServiceOnLoopback(t *testing.T) {
	cloud := start(t, embedded.Options{})
	use(t, cloud)
	for _, e := range cloud.Endpoints() {
		addresses := e.Address
		if u, err := url.Parse(e.Address); err == nil && u.Host != "" {
			addresses = u.Host
		}
		for address := range strings.SplitSeq(addresses, ",") {
			if host, _, err := net.SplitHostPort(address); host != "127.0.0.1" || err != nil {
				t.Errorf("%s listens on %s", e.Service, address)
			}
		}
	}
}

func TestManyCloudsShareNothing(t *testing.T) {
	for range 3 {
		use(t, start(t, embedded.Options{})) // each finds one order, its own
	}
}

func TestATakenPortIsReplacedAndSaid(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:6379")
	if err != nil {
		t.Skipf("something else has the port of Redis already: %v", err)
	}
	defer func() { _ = taken.Close() }()
	cloud, err := embedded.Start(t.Context(), embedded.Options{Services: []string{embedded.Redis}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cloud.Close() }()
	e := cloud.Endpoints()[0]
	if !slices.Equal(e.Wanted, []int{6379}) || e.Address == "127.0.0.1:6379" {
		t.Errorf("endpoint %+v", e)
	}
	rdb := redis.NewClient(cloud.Redis())
	defer func() { _ = rdb.Close() }()
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheNamedServicesStart(t *testing.T) {
	cloud := start(t, embedded.Options{Services: []string{embedded.Redis}})
	if got := cloud.Endpoints(); len(got) != 1 || got[0].Service != embedded.Redis {
		t.Errorf("endpoints %+v", got)
	}
	if env := cloud.Env(); len(env) != 1 || env[0].Name != "REDIS_URL" {
		t.Errorf("environment %v", env)
	}
	_, err := embedded.Start(t.Context(), embedded.Options{Services: []string{"rabbit"}})
	if err == nil || !strings.Contains(err.Error(), `"rabbit": the services are aws, redis, kafka`) {
		t.Errorf("an unknown service: %v", err)
	}
}

func TestCloseEndsALongPollAtOnce(t *testing.T) {
	cloud := start(t, embedded.Options{Services: []string{embedded.AWS}})
	client := sqs.NewFromConfig(cloud.AWS(), func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} })
	queue, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("idle")})
	if err != nil {
		t.Fatal(err)
	}
	polled := make(chan error, 1)
	go func() {
		_, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 20})
		polled <- err
	}()
	if err := cloud.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-polled; err == nil { // the test's time limit is the bound: an open poll would take 20 s
		t.Error("the poll of a closed cloud returned no error")
	}
	if err := cloud.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func TestAccountsAndRegionsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := embedded.InMemory(embedded.Options{Services: []string{embedded.AWS}})
		defer func() { _ = cloud.Close() }()
		client := func(account, region string) *sqs.Client {
			config := cloud.AWS()
			config.Region = region
			config.Credentials = credentials.NewStaticCredentialsProvider(account, "secret", "")
			return sqs.NewFromConfig(config)
		}
		places := [][2]string{{"111111111111", "us-east-1"}, {"222222222222", "us-east-1"}, {"111111111111", "eu-west-1"}}
		for _, place := range places {
			queue, err := client(place[0], place[1]).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("orders")})
			if err != nil || !strings.HasSuffix(aws.ToString(queue.QueueUrl), "/"+place[0]+"/orders") {
				t.Fatal(queue, err)
			}
			if _, err := client(place[0], place[1]).SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String(fmt.Sprint(place))}); err != nil {
				t.Fatal(err)
			}
		}
		for _, place := range places {
			c := client(place[0], place[1])
			queue, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("orders")})
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10})
			if err != nil || len(got.Messages) != 1 || aws.ToString(got.Messages[0].Body) != fmt.Sprint(place) {
				t.Errorf("%v received %v, %v", place, got, err)
			}
		}
	})
}

func TestATopicReachesAWebServerInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := embedded.InMemory(embedded.Options{Services: []string{embedded.AWS}})
		defer func() { _ = cloud.Close() }()
		asked := make(chan string, 10)
		cloud.HandleHTTP("shop.test", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			asked <- r.Header.Get("X-Amz-Sns-Message-Type") + " " + string(body)
		}))
		client := sns.NewFromConfig(cloud.AWS())
		topic, err := client.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("events")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("http"), Endpoint: aws.String("http://shop.test/events")}); err != nil {
			t.Fatal(err)
		}
		got := <-asked
		if !strings.HasPrefix(got, "SubscriptionConfirmation ") {
			t.Errorf("the first request was %s", got)
		}
	})
}

func TestTheCloudCallsLoopbackOnly(t *testing.T) {
	cloud := start(t, embedded.Options{Services: []string{embedded.AWS}})
	topics := sns.NewFromConfig(cloud.AWS())
	topic, err := topics.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("events")})
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan struct{}, 1)
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called <- struct{}{} })}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	endpoint := url.URL{Scheme: "http", Host: listener.Addr().String(), Path: "/events"}
	if _, err := topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("http"), Endpoint: aws.String(endpoint.String())}); err != nil {
		t.Fatal(err)
	}
	<-called // the test's time limit is the bound

	_, err = embedded.LoopbackHTTP().RoundTrip(mustRequest(t, "http://192.0.2.1/"))
	if err == nil || !strings.Contains(err.Error(), "loopback addresses only") {
		t.Errorf("an address elsewhere: %v", err)
	}
}

func mustRequest(t *testing.T, target string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnUnknownServiceIsAnErrorOfItsOwn(t *testing.T) {
	cloud := start(t, embedded.Options{Services: []string{embedded.AWS}})
	r := mustRequest(t, cloud.Endpoints()[0].Address)
	r.Method = http.MethodPost
	r.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecord")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "does not serve Kinesis_20131202.PutRecord") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestAServiceThatIsNamedTwiceStartsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if something is left after Close
		cloud := embedded.InMemory(embedded.Options{Services: []string{embedded.Kafka, embedded.Kafka}})
		if err := cloud.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStartStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cloud, err := embedded.Start(ctx, embedded.Options{Ports: embedded.Auto})
	if err == nil {
		_ = cloud.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// BenchmarkStart is how long a cloud takes from nothing to ready, and to closed again.
func BenchmarkStart(b *testing.B) {
	for _, kind := range []string{"network", "memory"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				if kind == "memory" {
					_ = embedded.InMemory(embedded.Options{}).Close()
					continue
				}
				cloud, err := embedded.Start(b.Context(), embedded.Options{Ports: embedded.Auto})
				if err != nil {
					b.Fatal(err)
				}
				_ = cloud.Close()
			}
		})
	}
}
