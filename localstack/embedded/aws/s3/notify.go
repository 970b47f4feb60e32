package s3

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Source: User Guide, "Amazon S3 Event Notifications", "Event message structure" (checked 2026-12-01).

type notificationConfiguration struct {
	XMLName     xml.Name             `xml:"NotificationConfiguration"`
	Xmlns       string               `xml:"xmlns,attr,omitempty"`
	Queues      []notificationTarget `xml:"QueueConfiguration"`
	Topics      []notificationTarget `xml:"TopicConfiguration"`
	Functions   []notificationTarget `xml:"CloudFunctionConfiguration"`
	EventBridge *struct{}            `xml:"EventBridgeConfiguration"`
}

type notificationTarget struct {
	Id            string
	Queue         string              `xml:",omitempty"`
	Topic         string              `xml:",omitempty"`
	CloudFunction string              `xml:",omitempty"`
	Events        []string            `xml:"Event"`
	Filter        *notificationFilter `xml:",omitempty"`
}

type notificationFilter struct {
	Rules []filterRule `xml:"S3Key>FilterRule"`
}

type filterRule struct{ Name, Value string }

func (t *notificationTarget) arn() string { return t.Queue + t.Topic + t.CloudFunction }

// events are those that a notification may ask for. What is not here is not offered: none of it happens.
var events = []string{
	"s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
	"s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated", "s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete",
}

func (b *bucket) arn() string { return "arn:aws:s3:::" + b.name }

func (t *notificationTarget) check() error {
	if len(t.Events) == 0 {
		return invalidArgument("A notification must have at least one event.")
	}
	for _, e := range t.Events {
		if !slices.Contains(events, e) {
			if strings.HasPrefix(e, "s3:") {
				return notImplemented("the event " + e)
			}
			return invalidArgument("The event is not supported for notifications: %s", e)
		}
	}
	if t.Filter == nil {
		return nil
	}
	seen := map[string]bool{}
	for i, r := range t.Filter.Rules {
		name := strings.ToLower(r.Name)
		if name != "prefix" && name != "suffix" || seen[name] {
			return invalidArgument("filter rule name must be either prefix or suffix")
		}
		seen[name] = true
		t.Filter.Rules[i].Name = name
	}
	return nil
}

func (t *notificationTarget) wants(event, key string) bool {
	kind, _, _ := strings.Cut(event, ":")
	if !slices.Contains(t.Events, "s3:"+event) && !slices.Contains(t.Events, "s3:"+kind+":*") {
		return false
	}
	if t.Filter == nil {
		return true
	}
	for _, r := range t.Filter.Rules {
		if r.Name == "prefix" && !strings.HasPrefix(key, r.Value) || r.Name == "suffix" && !strings.HasSuffix(key, r.Value) {
			return false
		}
	}
	return true
}

func (s *Service) getNotification(c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	out := notificationConfiguration{Xmlns: namespace}
	for _, t := range b.targets {
		switch {
		case t.Queue != "":
			out.Queues = append(out.Queues, t)
		case t.Topic != "":
			out.Topics = append(out.Topics, t)
		default:
			out.Functions = append(out.Functions, t)
		}
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

func (s *Service) putNotification(c *call) error {
	var in notificationConfiguration
	if _, err := c.readXML(&in); err != nil {
		return err
	}
	if in.EventBridge != nil {
		return notImplemented("notifications to EventBridge")
	}
	s.mu.RLock()
	b, err := s.find(c)
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	targets := slices.Concat(in.Queues, in.Topics, in.Functions)
	ids := map[string]bool{}
	for i := range targets {
		t := &targets[i]
		if err := t.check(); err != nil {
			return err
		}
		if t.Id == "" {
			t.Id = fmt.Sprintf("notification-%d", i)
		}
		if ids[t.Id] {
			return invalidArgument("Same ID used for multiple configurations. IDs must be unique")
		}
		ids[t.Id] = true
		if c.r.Header.Get("X-Amz-Skip-Destination-Validation") != "true" && !s.reachable(c, b, t) {
			return invalidArgument("Unable to validate the following destination configurations")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, err = s.find(c); err != nil {
		return err
	}
	b.targets = targets
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// reachable sends the test event, or asks whether a function is there.
func (s *Service) reachable(c *call, b *bucket, t *notificationTarget) bool {
	if t.CloudFunction != "" {
		return s.Exists != nil && s.Exists(t.CloudFunction)
	}
	if s.Deliver == nil {
		return false
	}
	event, err := json.Marshal(struct{ Service, Event, Time, Bucket, RequestId, HostId string }{"Amazon S3", "s3:TestEvent", timestamp(time.Now()), b.name, c.RequestID, "local"})
	return err == nil && s.Deliver(c.r.Context(), b.account, b.arn(), t.arn(), string(event)) == nil
}

// notify tells the bucket's targets of an event. The caller holds mu.
func (s *Service) notify(c *call, b *bucket, event string, o *object) {
	if s.closed || s.Deliver == nil {
		return
	}
	for _, t := range b.targets {
		if !t.wants(event, o.key) {
			continue
		}
		body := s.event(c, b, t.Id, event, o)
		account, target := b.account, t.arn()
		s.running.Go(func() {
			if err := s.Deliver(s.ctx, account, b.arn(), target, body); err != nil {
				s.Log.Warn("a notification could not be delivered", "service", "s3", "bucket", b.name, "target", target, "error", err)
			}
		})
	}
}

func (s *Service) event(c *call, b *bucket, configuration, event string, o *object) string {
	about := map[string]any{"key": strings.ReplaceAll(url.QueryEscape(o.key), "%2F", "/"), "sequencer": o.sequence}
	if o.etag != "" {
		about["size"], about["eTag"] = len(o.data), strings.Trim(o.etag, `"`)
	}
	if o.version != "" && o.version != "null" {
		about["versionId"] = o.version
	}
	record := map[string]any{
		"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": b.region, "eventTime": timestamp(time.Now()), "eventName": event,
		"userIdentity": map[string]any{"principalId": "AWS:" + c.Account}, "requestParameters": map[string]any{"sourceIPAddress": "127.0.0.1"},
		"responseElements": map[string]any{"x-amz-request-id": c.RequestID, "x-amz-id-2": "local"},
		"s3": map[string]any{
			"s3SchemaVersion": "1.0", "configurationId": configuration,
			"bucket": map[string]any{"name": b.name, "ownerIdentity": map[string]any{"principalId": b.account}, "arn": b.arn()},
			"object": about,
		},
	}
	text, err := json.Marshal(map[string]any{"Records": []any{record}})
	if err != nil {
		panic("s3: an event that is no JSON: " + err.Error())
	}
	return string(text)
}
