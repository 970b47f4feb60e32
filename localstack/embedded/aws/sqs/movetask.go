package sqs

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	engine "github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// Limits of message move tasks.
const (
	maxMovesPerSecond = 500
	maxListedTasks    = 10
)

// Without a rate of its own a task moves a hundredth of its messages, at least ten, each hundredth of a second: the service's own
// pace depends on the backlog and is not documented.
const (
	moveTick     = 10 * time.Millisecond
	movesPerTick = 10
)

// States of a task.
const (
	taskRunning    = "RUNNING"
	taskCompleted  = "COMPLETED"
	taskCancelling = "CANCELLING"
	taskCancelled  = "CANCELLED"
	taskFailed     = "FAILED"
)

// A moveTask moves messages out of a dead-letter queue.
type moveTask struct {
	handle      string
	source      *queue
	destination *queue // nil: each message's own source queue
	rate        *int   // messages per second
	toMove      int
	started     time.Time
	cancel      chan struct{}
	once        sync.Once

	// guarded by source.mu
	moved         int
	status        string
	failureReason string
}

func (t *moveTask) stop() { t.once.Do(func() { close(t.cancel) }) }

func (t *moveTask) active() bool { return t.status == taskRunning || t.status == taskCancelling }

// taskHandle is what the handle of a task says, in base64 and JSON.
type taskHandle struct {
	TaskID    string `json:"taskId"`
	SourceARN string `json:"sourceArn"`
}

type startMessageMoveTaskInput struct {
	SourceArn, DestinationArn    string
	MaxNumberOfMessagesPerSecond *int
}

type startMessageMoveTaskOutput struct{ TaskHandle string }

func (s *Service) startMessageMoveTask(_ *api.Call, in *startMessageMoveTaskInput) (*startMessageMoveTaskOutput, error) {
	s.changes.Lock() // no queue comes or goes meanwhile, and Close waits for the task
	defer s.changes.Unlock()
	source, err := s.byARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(s.all(), func(q *queue) bool { return q.settings.Load().redrive.target() == source.arn() }) {
		return nil, invalid("Source queue must be configured as a Dead Letter Queue.")
	}
	var destination *queue
	if in.DestinationArn != "" {
		if destination, err = s.byARN("DestinationArn", in.DestinationArn); err != nil {
			return nil, err
		}
		switch {
		case destination == source:
			return nil, invalid("Source queue arn and destination queue arn cannot be the same.")
		case destination.fifo != source.fifo:
			return nil, invalid("Source queue and destination queue must be of the same type.")
		}
	}
	if r := in.MaxNumberOfMessagesPerSecond; r != nil && (*r < 1 || *r > maxMovesPerSecond) {
		return nil, invalidValue(strconv.Itoa(*r), "MaxNumberOfMessagesPerSecond", "Must be between 1 and 500, if provided.")
	}
	source.mu.Lock()
	defer source.mu.Unlock()
	if slices.ContainsFunc(source.moves, (*moveTask).active) {
		return nil, invalid("There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	}
	s.number++
	handle, err := json.Marshal(taskHandle{TaskID: s.messageID(s.number), SourceARN: source.arn()})
	if err != nil {
		return nil, err
	}
	t := &moveTask{
		handle: base64.StdEncoding.EncodeToString(handle), source: source, destination: destination,
		rate: in.MaxNumberOfMessagesPerSecond, toMove: source.engine.Stats().Ready, started: time.Now(),
		status: taskRunning, cancel: make(chan struct{}),
	}
	source.moves = append(source.moves, t)
	if len(source.moves) > maxListedTasks {
		source.moves = source.moves[1:]
	}
	s.tasks.Go(func() { s.move(t) })
	return &startMessageMoveTaskOutput{t.handle}, nil
}

func (s *Service) byARN(parameter, arn string) (*queue, error) {
	if arn == "" {
		return nil, missingParameter(parameter)
	}
	n, ok := parseARN(arn)
	if !ok {
		return nil, invalid("You must use this format to specify the " + parameter + ": arn:<partition>:<service>:<region>:<account-id>:<resource-id>")
	}
	q := s.lookup(n)
	if q == nil {
		return nil, resourceNotFound("The resource that you specified for the " + parameter + " parameter doesn't exist.")
	}
	return q, nil
}

// move runs a task. Messages that were in flight when it started are left, as those are that arrive later.
func (s *Service) move(t *moveTask) {
	tick, batch := moveTick, max(movesPerTick, t.toMove/100)
	if t.rate != nil {
		tick, batch = time.Second/time.Duration(*t.rate), 1
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	end := func(status, reason string) {
		t.source.mu.Lock()
		defer t.source.mu.Unlock()
		t.status, t.failureReason = status, reason
	}
	for left := t.toMove; left > 0; {
		select {
		case <-t.cancel:
			end(taskCancelled, "")
			return
		case <-ticker.C:
		}
		reason := ""
		n := t.source.engine.Move(min(batch, left), func(d engine.Delivery) (*engine.Queue, any) {
			to := t.destination
			if to == nil {
				if d.From == nil {
					reason = "CouldNotDetermineMessageSource"
					return nil, nil
				}
				origin, _ := parseARN(d.From.Name)
				to = s.lookup(origin)
			}
			if to == nil || s.lookup(to.name) != to {
				reason = queryPrefix + "NonExistentQueue"
				return nil, nil
			}
			m := *d.Value.(*message)
			m.sent = time.Now().UnixMilli()
			if t.source.fifo && d.From != nil {
				m.dedupID = s.messageID(d.Origin)
			}
			return to.engine, &m
		})
		t.source.mu.Lock()
		t.moved += n
		t.source.mu.Unlock()
		if reason != "" {
			end(taskFailed, reason)
			return
		}
		if n == 0 {
			break
		}
		left -= n
	}
	end(taskCompleted, "")
}

type cancelMessageMoveTaskInput struct{ TaskHandle string }

type cancelMessageMoveTaskOutput struct{ ApproximateNumberOfMessagesMoved int }

func (s *Service) cancelMessageMoveTask(_ *api.Call, in *cancelMessageMoveTaskInput) (*cancelMessageMoveTaskOutput, error) {
	if in.TaskHandle == "" {
		return nil, missingParameter("TaskHandle")
	}
	var h taskHandle
	text, err := base64.StdEncoding.DecodeString(in.TaskHandle)
	if err != nil || json.Unmarshal(text, &h) != nil || h.SourceARN == "" {
		return nil, invalid("Value for parameter TaskHandle is invalid.")
	}
	source, err := s.byARN("SourceArn", h.SourceARN)
	if err != nil {
		return nil, err
	}
	source.mu.Lock()
	defer source.mu.Unlock()
	i := slices.IndexFunc(source.moves, func(t *moveTask) bool { return t.handle == in.TaskHandle })
	if i < 0 {
		return nil, resourceNotFound("Task does not exist.")
	}
	t := source.moves[i]
	if t.status != taskRunning {
		return nil, typed("UnsupportedOperation", "A message movement task can only be cancelled when its status is RUNNING.")
	}
	t.status = taskCancelling
	t.stop()
	return &cancelMessageMoveTaskOutput{t.moved}, nil
}

type listMessageMoveTasksInput struct {
	SourceArn  string
	MaxResults *int
}

type listMessageMoveTasksOutput struct {
	Results []listMessageMoveTasksResultEntry `query:"ListMessageMoveTasksResultEntry"`
}

type listMessageMoveTasksResultEntry struct {
	TaskHandle                        string `json:",omitempty"` // of a running task only
	Status                            string
	SourceArn                         string
	DestinationArn                    string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond      *int   `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int
	ApproximateNumberOfMessagesToMove int
	FailureReason                     string `json:",omitempty"`
	StartedTimestamp                  int64  // milliseconds since 1970
}

func (s *Service) listMessageMoveTasks(_ *api.Call, in *listMessageMoveTasksInput) (*listMessageMoveTasksOutput, error) {
	source, err := s.byARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	n, err := orDefault(in.MaxResults, "MaxResults", 1, maxListedTasks, 1, "Must be between 1 and 10, if provided.")
	if err != nil {
		return nil, err
	}
	source.mu.Lock()
	defer source.mu.Unlock()
	out := &listMessageMoveTasksOutput{Results: []listMessageMoveTasksResultEntry{}}
	for _, t := range slices.Backward(source.moves) {
		if len(out.Results) == n {
			break
		}
		r := listMessageMoveTasksResultEntry{
			Status: t.status, SourceArn: source.arn(), MaxNumberOfMessagesPerSecond: t.rate, FailureReason: t.failureReason,
			ApproximateNumberOfMessagesMoved: t.moved, ApproximateNumberOfMessagesToMove: t.toMove, StartedTimestamp: t.started.UnixMilli(),
		}
		if t.destination != nil {
			r.DestinationArn = t.destination.arn()
		}
		if t.status == taskRunning {
			r.TaskHandle = t.handle
		}
		out.Results = append(out.Results, r)
	}
	return out, nil
}
