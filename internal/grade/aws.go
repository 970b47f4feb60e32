package grade

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// awsClient is the HTTP client of a process's AWS clients: the process's network with its faults, and the meter.
type awsClient struct {
	process *Process
	next    aws.HTTPClient
}

// Do carries one request to the cloud and its answer back.
func (c *awsClient) Do(request *http.Request) (*http.Response, error) {
	p := c.process
	body, err := io.ReadAll(orEmpty(request.Body))
	if err != nil {
		return nil, err
	}
	op := awsOperation(request, body)
	kind, faulty := p.take(op.name)

	// The connection is the process's: it breaks with the process's link, whatever the request's own context says.
	ctx, cancel := context.WithCancel(request.Context())
	defer cancel()
	link := p.linked()
	defer context.AfterFunc(link, cancel)()
	broken := func(verb string) error {
		if err := request.Context().Err(); err != nil {
			return err
		}
		return reset(verb)
	}

	if faulty && kind == crashBefore {
		p.Crash()
	}
	if !p.travel(ctx, AWSLatency/2+p.delay(op.name)) || p.Crashed() || faulty && kind == loseRequest {
		return nil, broken("write")
	}
	if faulty && kind == throttle {
		return p.arrive(ctx, throttled(request, op), broken)
	}
	if p.isOut() {
		return p.arrive(ctx, unavailable(request, op), broken)
	}

	request = request.Clone(ctx)
	request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	response, err := c.next.Do(request)
	answer := []byte{}
	if err == nil {
		answer, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	p.count(op, billable(op, body, answer))
	if faulty && kind == crashAfter {
		p.Crash()
	}
	if faulty && kind == loseResponse || ctx.Err() != nil {
		return nil, broken("read")
	}
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(answer))
	return p.arrive(ctx, response, broken)
}

// arrive lets an answer travel back.
func (p *Process) arrive(ctx context.Context, response *http.Response, broken func(verb string) error) (*http.Response, error) {
	if !p.travel(ctx, AWSLatency/2) {
		return nil, broken("read")
	}
	return response, nil
}

// travel lets d and the process's distance pass, and a partition if there is one. It is false if ctx ended first.
func (p *Process) travel(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d + p.latency)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	for {
		p.mu.Lock()
		healed, crashed := p.healed, p.crashed
		p.mu.Unlock()
		if healed == nil || crashed {
			return ctx.Err() == nil
		}
		select {
		case <-healed:
		case <-ctx.Done():
			return false
		}
	}
}

// take returns the fault that hits this call of op, if one does.
func (p *Process) take(op string) (faultKind, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lab.run.progress.Add(1)
	for _, f := range p.faults {
		if f.op == op && f.left > 0 {
			f.left--
			return f.kind, true
		}
	}
	return 0, false
}

// isOut says whether there is an outage, and counts the call that met it.
func (p *Process) isOut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !time.Now().Before(p.outage) {
		return false
	}
	p.refused++
	return true
}

func (p *Process) delay(op string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delays[op]
}

func (p *Process) linked() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link
}

func (p *Process) count(op operation, billed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.calls[op]
	if c == nil {
		c = &Calls{Process: p.name, Service: op.service, Operation: op.name}
		p.calls[op] = c
	}
	c.Count++
	c.Billed += billed
}

// reset is how a broken connection looks to a client.
func reset(verb string) error {
	return &net.OpError{Op: verb, Net: "tcp", Err: syscall.ECONNRESET}
}

// awsOperation reads from a request which operation of which service it calls. An operation on a FIFO queue or topic counts
// for a service of its own, such as "sqs-fifo", because it has a price of its own.
func awsOperation(r *http.Request, body []byte) operation {
	var op operation
	// Credential=KEY/20000101/us-east-1/sqs/aws4_request
	if _, scope, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		if parts := strings.Split(scope, "/"); len(parts) > 3 {
			op.service = parts[3]
		}
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, op.name, _ = strings.Cut(target, ".")
		var in struct{ QueueUrl string }
		if json.Unmarshal(body, &in) == nil && strings.HasSuffix(in.QueueUrl, ".fifo") {
			op.service += "-fifo"
		}
		return op
	}
	form, _ := url.ParseQuery(string(body)) // what cannot be parsed is the broker's to refuse
	op.name = form.Get("Action")
	for _, name := range []string{"QueueUrl", "TopicArn", "TargetArn"} {
		if strings.HasSuffix(form.Get(name), ".fifo") {
			op.service += "-fifo"
		}
	}
	return op
}

// throttled is how the service of op refuses a call that comes too fast. SQS: RequestThrottled (Amazon SQS API Reference,
// SendMessage, "Errors", 2026-12-01). SNS: ThrottlingException (AWS re:Post, "How do I troubleshoot ThrottlingException and Rate
// exceeded errors in Amazon SNS?", 2026-12-01).
func throttled(r *http.Request, op operation) *http.Response {
	code := "ThrottlingException"
	if r.Header.Get("X-Amz-Target") != "" {
		code = "RequestThrottled"
	}
	return refusal(r, op, http.StatusBadRequest, "Sender", code, "Rate exceeded")
}

// unavailable is how a service answers while it is out of order (Amazon SQS API Reference, "Common Errors", ServiceUnavailable,
// 2026-12-01).
func unavailable(r *http.Request, op operation) *http.Response {
	return refusal(r, op, http.StatusServiceUnavailable, "Receiver", "ServiceUnavailable", "The service is unavailable. Try again later.")
}

// refusal is an error in the protocol of the request.
func refusal(r *http.Request, op operation, status int, fault, code, message string) *http.Response {
	header := http.Header{"X-Amzn-Requestid": {"00000000-0000-0000-0000-000000000000"}}
	var body []byte
	if r.Header.Get("X-Amz-Target") != "" {
		header.Set("Content-Type", "application/x-amz-json-1.0")
		header.Set("X-Amzn-Query-Error", code+";"+fault)
		body = fmt.Appendf(nil, `{"__type":"com.amazonaws.%s#%s","message":%q}`, strings.TrimSuffix(op.service, "-fifo"), code, message)
	} else {
		header.Set("Content-Type", "text/xml")
		body = fmt.Appendf(nil, `<ErrorResponse><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, fault, code, message)
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Request: r,
	}
}

func orEmpty(body io.Reader) io.Reader {
	if body == nil {
		return strings.NewReader("")
	}
	return body
}
