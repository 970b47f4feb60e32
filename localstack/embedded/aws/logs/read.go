package logs

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Limits of an answer with events.
const (
	maxRead       = 10_000
	maxReadBytes  = 1 << 20
	maxStreams    = 100
	tokenLifetime = 24 * time.Hour
)

type getLogEventsInput struct {
	LogGroupName, LogGroupIdentifier, LogStreamName, NextToken string
	StartTime, EndTime                                         *int64 // milliseconds since 1970; the end is not included
	StartFromHead, Unmask                                      bool
	Limit                                                      *int
}

type outputLogEvent struct {
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
}

type getLogEventsOutput struct {
	Events            []outputLogEvent `json:"events"`
	NextForwardToken  string           `json:"nextForwardToken"`
	NextBackwardToken string           `json:"nextBackwardToken"`
}

// getLogEvents returns events in the order of time: the last ones, or the first if read from the head. A token says from which
// place, and in which direction; at the end of the stream an answer has no events and the token of the request.
func (s *Service) getLogEvents(c *api.Call, in *getLogEventsInput) (*getLogEventsOutput, error) {
	most, err := limit(in.Limit, maxRead, maxRead)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.named(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	t, err := g.stream(in.LogStreamName)
	if err != nil {
		return nil, err
	}
	t.expire(g.expires(time.Now()))
	events := between(t.events, in.StartTime, in.EndTime)
	forward := in.StartFromHead
	var from position
	if in.NextToken != "" {
		direction, place, ok := parseToken(in.NextToken)
		if !ok {
			return nil, invalid("The specified nextToken is invalid.")
		}
		forward, from = direction == "f", place
		i, found := slices.BinarySearchFunc(events, from, comparePosition)
		switch {
		case !forward:
			events = events[:i]
		case found:
			events = events[i+1:]
		default:
			events = events[i:]
		}
	}
	events = fitting(events, most, forward)
	out := &getLogEventsOutput{Events: []outputLogEvent{}, NextForwardToken: "f/" + from.String(), NextBackwardToken: "b/" + from.String()}
	for _, e := range events {
		out.Events = append(out.Events, outputLogEvent{e.at, e.message, e.ingested})
	}
	if n := len(events); n > 0 {
		out.NextForwardToken, out.NextBackwardToken = "f/"+events[n-1].id(), "b/"+events[0].id()
	}
	return out, nil
}

// between cuts events to those from start on and before end.
func between(events []event, start, end *int64) []event {
	if end != nil {
		i, _ := slices.BinarySearchFunc(events, position{at: *end}, comparePosition)
		events = events[:i]
	}
	if start != nil {
		i, _ := slices.BinarySearchFunc(events, position{at: *start}, comparePosition)
		events = events[i:]
	}
	return events
}

// fitting returns as many events as an answer holds, from the first on or from the last back.
func fitting(events []event, most int, forward bool) []event {
	n, size := 0, 0
	for n < len(events) && n < most {
		e := &events[n]
		if !forward {
			e = &events[len(events)-1-n]
		}
		if size += len(e.message) + eventOverhead; size > maxReadBytes && n > 0 {
			break
		}
		n++
	}
	if forward {
		return events[:n]
	}
	return events[len(events)-n:]
}

// parseToken reads f/ or b/ and a position.
func parseToken(token string) (direction string, p position, ok bool) {
	direction, digits, _ := strings.Cut(token, "/")
	if direction != "f" && direction != "b" {
		return "", p, false
	}
	p, ok = parsePosition(digits)
	return direction, p, ok
}

func parsePosition(digits string) (p position, ok bool) {
	if len(digits) != 56 || digits[0] != '3' {
		return p, false
	}
	at, err := strconv.ParseInt(digits[1:21], 10, 64)
	number, nerr := strconv.ParseUint(digits[21:], 10, 64)
	return position{at, number}, err == nil && nerr == nil
}

type filterLogEventsInput struct {
	LogGroupName, LogGroupIdentifier, LogStreamNamePrefix, FilterPattern, NextToken string
	LogStreamNames                                                                  []string
	StartTime, EndTime                                                              *int64 // milliseconds since 1970; both are included
	Interleaved, Unmask                                                             bool
	StartFromHead                                                                   *bool
	Limit                                                                           *int
}

type filteredLogEvent struct {
	LogStreamName string `json:"logStreamName"`
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
	EventId       string `json:"eventId"`
}

type filterLogEventsOutput struct {
	Events             []filteredLogEvent `json:"events"`
	SearchedLogStreams []struct{}         `json:"searchedLogStreams"` // empty since 2021
	NextToken          string             `json:"nextToken,omitempty"`
}

// filterToken is where a search goes on.
type filterToken struct {
	After  string `json:"a"` // id of the last event
	Head   bool   `json:"h"` // the search goes forward
	Issued int64  `json:"t"` // milliseconds since 1970
}

// filterLogEvents returns the events of all streams, or of some, that match a pattern, in the order of time.
func (s *Service) filterLogEvents(c *api.Call, in *filterLogEventsInput) (*filterLogEventsOutput, error) {
	most, err := limit(in.Limit, maxRead, maxRead)
	switch {
	case err != nil:
		return nil, err
	case len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != "":
		return nil, invalid("LogStreamNames and LogStreamNamePrefix cannot both be specified.")
	case len(in.LogStreamNames) > maxStreams:
		return nil, broken("logStreamNames", "logStreamNames", "Member must have length less than or equal to 100")
	case in.StartTime != nil && in.EndTime != nil && *in.StartTime > *in.EndTime:
		return nil, invalid("StartTime must be before EndTime.")
	}
	pattern, err := parsePattern(in.FilterPattern)
	if err != nil {
		return nil, invalid("%v", err)
	}
	now := time.Now()
	head := in.StartFromHead == nil || *in.StartFromHead
	var after *position
	if in.NextToken != "" {
		if after, head, err = readFilterToken(in.NextToken, now); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.named(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	for _, name := range in.LogStreamNames {
		if _, err := g.stream(name); err != nil {
			return nil, err
		}
	}
	var end *int64
	if in.EndTime != nil {
		included := *in.EndTime + 1
		end = &included
	}
	var found []filteredLogEvent
	for _, name := range slices.Sorted(maps.Keys(g.streams)) {
		if !strings.HasPrefix(name, in.LogStreamNamePrefix) || len(in.LogStreamNames) > 0 && !slices.Contains(in.LogStreamNames, name) {
			continue
		}
		t := g.streams[name]
		t.expire(g.expires(now))
		for _, e := range between(t.events, in.StartTime, end) {
			if after != nil {
				if order := comparePosition(e, *after); order == 0 || order > 0 != head {
					continue
				}
			}
			if !pattern.matches(e.message) {
				continue
			}
			found = append(found, filteredLogEvent{name, e.at, e.message, e.ingested, e.id()})
		}
	}
	slices.SortFunc(found, func(x, y filteredLogEvent) int { return strings.Compare(x.EventId, y.EventId) })
	if !head {
		slices.Reverse(found)
	}
	out := &filterLogEventsOutput{Events: []filteredLogEvent{}, SearchedLogStreams: []struct{}{}}
	size := 0
	for _, e := range found {
		if size += len(e.Message) + eventOverhead; len(out.Events) == most || size > maxReadBytes && len(out.Events) > 0 {
			out.NextToken = writeFilterToken(filterToken{out.Events[len(out.Events)-1].EventId, head, now.UnixMilli()})
			break
		}
		out.Events = append(out.Events, e)
	}
	return out, nil
}

func writeFilterToken(t filterToken) string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func readFilterToken(token string, now time.Time) (after *position, head bool, err error) {
	var t filterToken
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	p, ok := parsePosition(t.After)
	if err != nil || !ok || now.Sub(time.UnixMilli(t.Issued)) > tokenLifetime {
		return nil, false, invalid("The specified nextToken is invalid.")
	}
	return &p, t.Head, nil
}
