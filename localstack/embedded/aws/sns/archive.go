package sns

import (
	"encoding/json"
	"strconv"
	"time"
)

// archive keeps the messages of a FIFO topic with an ArchivePolicy.
// Source: Amazon SNS Developer Guide, "Message archiving for FIFO topic owners" (checked 2026-12-01).
type archive struct {
	retention time.Duration // 0: the topic has no ArchivePolicy
	since     time.Time     // when the policy was set
	messages  []*message    // in the order of their publication
}

func (a *archive) active() bool { return a.retention > 0 }

// beginning is the earliest time from which messages can be replayed.
func (a *archive) beginning(now time.Time) time.Time {
	if kept := now.Add(-a.retention); kept.After(a.since) {
		return kept
	}
	return a.since
}

func (a *archive) add(m *message) {
	if !a.active() {
		return
	}
	a.expire(m.published)
	a.messages = append(a.messages, m)
}

func (a *archive) expire(now time.Time) {
	from := a.beginning(now)
	for len(a.messages) > 0 && a.messages[0].published.Before(from) {
		a.messages = a.messages[1:]
	}
}

// setArchive sets the ArchivePolicy, such as {"MessageRetentionPeriod":"30"} with days from 1 to 365. An empty object ends
// archiving and removes what is archived.
func (t *topic) setArchive(text string) error {
	var p struct{ MessageRetentionPeriod json.RawMessage }
	if text != "" {
		if err := strict([]byte(text), &p); err != nil {
			return reason("ArchivePolicy: %s", err)
		}
	}
	if p.MessageRetentionPeriod == nil {
		t.archive = archive{}
		delete(t.attributes, "ArchivePolicy")
		return nil
	}
	value := string(p.MessageRetentionPeriod) // a number, or one in a string
	if unquoted, err := strconv.Unquote(value); err == nil {
		value = unquoted
	}
	days, err := strconv.Atoi(value)
	if err != nil || days < 1 || days > 365 {
		return reason("ArchivePolicy: MessageRetentionPeriod must be from 1 to 365")
	}
	now := time.Now()
	if !t.archive.active() {
		t.archive.since = now
	}
	t.archive.retention = time.Duration(days) * 24 * time.Hour
	t.archive.expire(now)
	t.attributes["ArchivePolicy"] = text
	return nil
}

// replay is one run of a subscription through its topic's archive.
type replay struct {
	text   string    // the ReplayPolicy
	start  time.Time // the earliest publication
	end    time.Time // the latest; zero: the replay goes over into what is published from now on
	left   int       // messages not yet delivered
	begun  bool
	failed bool
}

// parseReplay reads a ReplayPolicy:
//
//	{"PointType":"Timestamp","StartingPoint":"2026-12-01T10:00:00.000Z","EndingPoint":"2026-12-01T11:00:00.000Z"}
//
// It returns nil for an empty object, which ends a replay.
// Source: AWS Compute Blog, "Archiving and replaying messages with Amazon SNS FIFO" (2023-10-26, checked 2026-12-01).
func parseReplay(text string) (*replay, error) {
	var p struct{ PointType, StartingPoint, EndingPoint *string }
	if text != "" {
		if err := strict([]byte(text), &p); err != nil {
			return nil, reason("ReplayPolicy: %s", err)
		}
	}
	if p.PointType == nil && p.StartingPoint == nil && p.EndingPoint == nil {
		return nil, nil
	}
	if p.PointType == nil || *p.PointType != "Timestamp" {
		return nil, reason("ReplayPolicy: PointType must be Timestamp")
	}
	if p.StartingPoint == nil {
		return nil, reason("ReplayPolicy: StartingPoint is missing")
	}
	r := &replay{text: text}
	var err error
	if r.start, err = time.Parse(time.RFC3339, *p.StartingPoint); err != nil {
		return nil, reason("ReplayPolicy: StartingPoint is not a timestamp")
	}
	if p.EndingPoint != nil {
		if r.end, err = time.Parse(time.RFC3339, *p.EndingPoint); err != nil {
			return nil, reason("ReplayPolicy: EndingPoint is not a timestamp")
		}
		if !r.end.After(r.start) {
			return nil, reason("ReplayPolicy: EndingPoint must be later than StartingPoint")
		}
	}
	return r, nil
}

// covers says whether the replay includes what was published at t.
func (r *replay) covers(t time.Time) bool {
	return !t.Before(r.start) && (r.end.IsZero() || !t.After(r.end))
}

// status is the subscription's attribute ReplayStatus.
func (r *replay) status() string {
	switch {
	case r.failed:
		return "Failed"
	case r.left == 0:
		return "Completed"
	case r.begun:
		return "In progress"
	}
	return "Pending"
}

// replayArchive sends a subscription what its replay covers, in order. What is published meanwhile waits behind it.
// The caller holds mu.
func (s *Service) replayArchive(sub *subscription, r *replay) {
	now := time.Now()
	sub.topic.archive.expire(now)
	for _, m := range sub.topic.archive.messages {
		if !r.covers(m.published) || !sub.settings.filter.accepts(m) {
			continue
		}
		r.left++
		s.enqueue(&delivery{
			sub: sub, settings: sub.settings, message: m, kind: notification, endpoint: m.endpoint, due: now.Add(latency), replay: r,
		})
	}
}
