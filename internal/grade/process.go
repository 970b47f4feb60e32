package grade

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a process's network takes, in virtual time: a request to AWS and its answer together, and an answer of Redis or Kafka.
// The numbers are odd so that they do not fall on the same instant as a scenario's own waits, and each process is a few
// microseconds further away than the one before it, so that two of them never reach a broker at the same instant.
const (
	AWSLatency  = 5300 * time.Microsecond
	ConnLatency = 700 * time.Microsecond
	farther     = 37 * time.Microsecond
)

// StopGrace is how long a process has, in virtual time, to return after it was told to stop: what Kubernetes gives a pod
// unless told otherwise (terminationGracePeriodSeconds; Kubernetes documentation "Pod Lifecycle", 2026).
const StopGrace = 30 * time.Second

// Always makes a fault hit every call from now on.
const Always = math.MaxInt

// A Process is one computer that runs learner code. Faults are its own: other processes and the grader do not notice them.
//
// An operation is named as its service names it: "ReceiveMessage" (SQS, SNS), "PUBLISH" (Redis commands, upper case), "Produce"
// (Kafka requests). Faults of one operation apply in the order in which they were asked for, one a call; the client's own
// retries are calls too.
type Process struct {
	lab     *Lab
	name    string
	latency time.Duration // on top of AWSLatency and ConnLatency
	ctx     context.Context
	cancel  context.CancelFunc
	group   sync.WaitGroup

	mu      sync.Mutex
	errs    []error
	ended   bool // stopped or crashed
	crashed bool
	faults  []*fault
	delays  map[string]time.Duration
	outage  time.Time // until when AWS is out of order
	refused int       // calls that met the outage
	calls   map[operation]*Calls
	conns   map[*conn]struct{}
	link    context.Context    // of the connections that are open now
	cut     context.CancelFunc // ends link
	healed  chan struct{}      // non-nil while partitioned; closed on Heal
}

type faultKind int

const (
	throttle faultKind = iota
	loseRequest
	loseResponse
	crashBefore
	crashAfter
)

// fault is what happens to the next left calls of an operation.
type fault struct {
	kind faultKind
	op   string
	left int
}

// operation is what calls are counted by.
type operation struct{ service, name string }

func newProcess(l *Lab, name string, distance time.Duration) *Process {
	p := &Process{
		lab: l, name: name, latency: distance * farther,
		delays: map[string]time.Duration{}, calls: map[operation]*Calls{}, conns: map[*conn]struct{}{},
	}
	p.ctx, p.cancel = context.WithCancel(l.ctx)
	p.link, p.cut = context.WithCancel(context.Background())
	return p
}

// Name returns the process's name.
func (p *Process) Name() string { return p.name }

// AWS returns the configuration of the process's AWS clients.
func (p *Process) AWS() aws.Config {
	config := p.lab.Cloud().AWS()
	config.HTTPClient = &awsClient{process: p, next: config.HTTPClient}
	return config
}

// Redis returns the options of the process's Redis client.
func (p *Process) Redis() *redis.Options {
	options := p.lab.Cloud().Redis()
	options.Dialer = p.dialer("redis", options.Dialer)
	return options
}

// Kafka returns the options of the process's Kafka client.
func (p *Process) Kafka() []kgo.Opt {
	cloud := p.lab.Cloud()
	return append(cloud.Kafka(), kgo.Dialer(p.dialer("kafka", cloud.KafkaCluster().Dial)))
}

// Go runs f, which calls learner code, in a goroutine of the process. Its context ends when the process stops or crashes.
// A panic ends the scenario.
func (p *Process) Go(f func(ctx context.Context) error) {
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	if ended {
		panic(fmt.Sprintf("grade: the process %q has ended; add another", p.name))
	}
	p.group.Add(1)
	go p.lab.guard(func() {
		pprof.Do(p.ctx, pprof.Labels("process", p.name), func(ctx context.Context) {
			if err := f(ctx); err != nil {
				p.mu.Lock()
				p.errs = append(p.errs, err)
				p.mu.Unlock()
			}
		})
	}, p.group.Done)
}

// Do runs f, which calls learner code, to its end and returns its error. It may take the rest of the scenario's budget.
func (p *Process) Do(f func(ctx context.Context) error) error {
	var err error
	done := make(chan struct{})
	p.Go(func(ctx context.Context) error {
		defer close(done)
		err = f(ctx)
		return nil
	})
	p.lab.await(p)
	defer p.lab.await(nil)
	<-done
	return err
}

// Wait waits until everything that Go started has returned, and returns the errors.
func (p *Process) Wait() error {
	p.lab.await(p)
	defer p.lab.await(nil)
	p.group.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// Stop ends the process as a deployment does: its context ends, and what Go started has [StopGrace] to return. If it does not,
// the scenario ends with the verdict that the code never ends. Stop returns the functions' errors, without those that only say
// that the context ended.
func (p *Process) Stop() error {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.cancel()
	done := make(chan struct{})
	go func() {
		p.group.Wait()
		close(done)
	}()
	grace := time.NewTimer(StopGrace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
		p.lab.run.didNotStop(p)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, err := range p.errs {
		if !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Crash ends the process at once: from now on nothing it does reaches a broker, its connections are gone, and then its context
// ends. The learner's goroutines go on in this program, so that they can return; a callback of the grader's should do nothing
// once Crashed is true. A broker notices as it would notice a lost connection, after all that happens at the same instant: let a
// millisecond pass before you send what another process is to get.
func (p *Process) Crash() {
	p.mu.Lock()
	p.ended, p.crashed = true, true
	p.mu.Unlock()
	p.Disconnect()
	p.cancel()
}

// Crashed says whether the process has crashed.
func (p *Process) Crashed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crashed
}

// CrashBefore makes the process crash when it next calls op, before the call leaves it.
func (p *Process) CrashBefore(op string) { p.fault(crashBefore, op, 1) }

// CrashAfter makes the process crash when it next calls op, after the broker has done it and before the answer is there.
func (p *Process) CrashAfter(op string) { p.fault(crashAfter, op, 1) }

// LoseRequest makes the next n calls of op get lost on their way: they never reach the broker, and the client sees its connection break.
func (p *Process) LoseRequest(op string, n int) { p.fault(loseRequest, op, n) }

// LoseResponse makes the answers of the next n calls of op get lost: the broker does what it was asked, and the client sees its
// connection break.
func (p *Process) LoseResponse(op string, n int) { p.fault(loseResponse, op, n) }

// Throttle makes AWS refuse the next n calls of op with the service's own throttling error. SQS and SNS only.
func (p *Process) Throttle(op string, n int) { p.fault(throttle, op, n) }

// Outage makes AWS answer every call of the process with the service's own error that it is unavailable, for d from now on.
func (p *Process) Outage(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outage = time.Now().Add(d)
}

// Refused returns how many calls met an Outage. A client's own retries are calls too.
func (p *Process) Refused() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// Delay makes every call of op take d longer from now on; 0 ends that.
func (p *Process) Delay(op string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delays[op] = d
}

func (p *Process) fault(kind faultKind, op string, n int) {
	if n < 1 {
		panic("grade: a fault must hit at least one call")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &fault{kind: kind, op: op, left: n})
}

// Disconnect cuts every connection that is open now. Calls under way fail; the client may connect again.
func (p *Process) Disconnect() {
	p.mu.Lock()
	cut := p.cut
	p.link, p.cut = context.WithCancel(context.Background())
	conns := p.conns
	p.conns = map[*conn]struct{}{}
	p.mu.Unlock()
	cut()
	for c := range conns {
		c.cutOff()
	}
}

// Partition takes the process off the network without a word: what it sends arrives nowhere and nothing arrives at it, until Heal.
// Connections stay open. Like TCP, they deliver on Heal what was sent meanwhile.
func (p *Process) Partition() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.healed == nil {
		p.healed = make(chan struct{})
	}
}

// Heal ends a Partition.
func (p *Process) Heal() {
	p.mu.Lock()
	healed := p.healed
	p.healed = nil
	var conns []*conn
	for c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	if healed == nil {
		return
	}
	for _, c := range conns {
		c.flush()
	}
	close(healed)
}

// Calls returns how many calls of op the process sent to a broker: lost and throttled ones do not count.
func (p *Process) Calls(op string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for o, c := range p.calls {
		if o.name == op {
			n += c.Count
		}
	}
	return n
}

func (p *Process) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}
