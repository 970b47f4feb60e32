package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/internal/functions"
	"github.com/brokerdojo/brokerdojo/localstack/embedded"
)

const root = "../.."

func all(t *testing.T) []string {
	t.Helper()
	names, err := functions.All(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatal("there are no handlers")
	}
	return names
}

func build(t *testing.T, name string, target functions.Target) []byte {
	t.Helper()
	zipped, err := functions.Build(t.Context(), root, name, target)
	if err != nil {
		t.Fatal(err)
	}
	return zipped
}

func TestZipsAreSmall(t *testing.T) {
	for _, name := range all(t) {
		if size := len(build(t, name, functions.Lambda)); size > functions.MaxZip {
			t.Errorf("functions/%s is %d bytes, over %d", name, size, functions.MaxZip)
		}
	}
}

func TestSameSourceIsTheSameZipWhereverItIsBuilt(t *testing.T) {
	name := all(t)[0]
	first := build(t, name, functions.Lambda)
	elsewhere := t.TempDir()
	for _, part := range []string{"go.mod", "go.sum", "functions"} {
		info, err := os.Stat(filepath.Join(root, part))
		if err == nil && info.IsDir() {
			err = os.CopyFS(filepath.Join(elsewhere, part), os.DirFS(filepath.Join(root, part)))
		} else if err == nil {
			var content []byte
			if content, err = os.ReadFile(filepath.Join(root, part)); err == nil {
				err = os.WriteFile(filepath.Join(elsewhere, part), content, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOFLAGS", "-ldflags=-X=main.who=somebody")
	second, err := functions.Build(t.Context(), elsewhere, name, functions.Lambda)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("built in another folder and another environment it is another zip")
	}
}

func TestBuildSaysWhatTheCompilerSaid(t *testing.T) {
	_, err := functions.Build(t.Context(), root, "nowhere/sqs", functions.Host())
	if err == nil || !strings.Contains(err.Error(), "build functions/nowhere/sqs") {
		t.Errorf("error %v", err)
	}
	if _, err := functions.Build(t.Context(), root, all(t)[0], functions.Target{OS: "plan8", Arch: "z80"}); err == nil || !strings.Contains(err.Error(), "plan8/z80") {
		t.Errorf("error %v", err)
	}
}

// A stage is a local cloud with a pattern's handlers on it: the binaries that are deployed, built for this machine.
type stage struct {
	t      *testing.T
	ctx    context.Context
	cloud  *embedded.Cloud
	sqs    *sqs.Client
	sns    *sns.Client
	lambda *lambda.Client
}

var (
	buildOnce sync.Mutex
	zips      = map[string][]byte{}
)

func newStage(t *testing.T) *stage {
	t.Helper()
	t.Parallel()
	cloud, err := embedded.Start(t.Context(), embedded.Options{Services: []string{embedded.AWS}, Ports: embedded.Auto})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return &stage{t, t.Context(), cloud, sqs.NewFromConfig(cloud.AWS()), sns.NewFromConfig(cloud.AWS()), lambda.NewFromConfig(cloud.AWS())}
}

func (s *stage) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) queue(name string, attributes map[string]string) (url, arn string) {
	s.t.Helper()
	out, err := s.sqs.CreateQueue(s.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	s.ok(err)
	return *out.QueueUrl, "arn:aws:sqs:us-east-1:000000000000:" + name
}

// worked makes a queue with a dead letter queue: two receives, two seconds each.
func (s *stage) worked(name string) (url, arn, dead string) {
	s.t.Helper()
	dead, deadARN := s.queue(name+"-dead", nil)
	url, arn = s.queue(name, map[string]string{"VisibilityTimeout": "2", "RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":2}`, deadARN)})
	return url, arn, dead
}

func (s *stage) effects() string {
	s.t.Helper()
	url, _ := s.queue("effects.fifo", map[string]string{"FifoQueue": "true"})
	return url
}

// function makes a function of a handler.
func (s *stage) function(name, handler string, env map[string]string) {
	s.t.Helper()
	buildOnce.Lock()
	if zips[handler] == nil {
		zips[handler] = build(s.t, handler, functions.Host())
	}
	zipped := zips[handler]
	buildOnce.Unlock()
	_, err := s.lambda.CreateFunction(s.ctx, &lambda.CreateFunctionInput{
		FunctionName: &name, Role: aws.String("arn:aws:iam::000000000000:role/r"), Runtime: lambdatypes.RuntimeProvidedal2023, Handler: aws.String("bootstrap"),
		Code: &lambdatypes.FunctionCode{ZipFile: zipped}, Environment: &lambdatypes.Environment{Variables: env}, Timeout: aws.Int32(2),
	})
	s.ok(err)
}

func (s *stage) mapped(queueARN, function string) {
	s.t.Helper()
	_, err := s.lambda.CreateEventSourceMapping(s.ctx, &lambda.CreateEventSourceMappingInput{
		EventSourceArn: &queueARN, FunctionName: &function, FunctionResponseTypes: []lambdatypes.FunctionResponseType{lambdatypes.FunctionResponseTypeReportBatchItemFailures},
	})
	s.ok(err)
}

func (s *stage) send(url string, bodies ...string) {
	s.t.Helper()
	for _, body := range bodies {
		_, err := s.sqs.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body})
		s.ok(err)
	}
}

// collect takes n messages from a queue, and fails if they do not come within half a minute or if another follows.
func (s *stage) collect(url string, n int) (all []types.Message) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		wait := int32(2)
		if len(all) >= n {
			wait = 1
		}
		out, err := s.sqs.ReceiveMessage(s.ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait, MessageAttributeNames: []string{"All"}})
		s.ok(err)
		for _, m := range out.Messages {
			all = append(all, m)
			_, err := s.sqs.DeleteMessage(s.ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
			s.ok(err)
		}
		if len(out.Messages) == 0 && (len(all) >= n || time.Now().After(deadline)) {
			break
		}
	}
	if len(all) != n {
		s.t.Fatalf("%d messages came to %s, want %d", len(all), url, n)
	}
	return all
}

func bodies(messages []types.Message) []string {
	var list []string
	for _, m := range messages {
		list = append(list, *m.Body)
	}
	slices.Sort(list)
	return list
}

func (s *stage) wantEmpty(url string) {
	s.t.Helper()
	out, err := s.sqs.GetQueueAttributes(s.ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
	s.ok(err)
	if n, m := out.Attributes["ApproximateNumberOfMessages"], out.Attributes["ApproximateNumberOfMessagesNotVisible"]; n != "0" || m != "0" {
		s.t.Errorf("%s has %s messages and %s in flight", url, n, m)
	}
}

func TestWorkqueueMakesOneInvoiceOfEachOrderAndLosesNothing(t *testing.T) {
	s := newStage(t)
	url, arn, dead := s.worked("orders")
	s.ok(s.cloud.SQS().DeliverTwice(url, 10, 100*time.Millisecond)) // the queue's own duplicates
	s.ok(s.cloud.SQS().DeliverReversed(url, 20, time.Second))
	effects := s.effects()
	s.function("worker", "workqueue/sqs", map[string]string{"INVOICES_QUEUE_URL": effects})
	_, err := s.lambda.PutFunctionConcurrency(s.ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("worker"), ReservedConcurrentExecutions: aws.Int32(2)}) // so that some batches are throttled
	s.ok(err)
	const orders = 40
	for i := range orders {
		job := fmt.Sprintf(`{"id":"o-%d","customer":"c-%d","lines":[{"sku":"a","quantity":%d,"cents":250}]}`, i, i%3, i+1)
		s.send(url, job, job) // and a client's
	}
	s.send(url, "not JSON", `{"id":"o-x","lines":[]}`, `{"id":"o-y","lines":[{"sku":"a","quantity":-1,"cents":5}]}`)
	s.mapped(arn, "worker")
	seen := map[string]int64{}
	for _, m := range s.collect(effects, orders) {
		var invoice struct {
			OrderID string `json:"orderId"`
			Cents   int64  `json:"cents"`
		}
		s.ok(json.Unmarshal([]byte(*m.Body), &invoice))
		seen[invoice.OrderID] = invoice.Cents
	}
	for i := range orders {
		if got := seen[fmt.Sprint("o-", i)]; got != int64(i+1)*250 {
			t.Errorf("order %d is invoiced over %d", i, got)
		}
	}
	s.collect(dead, 3)
	s.wantEmpty(url)
}

func TestFanoutHasEachSubscriberActOnceOnEachEvent(t *testing.T) {
	s := newStage(t)
	effects := s.effects()
	topic, err := s.sns.CreateTopic(s.ctx, &sns.CreateTopicInput{Name: aws.String("orders")})
	s.ok(err)
	subscribers := []string{"confirmation", "stock", "analytics"}
	dead := map[string]string{}
	for _, name := range subscribers {
		_, arn, d := s.worked(name)
		dead[name] = d
		_, err := s.sns.Subscribe(s.ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &arn, Attributes: map[string]string{"RawMessageDelivery": "true"}})
		s.ok(err)
		s.function(name, "fanout/sqs", map[string]string{"SUBSCRIBER": name, "EFFECTS_QUEUE_URL": effects})
		s.mapped(arn, name)
	}
	const orders = 10
	for i := range orders {
		event := fmt.Sprintf(`{"id":"e-%d","order":"o-%d","email":"a@example.com","day":"2026-12-01","cents":1999,"items":{"cup":2},"new":"member"}`, i, i)
		for range 2 { // the publisher did not see the first answer
			_, err := s.sns.Publish(s.ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: &event})
			s.ok(err)
		}
	}
	// One that only the confirmation cannot use: the others are not held up.
	_, err = s.sns.Publish(s.ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String(`{"id":"e-x","order":"o-x","email":"nobody","cents":1}`)})
	s.ok(err)
	count := map[string]int{}
	for _, m := range s.collect(effects, orders*len(subscribers)+2) {
		var e struct{ Key, Effect string }
		s.ok(json.Unmarshal([]byte(*m.Body), &e))
		kind, _, _ := strings.Cut(e.Key, "-")
		count[kind]++
	}
	if want := map[string]int{"confirmation": orders, "stock": orders + 1, "analytics": orders + 1}; !maps.Equal(count, want) {
		t.Errorf("effects %v, want %v", count, want)
	}
	s.collect(dead["confirmation"], 1)
	s.collect(dead["stock"], 0)
}

func TestRoutingGivesEachRouteWhatItsFilterSays(t *testing.T) {
	s := newStage(t)
	effects := s.effects()
	topic, err := s.sns.CreateTopic(s.ctx, &sns.CreateTopicInput{Name: aws.String("orders")})
	s.ok(err)
	for route, filter := range map[string][2]string{
		"express": {"MessageAttributes", `{"service":["express"]}`}, "abroad": {"MessageBody", `{"country":[{"anything-but":["DE"]}]}`}, "large": {"MessageBody", `{"cents":[{"numeric":[">=",100000]}]}`},
	} {
		_, arn, _ := s.worked(route)
		_, err := s.sns.Subscribe(s.ctx, &sns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &arn,
			Attributes: map[string]string{"RawMessageDelivery": "true", "FilterPolicyScope": filter[0], "FilterPolicy": filter[1]}})
		s.ok(err)
		s.function(route, "routing/sqs", map[string]string{"ROUTE": route, "EFFECTS_QUEUE_URL": effects})
		s.mapped(arn, route)
	}
	publish := func(id, country string, cents int, service string) {
		_, err := s.sns.Publish(s.ctx, &sns.PublishInput{TopicArn: topic.TopicArn, Message: aws.String(fmt.Sprintf(`{"id":%q,"country":%q,"cents":%d}`, id, country, cents)),
			MessageAttributes: map[string]snstypes.MessageAttributeValue{"service": {DataType: aws.String("String"), StringValue: &service}}})
		s.ok(err)
	}
	publish("1", "DE", 100, "standard") // nobody's
	publish("2", "DE", 100, "express")
	publish("3", "FR", 100, "standard")
	publish("4", "US", 250000, "express") // everybody's
	got := bodies(s.collect(effects, 5))
	want := []string{"courier for order 2", "courier for order 4", "credit check of order 4 over 2500.00", "customs declaration of order 3 to FR", "customs declaration of order 4 to US"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

func TestDeadletterPutsPoisonAsideAndSendsBackWhatWasMended(t *testing.T) {
	s := newStage(t)
	url, arn, dead := s.worked("payments")
	receipts := s.effects()
	poison, _ := s.queue("poison", nil)
	env := map[string]string{"RECEIPTS_QUEUE_URL": receipts, "POISON_QUEUE_URL": poison, "CURRENCIES": "EUR"}
	s.function("charge", "deadletter/sqs", env)
	s.function("redrive", "deadletter/redrive", map[string]string{"DEAD_LETTER_QUEUE_URL": dead, "DEAD_LETTER_QUEUE_ARN": arn + "-dead", "PER_SECOND": "100"})
	s.mapped(arn, "charge")
	redrive := func(in string) (answer struct {
		Messages int
		Task     string
	}) {
		out, err := s.lambda.Invoke(s.ctx, &lambda.InvokeInput{FunctionName: aws.String("redrive"), Payload: []byte(in)})
		s.ok(err)
		if out.FunctionError != nil {
			t.Fatalf("redrive failed: %s", out.Payload)
		}
		s.ok(json.Unmarshal(out.Payload, &answer))
		return answer
	}
	s.send(url, `{"id":"p-1","cents":500,"currency":"EUR"}`, `{"id":"p-2","cents":-5,"currency":"EUR"}`, `{"id":"p-3","cents":700,"currency":"USD"}`)
	if got := bodies(s.collect(receipts, 1)); got[0] != "charged 5.00 EUR for p-1" {
		t.Errorf("receipt %q", got)
	}
	// The poison is aside at once, with its reason; the other is a dead letter after its two tries.
	if m := s.collect(poison, 1)[0]; *m.MessageAttributes["reason"].StringValue != "payment p-2 is over -5 cents" {
		t.Errorf("reason %q", *m.MessageAttributes["reason"].StringValue)
	}
	for n := 0; n < 1; {
		n = redrive(`{"dryRun":true}`).Messages
	}
	// The cause is mended, and the message sent back.
	env["CURRENCIES"] = "EUR,USD"
	_, err := s.lambda.UpdateFunctionConfiguration(s.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("charge"), Environment: &lambdatypes.Environment{Variables: env}})
	s.ok(err)
	if a := redrive(`{}`); a.Messages != 1 || a.Task == "" {
		t.Errorf("redrive answers %+v", a)
	}
	if got := bodies(s.collect(receipts, 1)); got[0] != "charged 7.00 USD for p-3" {
		t.Errorf("receipt %q", got)
	}
	s.wantEmpty(dead)
}

func TestHandlersRefuseToStartWithoutTheirConfiguration(t *testing.T) {
	s := newStage(t)
	for _, name := range all(t) {
		function := strings.ReplaceAll(name, "/", "-")
		s.function(function, name, nil)
		out, err := s.lambda.Invoke(s.ctx, &lambda.InvokeInput{FunctionName: &function, LogType: lambdatypes.LogTypeTail})
		s.ok(err)
		if out.FunctionError == nil || !strings.Contains(string(out.Payload), "Runtime.ExitError") {
			t.Errorf("%s answers %s", name, out.Payload)
		}
	}
}

func TestMain(m *testing.M) {
	if _, err := os.Stat(root + "/functions"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
