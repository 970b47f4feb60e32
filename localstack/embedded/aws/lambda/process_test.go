package lambda_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/brokerdojo/brokerdojo/localstack/embedded"
	own "github.com/brokerdojo/brokerdojo/localstack/embedded/aws/lambda"
	service "github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sqs"
)

// These tests run a real handler as a process, in real time, as the cloud of `up` does.

var built = sync.OnceValues(func() ([]byte, error) { return build(runtime.GOOS, runtime.GOARCH) })

// build builds the handler and zips it.
func build(goos, goarch string) ([]byte, error) {
	folder, err := os.MkdirTemp("", "handler-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	program := filepath.Join(folder, "bootstrap")
	command := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", program, "./testdata/handler")
	command.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	b, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	return zipped(map[string][]byte{"bootstrap": b})
}

func zipped(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o755)
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

type client struct {
	*lambda.Client
	t     testing.TB
	cloud *embedded.Cloud
}

func start(t testing.TB) client {
	t.Helper()
	cloud, err := embedded.Start(t.Context(), embedded.Options{Services: []string{embedded.AWS}, Ports: embedded.Auto})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return client{lambda.NewFromConfig(cloud.AWS()), t, cloud}
}

func (c client) create(name string, settings ...func(*lambda.CreateFunctionInput)) {
	c.t.Helper()
	code, err := built()
	if err != nil {
		c.t.Fatal(err)
	}
	in := &lambda.CreateFunctionInput{
		FunctionName: &name, Role: awssdk.String("arn:aws:iam::000000000000:role/r"), Runtime: types.RuntimeProvidedal2023, Handler: awssdk.String("bootstrap"),
		Code: &types.FunctionCode{ZipFile: code}, Timeout: awssdk.Int32(5),
	}
	for _, set := range settings {
		set(in)
	}
	if _, err := c.CreateFunction(context.Background(), in); err != nil {
		c.t.Fatal(err)
	}
}

func (c client) invoke(name, event string) *lambda.InvokeOutput {
	c.t.Helper()
	out, err := c.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(event), LogType: types.LogTypeTail})
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func tail(t *testing.T, out *lambda.InvokeOutput) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(awssdk.ToString(out.LogResult))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func wantFailure(t *testing.T, out *lambda.InvokeOutput, kind, part string) {
	t.Helper()
	var e struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(out.Payload, &e); err != nil || awssdk.ToString(out.FunctionError) != "Unhandled" || e.ErrorType != kind || !strings.Contains(e.ErrorMessage, part) {
		t.Errorf("function error %q, payload %s, want an unhandled %s with %q", awssdk.ToString(out.FunctionError), out.Payload, kind, part)
	}
}

func TestBootstrapRunsWithWhatLambdaGivesAndNothingElse(t *testing.T) {
	t.Setenv("SECRET_OF_THE_PARENT", "x")
	c := start(t)
	c.create("f", func(in *lambda.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"OWN": "y"}}
	})
	var environment []string
	if err := json.Unmarshal(c.invoke("f", `{"Do":"environment"}`).Payload, &environment); err != nil {
		t.Fatal(err)
	}
	have := map[string]string{}
	for _, e := range environment {
		name, value, _ := strings.Cut(e, "=")
		have[name] = value
	}
	if _, ok := have["SECRET_OF_THE_PARENT"]; ok {
		t.Error("the function sees a variable of the cloud's own process")
	}
	for name, want := range map[string]string{
		"OWN": "y", "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_REGION": "us-east-1",
		"AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023", "_HANDLER": "bootstrap", "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f", "AWS_ENDPOINT_URL": *c.cloud.AWS().BaseEndpoint,
	} {
		if have[name] != want {
			t.Errorf("%s is %q, want %q", name, have[name], want)
		}
	}
}

func TestContextTellsOfTheInvocation(t *testing.T) {
	c := start(t)
	c.create("f")
	var got struct {
		ID, Arn, Name string
		Left          float64
	}
	if err := json.Unmarshal(c.invoke("f", `{"Do":"context"}`).Payload, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID == "" || got.Arn != "arn:aws:lambda:us-east-1:000000000000:function:f" || got.Name != "f" || got.Left <= 0 || got.Left > 5 {
		t.Errorf("%+v", got)
	}
}

func TestColdStartIsVisibleOnce(t *testing.T) {
	c := start(t)
	c.create("f")
	first, second := tail(t, c.invoke("f", `{}`)), tail(t, c.invoke("f", `{}`))
	if !strings.Contains(first, "Init Duration:") || strings.Contains(second, "Init Duration:") {
		t.Errorf("first\n%s\nsecond\n%s", first, second)
	}
}

func TestLogHasWhatTheHandlerWroteBetweenStartAndReport(t *testing.T) {
	c := start(t)
	c.create("f")
	for n := range 20 { // whoever reads the log does not miss the last line
		log := tail(t, c.invoke("f", fmt.Sprintf(`{"Do":"log","Text":"hello %d"}`, n)))
		order := []int{strings.Index(log, "START RequestId: "), strings.Index(log, fmt.Sprintf("hello %d\n", n)), strings.Index(log, "from the log package\n"), strings.Index(log, "END RequestId: "), strings.Index(log, "REPORT RequestId: ")}
		if !slices.IsSorted(order) || order[0] < 0 {
			t.Fatalf("%v in\n%s", order, log)
		}
	}
	logs := cloudwatchlogs.NewFromConfig(c.cloud.AWS())
	out, err := logs.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: awssdk.String("/aws/lambda/f"), FilterPattern: awssdk.String(`"hello 7"`)})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Events) != 1 || !strings.HasSuffix(*out.Events[0].Message, "hello 7") {
		t.Errorf("CloudWatch Logs has %+v", out.Events)
	}
}

func TestInvocationsAtOnceHaveProcessesOfTheirOwn(t *testing.T) {
	c := start(t)
	c.create("f")
	pids := make([]string, 4)
	var all sync.WaitGroup
	for i := range pids {
		all.Go(func() { pids[i] = string(c.invoke("f", `{"Do":"pid"}`).Payload) })
	}
	all.Wait()
	slices.Sort(pids)
	if len(slices.Compact(slices.Clone(pids))) != 4 {
		t.Errorf("four at once ran in processes %v", pids)
	}
	if later := string(c.invoke("f", `{"Do":"pid"}`).Payload); !slices.Contains(pids, later) {
		t.Errorf("the next one ran in a new process %s, though %v were idle", later, pids)
	}
}

func TestFailuresHurtOnlyTheirOwnInvocation(t *testing.T) {
	c := start(t)
	c.create("f", func(in *lambda.CreateFunctionInput) { in.Timeout = awssdk.Int32(1) })
	before := string(c.invoke("f", `{"Do":"pid"}`).Payload)

	wantFailure(t, c.invoke("f", `{"Do":"fail","Text":"no stock"}`), "errorString", "no stock")
	if pid := string(c.invoke("f", `{"Do":"pid"}`).Payload); pid != before {
		t.Errorf("after an error the process is another: %s, was %s", pid, before)
	}
	wantFailure(t, c.invoke("f", `{"Do":"panic","Text":"oh"}`), "string", "oh")
	wantFailure(t, c.invoke("f", `{"Do":"exit"}`), "Runtime.ExitError", "Runtime exited with error: exit status 7")
	out := c.invoke("f", `{"Do":"sleep"}`)
	wantFailure(t, out, "Sandbox.Timedout", "Task timed out after 1.00 seconds")
	if log := tail(t, out); !strings.Contains(log, "Task timed out after 1.00 seconds") {
		t.Errorf("the log does not tell of it:\n%s", log)
	}
	wantFailure(t, c.invoke("f", `{"Do":"big"}`), "Function.ResponseSizeTooLarge", "6291556 bytes")
	if got := string(c.invoke("f", `{"Text":"fine"}`).Payload); !strings.Contains(got, "fine") {
		t.Errorf("afterwards it answers %s", got)
	}
}

func TestFloodOfOutputIsCutOff(t *testing.T) {
	c := start(t)
	c.create("f")
	out := c.invoke("f", `{"Do":"flood"}`)
	log := tail(t, out)
	if string(out.Payload) != `"done"` || len(log) > 4096 || !strings.Contains(log, "is not kept") || !strings.Contains(log, "REPORT") {
		t.Errorf("payload %s, log of %d bytes ends\n%s", out.Payload, len(log), log[max(0, len(log)-300):])
	}
}

func TestInitThatFailsIsTheInvocationsFailure(t *testing.T) {
	c := start(t)
	for mode, status := range map[string]string{"exit": "exit status 3", "panic": "exit status 2"} {
		c.create(mode, func(in *lambda.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"INIT": mode}}
		})
		out := c.invoke(mode, `{}`)
		wantFailure(t, out, "Runtime.ExitError", status)
		if mode == "panic" && !strings.Contains(tail(t, out), "no configuration") {
			t.Errorf("the log does not say why:\n%s", tail(t, out))
		}
	}
}

func TestCodeThatCannotRunHereIsRefusedWithWhatToDo(t *testing.T) {
	c := start(t)
	elsewhere := "arm64"
	if runtime.GOARCH == "arm64" {
		elsewhere = "amd64"
	}
	foreign, err := build("linux", elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	none, err := zipped(map[string][]byte{"main.py": []byte("print()")})
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]string{
		string(foreign): "GOOS=" + runtime.GOOS + " GOARCH=" + runtime.GOARCH, string(none): "no file bootstrap", "not a zip": "Could not unzip uploaded file",
	} {
		_, err := c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
			FunctionName: awssdk.String("f"), Role: awssdk.String("arn:aws:iam::000000000000:role/r"), Runtime: types.RuntimeProvidedal2023, Handler: awssdk.String("bootstrap"),
			Code: &types.FunctionCode{ZipFile: []byte(code)},
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestUpdatedCodeRunsInNewProcesses(t *testing.T) {
	c := start(t)
	c.create("f")
	before := string(c.invoke("f", `{"Do":"pid"}`).Payload)
	code, err := built()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: awssdk.String("f"), ZipFile: code}); err != nil {
		t.Fatal(err)
	}
	if after := string(c.invoke("f", `{"Do":"pid"}`).Payload); after == before {
		t.Error("the old process still runs")
	}
}

// alive tells whether a process is there and no zombie.
func alive(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func waitGone(t *testing.T, pid string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for alive(pid) {
		if time.Now().After(deadline) {
			t.Fatalf("process %s is still there", pid)
		}
		runtime.Gosched()
	}
}

func TestProcessesEndWithTheCloud(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc, which only Linux has")
	}
	cloud, err := embedded.Start(t.Context(), embedded.Options{Services: []string{embedded.AWS}, Ports: embedded.Auto})
	if err != nil {
		t.Fatal(err)
	}
	c := client{lambda.NewFromConfig(cloud.AWS()), t, cloud}
	c.create("f")
	pid := string(c.invoke("f", `{"Do":"pid"}`).Payload)
	if err := cloud.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Errorf("process %s outlives its cloud", pid)
	}
}

// TestProcessesEndWhenTheCloudIsKilled runs this test binary again as a process that starts a cloud, and kills that.
func TestProcessesEndWhenTheCloudIsKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc, which only Linux has")
	}
	if file := os.Getenv("BROKERDOJO_TEST_PID_FILE"); file != "" {
		c := start(t)
		c.create("f", func(in *lambda.CreateFunctionInput) { in.Timeout = awssdk.Int32(60) })
		c.invoke("f", `{"Do":"sleep","Text":"`+file+`"}`)
		return
	}
	file := filepath.Join(t.TempDir(), "pid")
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), "BROKERDOJO_TEST_PID_FILE="+file)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var pid string
	deadline := time.Now().Add(30 * time.Second)
	for pid == "" {
		b, _ := os.ReadFile(file) // not there yet
		if _, err := strconv.Atoi(string(b)); err == nil {
			pid = string(b)
		} else if time.Now().After(deadline) {
			t.Fatal("the function did not start")
		}
		runtime.Gosched()
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // killed
	waitGone(t, pid)
}

// BenchmarkFirstResponse is the time from creating a function, each time of a deployment package of its own, to its first answer,
// over loopback.
func BenchmarkFirstResponse(b *testing.B) {
	c := start(b)
	code, err := built()
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; b.Loop(); n++ {
		name := fmt.Sprint("f", n)
		another := append(slices.Clone(code), name...) // what follows a zip file's end is another digest and no other content
		c.create(name, func(in *lambda.CreateFunctionInput) { in.Code.ZipFile = another })
		c.invoke(name, `{}`)
	}
}

// BenchmarkWarmInvoke is the time of an invocation of a function that is up, over loopback.
func BenchmarkWarmInvoke(b *testing.B) {
	c := start(b)
	c.create("f")
	c.invoke("f", `{}`)
	var times []time.Duration
	for b.Loop() {
		begin := time.Now()
		c.invoke("f", `{}`)
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "µs/p50")
}

// feed sends messages of 100 bytes to a queue that is mapped to function f in batches of ten, and waits until the queue is empty.
func (c client) feed(b *testing.B, n int) {
	b.Helper()
	queues := sqs.NewFromConfig(c.cloud.AWS())
	q, err := queues.CreateQueue(b.Context(), &sqs.CreateQueueInput{QueueName: awssdk.String("q")})
	if err != nil {
		b.Fatal(err)
	}
	const arn = "arn:aws:sqs:us-east-1:000000000000:q"
	for range n {
		if err := c.cloud.SQS().Deliver(arn, service.Message{Body: strings.Repeat("x", 100)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	begin := time.Now()
	if _, err := c.CreateEventSourceMapping(b.Context(), &lambda.CreateEventSourceMappingInput{EventSourceArn: awssdk.String(arn), FunctionName: awssdk.String("f"), BatchSize: awssdk.Int32(10)}); err != nil {
		b.Fatal(err)
	}
	for left := "?"; left != "0 0"; {
		out, err := queues.GetQueueAttributes(b.Context(), &sqs.GetQueueAttributesInput{QueueUrl: q.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
		if err != nil {
			b.Fatal(err)
		}
		left = out.Attributes["ApproximateNumberOfMessages"] + " " + out.Attributes["ApproximateNumberOfMessagesNotVisible"]
	}
	b.ReportMetric(float64(n)/time.Since(begin).Seconds(), "messages/s")
}

// BenchmarkQueueToProcess is how fast a queue gets to a function that is a process, in batches of ten. Run it with -benchtime 1x.
func BenchmarkQueueToProcess(b *testing.B) {
	c := start(b)
	c.create("f")
	c.feed(b, 20_000)
}

// BenchmarkQueueToHandler is how fast it gets to a function in the cloud's own process. Run it with -benchtime 1x.
func BenchmarkQueueToHandler(b *testing.B) {
	c := start(b)
	_, err := c.cloud.Lambda().Register("000000000000", "us-east-1", "f", func(context.Context, []byte) ([]byte, error) { return nil, nil }, own.Registration{})
	if err != nil {
		b.Fatal(err)
	}
	c.feed(b, 100_000)
}
