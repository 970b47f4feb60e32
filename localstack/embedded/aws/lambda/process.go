package lambda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

const initTimeout = 10 * time.Second // of a bootstrap until it asks for its first event

// A process is an environment: a bootstrap, and the Runtime API that it speaks, on a loopback port of its own.
// Source: Developer Guide, "Using the Lambda runtime API for custom runtimes" (checked 2026-12-01).
type process struct {
	service *Service
	command *exec.Cmd
	server  *http.Server
	output  *os.File // of the bootstrap
	folder  string   // its temporary one

	next    chan *invocation // to the bootstrap
	answers chan answer      // from it
	ready   chan struct{}    // closed when it asks for its first event
	exited  chan struct{}    // closed when it is gone and its output read; exit says how
	exit    string

	collected chan struct{} // closed when its output is read
	abandoned atomic.Bool   // its output is not to be waited for

	mu      sync.Mutex
	asked   bool
	current *invocation
	drained chan struct{} // asked for: closed when what was written so far is in the journal
	once    sync.Once
}

type answer struct {
	outcome
	init bool
}

// startProcess starts a bootstrap and waits until it is ready. If it is not, the outcome says why.
func (s *Service) startProcess(v *version, set settings, stream string, log *journal) (*process, outcome) {
	p := &process{
		service: s, next: make(chan *invocation), answers: make(chan answer, 1),
		ready: make(chan struct{}), exited: make(chan struct{}), collected: make(chan struct{}),
	}
	if err := p.start(v, set, stream, log); err != nil {
		s.Log.Error("a function could not be started", "function", v.arn(), "error", err)
		p.end()
		out := failure("Runtime.InvalidEntrypoint", "Error: %v", err)
		out.ended = true
		return p, out
	}
	timer := time.NewTimer(initTimeout)
	defer timer.Stop()
	var out outcome
	select {
	case <-p.ready:
		return p, outcome{}
	case a := <-p.answers:
		out = a.outcome
	case <-p.exited:
		out = p.exitError("")
	case <-timer.C:
		out = failure("Sandbox.Timedout", "Error: the bootstrap did not ask for an event within %s", initTimeout)
	case <-s.ctx.Done():
		out = failure("Sandbox.Failure", "Error: the local cloud is closing")
	}
	out.ended = true
	p.end()
	<-p.exited
	return p, out
}

func (p *process) start(v *version, set settings, stream string, log *journal) error {
	if p.service.Endpoint == nil {
		close(p.exited)
		return errors.New("this cloud runs in memory and starts no processes: register the function with Service.Register")
	}
	failed := true
	defer func() {
		if failed {
			close(p.exited)
		}
	}()
	folder, err := p.service.unpack(v.code)
	if err != nil {
		return err
	}
	if p.folder, err = os.MkdirTemp(p.service.folder, "environment-"); err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.server = &http.Server{Handler: p.runtimeAPI(), ReadHeaderTimeout: 10 * time.Second}
	p.service.running.Go(func() { _ = p.server.Serve(listener) }) // ErrServerClosed, at the end
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	p.output = read
	name := "bootstrap"
	if filepath.Separator == '\\' {
		name += ".exe"
	}
	p.command = exec.Command(filepath.Join(folder, name))
	p.command.Dir, p.command.Stdout, p.command.Stderr = folder, write, write
	if p.command.Env, err = p.environ(v, set, stream, folder, listener.Addr().String()); err != nil {
		return errors.Join(err, write.Close(), read.Close())
	}
	confine(p.command)
	err = p.command.Start()
	_ = write.Close() // ours; the bootstrap has its own
	if err != nil {
		return errors.Join(err, read.Close())
	}
	failed = false
	release := tie(p.command.Process)
	p.service.running.Go(func() {
		defer close(p.collected)
		p.collect(log)
	})
	p.service.running.Go(func() {
		err := p.command.Wait()
		release()
		kill(p.command.Process) // what it left running
		p.exit = "exit status 0"
		if err != nil {
			p.exit = err.Error()
		}
		select {
		case <-p.collected:
		case <-time.After(time.Second): // a grandchild holds the pipe
			p.abandoned.Store(true)
			_ = p.output.SetReadDeadline(time.Now())
			<-p.collected
		}
		_ = p.output.Close()
		_ = p.server.Close()
		_ = os.RemoveAll(p.folder)
		close(p.exited)
	})
	return nil
}

// environ is what Lambda gives a function: "Defined runtime environment variables", and where the local cloud is.
func (p *process) environ(v *version, set settings, stream, folder, runtimeAPI string) ([]string, error) {
	f := v.function
	keyID, secret, token := f.account, "local", "local"
	if p.service.Credentials != nil {
		var err error
		if keyID, secret, token, err = p.service.Credentials(f.account, set.Role); err != nil {
			return nil, err
		}
	}
	env := map[string]string{
		"_HANDLER": set.Handler, "AWS_REGION": f.region, "AWS_DEFAULT_REGION": f.region, "AWS_EXECUTION_ENV": "AWS_Lambda_" + set.Runtime,
		"AWS_LAMBDA_FUNCTION_NAME": f.name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(set.MemorySize), "AWS_LAMBDA_FUNCTION_VERSION": v.number,
		"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand", "AWS_LAMBDA_LOG_GROUP_NAME": v.logGroup(), "AWS_LAMBDA_LOG_STREAM_NAME": stream,
		"AWS_ACCESS_KEY_ID": keyID, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token, "AWS_LAMBDA_RUNTIME_API": runtimeAPI,
		"LAMBDA_TASK_ROOT": folder, "LAMBDA_RUNTIME_DIR": folder, "TZ": ":UTC", "LANG": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin/:/bin",
		"AWS_ENDPOINT_URL": p.service.Endpoint(), "TMPDIR": p.folder, "HOME": p.folder,
	}
	for k, v := range system(p.folder) {
		env[k] = v
	}
	for k, v := range set.Environment {
		env[k] = v
	}
	var list []string
	for _, k := range sortedKeys(env) {
		list = append(list, k+"="+env[k])
	}
	return list, nil
}

func (p *process) runtimeAPI() http.Handler {
	const version = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+version+"invocation/next", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		if !p.asked {
			p.asked = true
			close(p.ready)
		}
		p.mu.Unlock()
		select {
		case in := <-p.next:
			h := w.Header()
			h.Set("Lambda-Runtime-Aws-Request-Id", in.id)
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(in.deadline.UnixMilli(), 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", in.arn)
			h.Set("Lambda-Runtime-Trace-Id", fmt.Sprintf("Root=1-%08x-%s;Sampled=0", time.Now().Unix(), strings.ReplaceAll(api.UUID(), "-", "")[:24]))
			if in.clientContext != "" {
				h.Set("Lambda-Runtime-Client-Context", in.clientContext)
			}
			h.Set("Content-Type", "application/json")
			_, _ = w.Write(in.payload) // the bootstrap may be gone
		case <-r.Context().Done():
		}
	})
	done := func(failed bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxResponse+1))
			var big *http.MaxBytesError
			if errors.As(err, &big) {
				body = make([]byte, maxResponse+1) // is refused below, and by who waits for it
			} else if err != nil {
				return
			}
			p.mu.Lock()
			in := p.current
			if in == nil || in.id != r.PathValue("id") {
				p.mu.Unlock()
				reply(w, http.StatusBadRequest, `{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}`)
				return
			}
			p.current = nil
			p.mu.Unlock()
			p.answers <- answer{outcome: outcome{payload: body, failed: failed}}
			if len(body) > maxResponse {
				reply(w, http.StatusRequestEntityTooLarge, fmt.Sprintf(`{"errorMessage":"Exceeded maximum allowed payload size (%d bytes).","errorType":"RequestEntityTooLarge"}`, maxResponse))
				return
			}
			reply(w, http.StatusAccepted, `{"status":"OK"}`)
		}
	}
	mux.HandleFunc("POST "+version+"invocation/{id}/response", done(false))
	mux.HandleFunc("POST "+version+"invocation/{id}/error", done(true))
	mux.HandleFunc("POST "+version+"init/error", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxResponse))
		if err != nil {
			return
		}
		select {
		case p.answers <- answer{outcome: outcome{payload: body, failed: true}, init: true}:
		default:
		}
		reply(w, http.StatusAccepted, `{"status":"OK"}`)
	})
	return mux
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the bootstrap may be gone
}

func (p *process) run(ctx context.Context, in *invocation, log *journal) outcome {
	p.mu.Lock()
	p.current = in
	p.mu.Unlock()
	select {
	case p.next <- in:
	case <-p.exited: // after its last answer
		return outcome{ended: true, untouched: true}
	case <-ctx.Done():
		return p.expire(ctx, in, log)
	}
	select {
	case a := <-p.answers:
		p.drain()
		return a.outcome
	case <-p.exited:
		select {
		case a := <-p.answers: // and it answered before
			a.ended = true
			return a.outcome
		default:
		}
		return p.exitError(in.id)
	case <-ctx.Done():
		return p.expire(ctx, in, log)
	}
}

func (p *process) expire(ctx context.Context, in *invocation, log *journal) outcome {
	p.end()
	<-p.exited
	return expired(in, log, ctx)
}

// exitError is the outcome of an invocation whose bootstrap is gone.
func (p *process) exitError(id string) outcome {
	prefix := ""
	if id != "" {
		prefix = "RequestId: " + id + " "
	}
	out := failure("Runtime.ExitError", "%sError: Runtime exited with error: %s", prefix, p.exit)
	if p.exit == "exit status 0" {
		out = failure("Runtime.ExitError", "%sError: Runtime exited without providing a reason", prefix)
	}
	out.ended = true
	return out
}

// end ends the bootstrap, and does not wait.
func (p *process) end() {
	p.once.Do(func() {
		if p.command != nil && p.command.Process != nil {
			kill(p.command.Process)
		} else if p.server != nil {
			_ = p.server.Close()
		}
	})
}

// lines adds output to the journal line by line, and returns what is left of the last one.
func lines(log *journal, rest, more []byte) []byte {
	rest = append(rest, more...)
	for {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			break
		}
		log.add(string(bytes.TrimSuffix(rest[:i], []byte("\r"))))
		rest = rest[i+1:]
	}
	if len(rest) > maxLine {
		log.add(string(rest))
		return nil
	}
	return bytes.Clone(rest)
}
