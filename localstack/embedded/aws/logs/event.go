package logs

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Limits of PutLogEvents.
const (
	maxBatch      = 1 << 20 // bytes: of the messages, and 26 an event
	eventOverhead = 26
	maxEvents     = 10_000
	maxSpan       = 24 * time.Hour
	maxPast       = 14 * 24 * time.Hour
	maxAhead      = 2 * time.Hour
)

// event is a log event as a stream keeps it.
type event struct {
	at       int64 // milliseconds since 1970
	number   uint64
	ingested int64 // as at
	message  string
}

// id is the event's id: 56 digits that order as the events do.
func (e *event) id() string { return position{e.at, e.number}.String() }

// position is a place between the events of a stream, which are in the order of their time and then of their arrival.
type position struct {
	at     int64
	number uint64
}

func (p position) String() string { return fmt.Sprintf("3%020d%035d", p.at, p.number) }

func comparePosition(e event, p position) int {
	return cmp.Or(cmp.Compare(e.at, p.at), cmp.Compare(e.number, p.number))
}

// stream is a log stream.
type stream struct {
	name           string
	created        time.Time
	events         []event // in the order of position
	last, ingested int64   // the newest event's time, and the last batch's; they outlive the events
	bytes          int64
}

// expire drops the events from before a time.
func (t *stream) expire(before int64) {
	n := 0
	for n < len(t.events) && t.events[n].at < before {
		t.bytes -= int64(len(t.events[n].message) + eventOverhead)
		n++
	}
	if n > 0 {
		t.events = slices.Clone(t.events[n:])
	}
}

func (t *stream) add(e event) {
	i := len(t.events)
	if i > 0 && comparePosition(t.events[i-1], position{e.at, e.number}) > 0 {
		i, _ = slices.BinarySearchFunc(t.events, position{e.at, e.number}, comparePosition)
	}
	t.events = slices.Insert(t.events, i, e)
	t.last, t.ingested = max(t.last, e.at), e.ingested
	t.bytes += int64(len(e.message) + eventOverhead)
}

type inputLogEvent struct {
	Timestamp *int64
	Message   *string
}

type putLogEventsInput struct {
	LogGroupName, LogStreamName, SequenceToken string
	LogEvents                                  []inputLogEvent
	Entity                                     *struct{}
}

type rejectedInfo struct {
	TooNewLogEventStartIndex *int `json:"tooNewLogEventStartIndex,omitempty"`
	TooOldLogEventEndIndex   *int `json:"tooOldLogEventEndIndex,omitempty"`
	ExpiredLogEventEndIndex  *int `json:"expiredLogEventEndIndex,omitempty"`
}

type putLogEventsOutput struct {
	NextSequenceToken     string        `json:"nextSequenceToken"`
	RejectedLogEventsInfo *rejectedInfo `json:"rejectedLogEventsInfo,omitempty"`
}

// Event is a log event of another service of the cloud.
type Event struct {
	At      time.Time // zero: now
	Message string
}

// Put adds events to a stream, and makes its group and the stream if they are not there: as Lambda does for a function. Events
// need not be in order. What a name or an event must not be, and what is older than the retention, is dropped and logged.
func (s *Service) Put(account, region, groupName, streamName string, events []Event) {
	if err := cmp.Or(checkGroupName(groupName), checkStreamName(streamName)); err != nil {
		s.log.Error("log events are dropped", "group", groupName, "stream", streamName, "error", err)
		return
	}
	now := time.Now()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	p := place{account, region}
	g := s.groups[p][groupName]
	if g == nil {
		g = s.newGroup(p, groupName)
	}
	t := g.streams[streamName]
	if t == nil {
		t = &stream{name: streamName, created: now}
		g.streams[streamName] = t
	}
	list := make([]event, 0, len(events))
	for _, e := range events {
		at := e.At
		if at.IsZero() {
			at = now
		}
		list = append(list, event{at: at.UnixMilli(), message: e.Message})
	}
	measured := s.ingest(g, t, now, list)
	s.mu.Unlock()
	s.report(p, measured)
}

// ingest adds events to a stream and returns the metrics that are in them. The caller holds mu.
func (s *Service) ingest(g *group, t *stream, now time.Time, events []event) measurements {
	t.expire(g.expires(now))
	for i := range events {
		s.number++
		events[i].number, events[i].ingested = s.number, now.UnixMilli()
		t.add(events[i])
	}
	return s.measure(g, now, events)
}

func (s *Service) putLogEvents(c *api.Call, in *putLogEventsInput) (*putLogEventsOutput, error) {
	if err := checkEvents(in.LogEvents); err != nil {
		return nil, err
	}
	now := time.Now()
	s.mu.Lock()
	g, err := s.named(c, in.LogGroupName, "")
	var t *stream
	if err == nil {
		t, err = g.stream(in.LogStreamName)
	}
	if err == nil && in.Entity != nil {
		s.log.Warn("the entity of log events is not kept", "service", "logs", "group", g.name)
	}
	var accepted []event
	var rejected *rejectedInfo
	if err == nil {
		accepted, rejected, err = accept(in.LogEvents, now, g.expires(now))
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	measured := s.ingest(g, t, now, accepted)
	token := position{t.last, s.number}.String()
	s.mu.Unlock()
	s.report(placeOf(c), measured)
	return &putLogEventsOutput{token, rejected}, nil
}

func checkEvents(events []inputLogEvent) error {
	switch {
	case len(events) == 0:
		return broken("[]", "logEvents", "Member must have length greater than or equal to 1")
	case len(events) > maxEvents:
		return broken(fmt.Sprintf("[%d events]", len(events)), "logEvents", "Member must have length less than or equal to 10000")
	}
	size := 0
	for i, e := range events {
		switch {
		case e.Timestamp == nil:
			return broken("null", fmt.Sprintf("logEvents.%d.member.timestamp", i+1), "Member must not be null")
		case *e.Timestamp < 0:
			return broken(fmt.Sprint(*e.Timestamp), fmt.Sprintf("logEvents.%d.member.timestamp", i+1), "Member must have value greater than or equal to 0")
		case e.Message == nil || *e.Message == "":
			return broken("", fmt.Sprintf("logEvents.%d.member.message", i+1), "Member must have length greater than or equal to 1")
		case i > 0 && *e.Timestamp < *events[i-1].Timestamp:
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
		size += len(*e.Message) + eventOverhead
	}
	if size > maxBatch {
		return invalid("Upload too large: %d bytes exceeds limit of %d", size, maxBatch)
	}
	return nil
}

// accept divides a batch: what is too old, expired or too new is rejected, the rest must not span more than a day.
func accept(events []inputLogEvent, now time.Time, expires int64) ([]event, *rejectedInfo, error) {
	tooOld, tooNew := now.Add(-maxPast).UnixMilli(), now.Add(maxAhead).UnixMilli()
	var rejected rejectedInfo
	accepted := make([]event, 0, len(events))
	for i, e := range events {
		end := i + 1
		switch at := *e.Timestamp; {
		case at < tooOld:
			rejected.TooOldLogEventEndIndex = &end
		case at < expires:
			rejected.ExpiredLogEventEndIndex = &end
		case at > tooNew:
			if rejected.TooNewLogEventStartIndex == nil {
				rejected.TooNewLogEventStartIndex = &i
			}
		default:
			accepted = append(accepted, event{at: at, message: *e.Message})
		}
	}
	if n := len(accepted); n > 0 && accepted[n-1].at-accepted[0].at > maxSpan.Milliseconds() {
		return nil, nil, invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	if rejected == (rejectedInfo{}) {
		return accepted, nil, nil
	}
	return accepted, &rejected, nil
}
