package sqs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	client "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sqs"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// The rules that the service keeps are tested in localstack/conformance. Here is what that cannot see: the other protocol, what the
// rest of the local cloud asks of SQS, and limits that take very many messages.

var discard = slog.New(slog.DiscardHandler)

// cloud is the service behind its endpoint.
type cloud struct {
	t       testing.TB
	service *sqs.Service
	handler http.Handler
}

func start(t testing.TB) *cloud {
	s := sqs.New(sqs.Options{})
	t.Cleanup(s.Close)
	return &cloud{t, s, aws.NewEndpoint(discard, s.API())}
}

func (c *cloud) do(path, target, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4566"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20261201/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
	if target != "" {
		r.Header.Set("X-Amz-Target", "AmazonSQS."+target)
	}
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	return w
}

// json calls an operation with in, an object or a text, and decodes the answer into out unless that is nil.
func (c *cloud) json(action string, in any, out any) *httptest.ResponseRecorder {
	c.t.Helper()
	text, ok := in.(string)
	if !ok {
		b, err := json.Marshal(in)
		if err != nil {
			c.t.Fatal(err)
		}
		text = string(b)
	}
	w := c.do("/", action, "application/x-amz-json-1.0", text)
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil || w.Code != http.StatusOK {
			c.t.Fatalf("%s: %d %s (%v)", action, w.Code, w.Body, err)
		}
	}
	return w
}

func (c *cloud) query(path string, form ...string) *httptest.ResponseRecorder {
	values := url.Values{"Version": {"2012-11-05"}}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	return c.do(path, "", "application/x-www-form-urlencoded", values.Encode())
}

func (c *cloud) create(name string, attributes map[string]string) (queueURL string) {
	c.t.Helper()
	var out struct{ QueueUrl string }
	c.json("CreateQueue", map[string]any{"QueueName": name, "Attributes": attributes}, &out)
	return out.QueueUrl
}

func (c *cloud) send(queueURL, body string) {
	c.t.Helper()
	c.json("SendMessage", map[string]string{"QueueUrl": queueURL, "MessageBody": body}, &struct{}{})
}

type received struct {
	Messages []struct {
		MessageId, ReceiptHandle, Body string
		Attributes                     map[string]string
	}
}

func (c *cloud) receive(queueURL string, n, waitSeconds int) (out received) {
	c.t.Helper()
	c.json("ReceiveMessage", map[string]any{"QueueUrl": queueURL, "MaxNumberOfMessages": n, "WaitTimeSeconds": waitSeconds, "MessageSystemAttributeNames": []string{"All"}}, &out)
	return out
}

func (r received) bodies() string {
	var all []string
	for _, m := range r.Messages {
		all = append(all, m.Body)
	}
	return strings.Join(all, " ")
}

func TestEveryOperationOfTheClientIsThere(t *testing.T) {
	operations := sqs.New(sqs.Options{}).API().Operations
	c := reflect.TypeFor[*client.Client]()
	found := 0
	for m := range c.Methods() {
		if m.Type.NumIn() != 4 || m.Name == "Options" { // receiver, context, input, options
			continue
		}
		found++
		if _, ok := operations[m.Name]; !ok {
			t.Errorf("no operation %s", m.Name)
		}
	}
	if found != len(operations) {
		t.Errorf("the client has %d operations, the service %d", found, len(operations))
	}
}

func TestQueryProtocol(t *testing.T) {
	c := start(t)
	q := "http://127.0.0.1:4566/000000000000/q"
	dead := "http://127.0.0.1:4566/000000000000/dead"
	policy := `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":3}`
	handle := regexp.MustCompile(`<ReceiptHandle>([^<]+)</ReceiptHandle>`)
	var receipt string
	for _, step := range []struct {
		name, path string
		form       []string
		want       []string
	}{
		{"a queue is created with attributes and tags", "/", []string{"Action", "CreateQueue", "QueueName", "dead", "Attribute.1.Name", "DelaySeconds", "Attribute.1.Value", "0", "Tag.1.Key", "team", "Tag.1.Value", "a"},
			[]string{`<CreateQueueResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><CreateQueueResult><QueueUrl>` + dead + `</QueueUrl></CreateQueueResult><ResponseMetadata><RequestId>`}},
		{"attributes hold JSON", "/", []string{"Action", "CreateQueue", "QueueName", "q", "Attribute.1.Name", "RedrivePolicy", "Attribute.1.Value", policy},
			[]string{"<QueueUrl>" + q + "</QueueUrl>"}},
		{"tags are listed", "/", []string{"Action", "ListQueueTags", "QueueUrl", dead}, []string{"<Tag><Key>team</Key><Value>a</Value></Tag>"}},
		{"queues are listed", "/", []string{"Action", "ListQueues"}, []string{"<QueueUrl>" + dead + "</QueueUrl><QueueUrl>" + q + "</QueueUrl>"}},
		{"dead-letter sources are listed", "/", []string{"Action", "ListDeadLetterSourceQueues", "QueueUrl", dead}, []string{"<QueueUrl>" + q + "</QueueUrl>"}},
		{"the queue may be named by the path", "/000000000000/q", []string{"Action", "SendMessage", "MessageBody", "a<b", "MessageAttribute.1.Name", "n", "MessageAttribute.1.Value.DataType", "Binary", "MessageAttribute.1.Value.BinaryValue", "AAE="},
			[]string{"<MD5OfMessageBody>", "<MD5OfMessageAttributes>", "<MessageId>"}},
		{"a message comes with its attributes", "/", []string{"Action", "ReceiveMessage", "QueueUrl", q, "AttributeName.1", "All", "MessageAttributeName.1", "n"},
			[]string{"<Body>a&lt;b</Body>", "<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>", "<MessageAttribute><Name>n</Name><Value><DataType>Binary</DataType><BinaryValue>AAE=</BinaryValue></Value></MessageAttribute>"}},
		{"visibility is changed in batches", "/", []string{"Action", "ChangeMessageVisibilityBatch", "QueueUrl", q, "ChangeMessageVisibilityBatchRequestEntry.1.Id", "x", "ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle", "$receipt", "ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout", "60"},
			[]string{"<ChangeMessageVisibilityBatchResultEntry><Id>x</Id></ChangeMessageVisibilityBatchResultEntry>"}},
		{"a message is deleted, with no result", "/", []string{"Action", "DeleteMessage", "QueueUrl", q, "ReceiptHandle", "$receipt"}, []string{"<DeleteMessageResponse", "/\"><ResponseMetadata>"}},
		{"messages are sent in batches", "/", []string{"Action", "SendMessageBatch", "QueueUrl", q, "SendMessageBatchRequestEntry.1.Id", "good", "SendMessageBatchRequestEntry.1.MessageBody", "m", "SendMessageBatchRequestEntry.2.Id", "bad", "SendMessageBatchRequestEntry.2.MessageBody", "m", "SendMessageBatchRequestEntry.2.DelaySeconds", "901"},
			[]string{"<SendMessageBatchResultEntry><Id>good</Id>", "<BatchResultErrorEntry><Id>bad</Id><SenderFault>true</SenderFault><Code>InvalidParameterValue</Code>"}},
		{"attributes are returned", "/", []string{"Action", "GetQueueAttributes", "QueueUrl", q, "AttributeName.1", "ApproximateNumberOfMessages", "AttributeName.2", "QueueArn"},
			[]string{"<Attribute><Name>ApproximateNumberOfMessages</Name><Value>1</Value></Attribute><Attribute><Name>QueueArn</Name><Value>arn:aws:sqs:us-east-1:000000000000:q</Value></Attribute>"}},
		{"permissions are added", "/", []string{"Action", "AddPermission", "QueueUrl", q, "Label", "l", "AWSAccountId.1", "111111111111", "ActionName.1", "*"}, []string{"<AddPermissionResponse"}},
		{"move tasks are listed", "/", []string{"Action", "ListMessageMoveTasks", "SourceArn", "arn:aws:sqs:us-east-1:000000000000:dead"}, []string{"<ListMessageMoveTasksResponse"}},
		{"an error has the query protocol's code", "/", []string{"Action", "GetQueueUrl", "QueueName", "none"},
			[]string{"<ErrorResponse", "<Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>The specified queue does not exist for this wsdl version.</Message>"}},
		{"a number that is none is refused", "/", []string{"Action", "ReceiveMessage", "QueueUrl", q, "MaxNumberOfMessages", "many"}, []string{"<Code>MalformedInput</Code>"}},
		{"a queue must be named", "/", []string{"Action", "PurgeQueue"}, []string{"<Code>MissingParameter</Code>"}},
		{"a queue must be named by its URL", "/", []string{"Action", "PurgeQueue", "QueueUrl", "q"}, []string{"<Code>InvalidAddress</Code>"}},
	} {
		t.Run(step.name, func(t *testing.T) {
			for i := range step.form {
				step.form[i] = strings.ReplaceAll(step.form[i], "$receipt", receipt)
			}
			answer := c.query(step.path, step.form...).Body.String()
			for _, want := range step.want {
				if !strings.Contains(answer, want) {
					t.Errorf("%s\nlacks %s", answer, want)
				}
			}
			if m := handle.FindStringSubmatch(answer); m != nil {
				receipt = m[1]
			}
		})
	}
}

func TestJSONErrorsCarryTheTypeAndTheQueryCode(t *testing.T) {
	c := start(t)
	q := c.create("q", nil)
	for _, test := range []struct{ action, in, wantType, wantQuery string }{
		{"GetQueueUrl", `{"QueueName":"none"}`, "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue;Sender"},
		{"SendMessage", `{"QueueUrl":"` + q + `"}`, "com.amazonaws.sqs#MissingRequiredParameterException", "MissingParameter;Sender"},
		{"CreateQueue", `{"QueueName":"a.b"}`, "com.amazonaws.sqs#InvalidParameterValueException", "InvalidParameterValue;Sender"},
		{"CreateQueue", `{"QueueName":"q","Attributes":{"DelaySeconds":"5"}}`, "com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists;Sender"},
		{"DeleteMessage", `{"QueueUrl":"` + q + `","ReceiptHandle":"x"}`, "com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid;Sender"},
		{"SendMessageBatch", `{"QueueUrl":"` + q + `","Entries":[]}`, "com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest;Sender"},
	} {
		w := c.json(test.action, test.in, nil)
		var e struct {
			Type string `json:"__type"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Type != test.wantType || w.Header().Get("X-Amzn-Query-Error") != test.wantQuery || w.Code < 400 || w.Code > 404 {
			t.Errorf("%s %s: %d %s %s", test.action, test.in, w.Code, w.Body, w.Header().Get("X-Amzn-Query-Error"))
		}
	}
}

// TestInFlightLimit: quotas-queues and quotas-fifo, with the error for short polls on standard queues only.
func TestInFlightLimit(t *testing.T) {
	for _, fifo := range []bool{false, true} {
		t.Run(fmt.Sprintf("fifo %t", fifo), func(t *testing.T) {
			c := start(t)
			attributes := map[string]string{"VisibilityTimeout": "43200"}
			name := "q"
			if fifo {
				name, attributes["FifoQueue"], attributes["ContentBasedDeduplication"] = "q.fifo", "true", "true"
			}
			q := c.create(name, attributes)
			for i := range 120_001 {
				m := sqs.Message{Body: fmt.Sprint(i)}
				if fifo {
					m.GroupID = m.Body
				}
				if err := c.service.Deliver("arn:aws:sqs:us-east-1:000000000000:"+name, m); err != nil {
					t.Fatal(err)
				}
			}
			first := c.receive(q, 1, 0).Messages[0].ReceiptHandle
			c.receive(q, 9, 0)
			ten := fmt.Sprintf(`{"QueueUrl":%q,"MaxNumberOfMessages":10}`, q)
			for range 11_999 {
				if n := strings.Count(c.json("ReceiveMessage", ten, nil).Body.String(), "ReceiptHandle"); n != 10 {
					t.Fatalf("received %d messages", n)
				}
			}
			w := c.json("ReceiveMessage", map[string]any{"QueueUrl": q}, nil)
			if refused := w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), "OverLimit"); refused == fifo {
				t.Errorf("the next short poll: %d %s", w.Code, w.Body)
			}
			c.json("DeleteMessage", map[string]string{"QueueUrl": q, "ReceiptHandle": first}, &struct{}{})
			if got := c.receive(q, 10, 0); len(got.Messages) != 1 {
				t.Errorf("received %d messages when there was room for one", len(got.Messages))
			}
		})
	}
}

func TestAccountsAndRegionsAreApart(t *testing.T) {
	s := sqs.New(sqs.Options{})
	defer s.Close()
	at := func(account, region string) *client.Client {
		return client.New(client.Options{
			Region: region, BaseEndpoint: awssdk.String("http://127.0.0.1:4566"), Credentials: credentials.NewStaticCredentialsProvider(account, "x", ""),
			HTTPClient: &http.Client{Transport: aws.Transport{Handler: aws.NewEndpoint(discard, s.API())}},
		})
	}
	all := []*client.Client{at("111111111111", "us-east-1"), at("222222222222", "us-east-1"), at("111111111111", "eu-west-1")}
	for i, c := range all {
		out, err := c.CreateQueue(t.Context(), &client.CreateQueueInput{QueueName: awssdk.String("q")})
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprint(i)
		if _, err := c.SendMessage(t.Context(), &client.SendMessageInput{QueueUrl: out.QueueUrl, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range all {
		list, err := c.ListQueues(t.Context(), &client.ListQueuesInput{})
		if err != nil || len(list.QueueUrls) != 1 {
			t.Fatalf("%v %v", list, err)
		}
		got, err := c.ReceiveMessage(t.Context(), &client.ReceiveMessageInput{QueueUrl: &list.QueueUrls[0], MaxNumberOfMessages: 10})
		if err != nil || len(got.Messages) != 1 || *got.Messages[0].Body != fmt.Sprint(i) {
			t.Errorf("%v %v", got, err)
		}
	}
}

func TestDeliver(t *testing.T) {
	c := start(t)
	q, fifo := c.create("q", nil), c.create("q.fifo", map[string]string{"FifoQueue": "true"})
	arn := "arn:aws:sqs:us-east-1:000000000000:"
	code := func(err error) string {
		var e *api.Error
		if errors.As(err, &e) {
			return e.Code
		}
		return fmt.Sprint(err)
	}
	for _, test := range []struct {
		name, arn string
		m         sqs.Message
		want      string
	}{
		{"a message is sent", "q", sqs.Message{Body: "m", Attributes: map[string]sqs.MessageAttribute{"a": {DataType: "String", StringValue: "v"}}}, "<nil>"},
		{"a message is sent to a FIFO queue", "q.fifo", sqs.Message{Body: "m", GroupID: "g", DeduplicationID: "d"}, "<nil>"},
		{"a FIFO queue needs a group", "q.fifo", sqs.Message{Body: "m", DeduplicationID: "d"}, "MissingRequiredParameterException"},
		{"a queue that is not there", "none", sqs.Message{Body: "m"}, "QueueDoesNotExist"},
		{"a message with wrong attributes", "q", sqs.Message{Body: "m", Attributes: map[string]sqs.MessageAttribute{"a": {DataType: "Nonsense", StringValue: "v"}}}, "InvalidParameterValueException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := code(c.service.Deliver(arn+test.arn, test.m)); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	for _, queueURL := range []string{q, fifo} {
		if got := c.receive(queueURL, 10, 0).bodies(); got != "m" {
			t.Errorf("received %q", got)
		}
	}
}

func TestWhatAStandardQueueMayDo(t *testing.T) {
	in := func(name string, f func(t *testing.T, c *cloud, q string)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := start(t)
				f(t, c, c.create("q", nil))
			})
		})
	}
	in("a message that was deleted comes once more", func(t *testing.T, c *cloud, q string) {
		if err := c.service.DeliverTwice(q, 1, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		c.send(q, "a")
		c.send(q, "b")
		got := c.receive(q, 10, 0)
		for _, m := range got.Messages {
			c.json("DeleteMessage", map[string]string{"QueueUrl": q, "ReceiptHandle": m.ReceiptHandle}, &struct{}{})
		}
		start := time.Now()
		again := c.receive(q, 10, 20)
		if took := time.Since(start); got.bodies() != "a b" || again.bodies() != "a" || took != 5*time.Second {
			t.Fatalf("received %q, then %q after %s", got.bodies(), again.bodies(), took)
		}
		if m := again.Messages[0]; m.MessageId != got.Messages[0].MessageId || m.Attributes["ApproximateReceiveCount"] != "1" {
			t.Errorf("%+v repeats %+v", m, got.Messages[0])
		}
	})
	in("messages come last one first", func(t *testing.T, c *cloud, q string) {
		if err := c.service.DeliverReversed(q, 3, time.Minute); err != nil {
			t.Fatal(err)
		}
		for _, m := range []string{"a", "b", "c", "d"} {
			c.send(q, m)
		}
		if got := c.receive(q, 10, 0).bodies(); got != "c b a d" {
			t.Errorf("received %q", got)
		}
	})
	in("a message with a delay of its own keeps it", func(t *testing.T, c *cloud, q string) {
		if err := c.service.DeliverReversed(q, 2, time.Minute); err != nil {
			t.Fatal(err)
		}
		c.json("SendMessage", map[string]any{"QueueUrl": q, "MessageBody": "a", "DelaySeconds": 300}, &struct{}{})
		c.send(q, "b")
		if got := c.receive(q, 10, 0).bodies(); got != "b" {
			t.Errorf("received %q at once", got)
		}
		time.Sleep(5 * time.Minute)
		if got := c.receive(q, 10, 0).bodies(); !strings.Contains(got, "a") {
			t.Errorf("received %q after its delay", got)
		}
	})
	in("a FIFO queue does neither", func(t *testing.T, c *cloud, _ string) {
		q := c.create("q.fifo", map[string]string{"FifoQueue": "true"})
		if err := c.service.DeliverTwice(q, 1, 0); !errors.Is(err, queue.ErrOrdered) {
			t.Error(err)
		}
		if err := c.service.DeliverReversed(q, 2, 0); !errors.Is(err, queue.ErrOrdered) {
			t.Error(err)
		}
		if err := c.service.DeliverTwice(q+"x", 1, 0); err == nil {
			t.Error("no error for a queue that is not there")
		}
	})
}

func TestEndings(t *testing.T) {
	in := func(name string, f func(t *testing.T, c *cloud)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, start(t)) }) })
	}
	// poll receives for 20 seconds, and returns the answer and when it came.
	poll := func(c *cloud, q string) (answer *httptest.ResponseRecorder, took time.Duration) {
		start := time.Now()
		return c.json("ReceiveMessage", map[string]any{"QueueUrl": q, "WaitTimeSeconds": 20}, nil), time.Since(start)
	}
	in("a long poll ends with its queue", func(t *testing.T, c *cloud) {
		q := c.create("q", nil)
		go func() {
			time.Sleep(2 * time.Second)
			c.json("DeleteQueue", map[string]string{"QueueUrl": q}, &struct{}{})
		}()
		if w, took := poll(c, q); !strings.Contains(w.Body.String(), "QueueDoesNotExist") || took != 2*time.Second {
			t.Errorf("%s after %s", w.Body, took)
		}
	})
	in("long polls and move tasks end with the service", func(t *testing.T, c *cloud) {
		dead := c.create("dead", nil)
		q := c.create("q", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1}`})
		c.send(dead, "m")
		c.json("StartMessageMoveTask", map[string]any{"SourceArn": "arn:aws:sqs:us-east-1:000000000000:dead", "MaxNumberOfMessagesPerSecond": 1}, &struct{}{})
		go func() {
			time.Sleep(time.Millisecond)
			c.service.Close()
			c.service.Close()
		}()
		if _, took := poll(c, q); took != time.Millisecond {
			t.Errorf("the poll ended after %s", took)
		}
		if w := c.json("CreateQueue", map[string]string{"QueueName": "late"}, nil); w.Code != http.StatusServiceUnavailable {
			t.Errorf("a queue created afterwards: %d %s", w.Code, w.Body)
		}
	})
	in("a receipt handle of a deleted queue is not valid for the next of its name", func(t *testing.T, c *cloud) {
		q := c.create("q", nil)
		c.send(q, "m")
		handle := c.receive(q, 1, 0).Messages[0].ReceiptHandle
		c.json("DeleteQueue", map[string]string{"QueueUrl": q}, &struct{}{})
		time.Sleep(time.Minute)
		c.create("q", nil)
		if w := c.json("DeleteMessage", map[string]string{"QueueUrl": q, "ReceiptHandle": handle}, nil); w.Code != http.StatusNotFound {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	in("a dead-letter queue that is deleted keeps nobody's messages, and one created again gets them", func(t *testing.T, c *cloud) {
		dead := c.create("dead", nil)
		q := c.create("q", map[string]string{"VisibilityTimeout": "0", "RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1}`})
		c.send(q, "m")
		c.json("DeleteQueue", map[string]string{"QueueUrl": dead}, &struct{}{})
		for range 3 {
			if got := c.receive(q, 1, 0).bodies(); got != "m" {
				t.Errorf("received %q", got)
			}
		}
		time.Sleep(time.Minute)
		c.create("dead", nil)
		if got := c.receive(q, 1, 0).bodies() + c.receive(dead, 1, 0).bodies(); got != "m" || len(c.receive(q, 1, 0).Messages) != 0 {
			t.Errorf("received %q", got)
		}
	})
}

func TestManyClientsAtOnceLoseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t)
		q := c.create("q", nil)
		const producers, each = 4, 100
		got := make(chan string, producers*each)
		var clients sync.WaitGroup
		for p := range producers {
			clients.Go(func() {
				for i := range each {
					c.send(q, fmt.Sprint(p, "-", i))
				}
			})
			clients.Go(func() {
				for {
					messages := c.receive(q, 10, 20).Messages
					if len(messages) == 0 {
						return
					}
					for _, m := range messages {
						c.json("DeleteMessage", map[string]string{"QueueUrl": q, "ReceiptHandle": m.ReceiptHandle}, &struct{}{})
						got <- m.Body
					}
				}
			})
		}
		clients.Go(func() {
			for i := range 50 {
				c.json("SetQueueAttributes", map[string]any{"QueueUrl": q, "Attributes": map[string]string{"VisibilityTimeout": fmt.Sprint(30 + i), "MessageRetentionPeriod": fmt.Sprint(600 + i)}}, &struct{}{})
				c.json("TagQueue", map[string]any{"QueueUrl": q, "Tags": map[string]string{"i": fmt.Sprint(i)}}, &struct{}{})
				c.json("GetQueueAttributes", map[string]any{"QueueUrl": q, "AttributeNames": []string{"All"}}, &struct{}{})
				c.create(fmt.Sprint("other-", i), nil)
			}
		})
		clients.Wait()
		close(got)
		seen := map[string]bool{}
		for body := range got {
			if seen[body] {
				t.Errorf("%s came twice", body)
			}
			seen[body] = true
		}
		if len(seen) != producers*each {
			t.Errorf("%d of %d messages came", len(seen), producers*each)
		}
	})
}
