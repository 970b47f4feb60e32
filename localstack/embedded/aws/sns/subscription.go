package sns

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// confirmationTime is how long a confirmation token is valid, and how long a subscription that nobody confirms stays.
const confirmationTime = 48 * time.Hour

// maxFIFOSubscriptions is how many subscriptions a FIFO topic may have.
// Source: AWS General Reference, "Amazon SNS endpoints and quotas" (checked 2026-12-01).
const maxFIFOSubscriptions = 100

type subscription struct {
	arn                string
	topic              *topic
	protocol, endpoint string
	owner              string // account
	created            time.Time

	confirmed                 bool
	confirmedByOwner          bool // ConfirmationWasAuthenticated
	authenticateOnUnsubscribe bool
	gone                      bool
	settings                  *settings // replaced as a whole, so that a delivery keeps those that it started with

	replay *replay
	lanes  map[string]*lane // of a FIFO topic, by message group
	slot   time.Time        // from when a throttled subscription takes the next message
}

// settings are a subscription's attributes. They do not change.
type settings struct {
	raw        bool
	scope      string // of the filter
	filter     *filter
	filterText string
	delivery   *subscriptionDelivery // nil: not set
	redrive    string                // the RedrivePolicy
	deadLetter string                // the ARN in it
	role       string                // SubscriptionRoleArn, without effect
}

// confirmation is what a token confirms.
type confirmation struct {
	sub     *subscription
	expires time.Time
}

func (sub *subscription) expired() bool {
	return !sub.confirmed && time.Since(sub.created) > confirmationTime
}

func (sub *subscription) fifoEndpoint() bool { return strings.HasSuffix(sub.endpoint, ".fifo") }

// protocol is what the service does for the subscriptions of one protocol.
type protocol struct {
	managed bool // an AWS service: its endpoints are ARNs, and its retries cannot be changed
	check   func(t *topic, endpoint string) error
	attempt func(s *Service, d *delivery) error
}

var protocols = map[string]protocol{
	"sqs":    {managed: true, check: checkQueue, attempt: (*Service).toQueue},
	"lambda": {managed: true, check: checkFunction, attempt: (*Service).toFunction},
	"http":   {check: checkURL("http"), attempt: (*Service).toHTTP},
	"https":  {check: checkURL("https"), attempt: (*Service).toHTTP},
}

// mustConfirm says whether the endpoint's owner has to confirm a subscription that account asks for: always, unless the
// endpoint is the account's own.
func (p protocol) mustConfirm(endpoint, account string) bool {
	return !p.managed || strings.Split(endpoint, ":")[4] != account
}

// otherProtocols are those that SNS has and the local cloud has not.
var otherProtocols = []string{"application", "email", "email-json", "firehose", "sms"}

func checkQueue(t *topic, endpoint string) error {
	if parts := strings.Split(endpoint, ":"); len(parts) != 6 || parts[0] != "arn" || parts[2] != "sqs" {
		return invalid("SQS endpoint ARN")
	}
	if strings.HasSuffix(endpoint, ".fifo") && !t.fifo {
		return invalid("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
	}
	return nil
}

func checkURL(scheme string) func(*topic, string) error {
	return func(t *topic, endpoint string) error {
		if t.fifo {
			return invalid("Protocol Reason: a FIFO topic delivers to queues only")
		}
		if t.maxSize > defaultMessageSize {
			return invalid("Protocol Reason: a topic with a MaximumMessageSize above %d cannot have a subscription of the protocol %s", defaultMessageSize, scheme)
		}
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != scheme {
			return invalid("Endpoint must match the specified protocol")
		}
		return nil
	}
}

type subscribeInput struct {
	TopicArn              string
	Protocol              string
	Endpoint              string
	Attributes            map[string]string
	ReturnSubscriptionArn bool
}

type subscriptionOutput struct{ SubscriptionArn string }

func (s *Service) subscribe(c *api.Call, in *subscribeInput) (*subscriptionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(c, "TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	p, ok := protocols[in.Protocol]
	if !ok {
		if slices.Contains(otherProtocols, in.Protocol) {
			s.log.Warn("protocol is not offered", "service", "sns", "protocol", in.Protocol, "request", c.RequestID)
			return nil, invalid("the local cloud does not deliver to this protocol: %s", in.Protocol)
		}
		return nil, invalid("Amazon SNS does not support this protocol string: %s", in.Protocol)
	}
	if err := p.check(t, in.Endpoint); err != nil {
		return nil, err
	}
	sub := &subscription{topic: t, protocol: in.Protocol, endpoint: in.Endpoint, owner: c.Account, settings: &settings{scope: scopeAttributes}}
	replay, err := sub.setAll(in.Attributes)
	if err != nil {
		return nil, err
	}

	if old := t.find(in.Protocol, in.Endpoint); old != nil {
		for name := range in.Attributes { // what the request leaves out may differ
			if old.attribute(name) != sub.attribute(name) {
				return nil, invalid("Attributes Reason: Subscription already exists with different attributes")
			}
		}
		sub = old
	} else if err := s.add(sub, replay); err != nil {
		return nil, err
	}
	switch {
	case !p.mustConfirm(in.Endpoint, c.Account):
		sub.confirmed, sub.confirmedByOwner = true, true
	case !sub.confirmed:
		s.askToConfirm(c, sub, subscriptionConfirmation)
		if !in.ReturnSubscriptionArn {
			return &subscriptionOutput{"pending confirmation"}, nil
		}
	}
	return &subscriptionOutput{sub.arn}, nil
}

// setAll sets the attributes of a subscription that is being made.
func (sub *subscription) setAll(attributes map[string]string) (r *replay, err error) {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if name == "ReplayPolicy" {
			r, err = sub.topic.parseReplay(attributes[name])
		} else if name != "FilterPolicy" { // last: its scope decides what is allowed
			err = sub.set(name, attributes[name])
		}
		if err != nil {
			return nil, invalid("Attributes Reason: %s", err)
		}
	}
	if text, ok := attributes["FilterPolicy"]; ok {
		if err := sub.set("FilterPolicy", text); err != nil {
			return nil, invalid("Attributes Reason: %s", err)
		}
	}
	return r, nil
}

// parseReplay reads a ReplayPolicy for a subscription of the topic.
func (t *topic) parseReplay(text string) (*replay, error) {
	r, err := parseReplay(text)
	if err == nil && r != nil && !t.archive.active() {
		err = reason("ReplayPolicy: the topic has no ArchivePolicy")
	}
	return r, err
}

// find returns the topic's subscription of an endpoint, or nil. One that nobody confirmed in time does not count.
func (t *topic) find(protocol, endpoint string) *subscription {
	for _, sub := range t.subscriptions {
		if sub.protocol == protocol && sub.endpoint == endpoint && !sub.expired() {
			return sub
		}
	}
	return nil
}

// add puts a new subscription into the maps. The caller holds mu.
func (s *Service) add(sub *subscription, r *replay) error {
	t := sub.topic
	for _, old := range slices.Clone(t.subscriptions) {
		if old.expired() {
			s.remove(old)
		}
	}
	switch {
	case t.fifo && len(t.subscriptions) >= maxFIFOSubscriptions, t.maxSize > defaultMessageSize && len(t.subscriptions) >= largeSubscriptions:
		return &api.Error{Code: "SubscriptionLimitExceeded", Message: "The topic has the most subscriptions that it may have", Status: http.StatusForbidden}
	case sub.settings.filter != nil && t.policies() >= maxTopicPolicies:
		return errFilterLimit
	}
	sub.arn, sub.created = t.arn+":"+api.UUID(), time.Now()
	t.subscriptions = append(t.subscriptions, sub)
	s.subscriptions[sub.arn] = sub
	if r != nil {
		sub.replay = r
		s.replayArchive(sub, r)
	}
	return nil
}

// policies is how many of the topic's subscriptions have a filter policy.
func (t *topic) policies() int {
	n := 0
	for _, sub := range t.subscriptions {
		if sub.settings.filter != nil {
			n++
		}
	}
	return n
}

// remove ends a subscription. The caller holds mu.
func (s *Service) remove(sub *subscription) {
	sub.gone = true
	sub.topic.deleted++
	sub.topic.subscriptions = slices.DeleteFunc(sub.topic.subscriptions, func(o *subscription) bool { return o == sub })
	delete(s.subscriptions, sub.arn)
}

// askToConfirm sends an endpoint a token to confirm, or to restore, its subscription with. The caller holds mu.
func (s *Service) askToConfirm(c *api.Call, sub *subscription, kind string) {
	var b [112]byte
	_, _ = rand.Read(b[:]) // it does not fail
	token := hex.EncodeToString(b[:])
	now := time.Now()
	maps.DeleteFunc(s.tokens, func(_ string, c confirmation) bool { return now.After(c.expires) })
	s.tokens[token] = confirmation{sub, now.Add(confirmationTime)}

	text := "You have chosen to subscribe to the topic " + sub.topic.arn +
		".\nTo confirm the subscription, visit the SubscribeURL included in this message."
	if kind == unsubscribeConfirmation {
		text = "You have chosen to deactivate subscription " + sub.arn +
			".\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
	}
	m := &message{id: api.UUID(), body: text, published: now, signatureVersion: sub.topic.attribute("SignatureVersion"), endpoint: c.Endpoint}
	s.send(&delivery{sub: sub, settings: sub.settings, message: m, kind: kind, token: token, endpoint: c.Endpoint, due: now.Add(latency)})
}

type confirmSubscriptionInput struct {
	TopicArn, Token           string
	AuthenticateOnUnsubscribe string
}

// signed says whether a request had a signature: a link that somebody follows has none.
func signed(c *api.Call) bool { return c.Header.Get("Authorization") != "" }

func (s *Service) confirmSubscription(c *api.Call, in *confirmSubscriptionInput) (*subscriptionOutput, error) {
	if _, err := checkARN(c, "Topic", in.TopicArn); err != nil {
		return nil, invalid("Topic")
	}
	if len(in.Token) < 64 || strings.Trim(in.Token, "0123456789abcdef") != "" {
		return nil, api.Errorf("InvalidParameter", "Invalid token")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	con, ok := s.tokens[in.Token]
	if !ok || time.Now().After(con.expires) || con.sub.topic.arn != in.TopicArn {
		return nil, invalid("Token")
	}
	sub := con.sub
	if s.topics[in.TopicArn] != sub.topic {
		return nil, notFound("Topic")
	}
	if sub.gone { // restored, with the token of the message that said goodbye
		if s.subscriptions[sub.arn] != nil || sub.topic.find(sub.protocol, sub.endpoint) != nil {
			return nil, invalid("Token")
		}
		sub.gone = false
		sub.topic.deleted--
		sub.topic.subscriptions = append(sub.topic.subscriptions, sub)
		s.subscriptions[sub.arn] = sub
	}
	sub.confirmed = true
	if signed(c) {
		sub.confirmedByOwner = true
		sub.authenticateOnUnsubscribe = in.AuthenticateOnUnsubscribe == "true"
	}
	return &subscriptionOutput{sub.arn}, nil
}

type subscriptionInput struct{ SubscriptionArn string }

// checkSubscriptionARN checks an ARN of the form topic:id.
func checkSubscriptionARN(c *api.Call, arn string) error {
	if arn == "" {
		return invalid("SubscriptionArn Reason: no value for required parameter")
	}
	parts, err := checkARN(c, "SubscriptionArn", arn)
	if err == nil && (len(parts) != 7 || parts[6] == "") {
		err = invalid("SubscriptionId")
	}
	return err
}

// unsubscribe ends a subscription. Of one that does not exist it is a success.
func (s *Service) unsubscribe(c *api.Call, in *subscriptionInput) (*struct{}, error) {
	if err := checkSubscriptionARN(c, in.SubscriptionArn); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, ok := s.subscriptions[in.SubscriptionArn]
	if !ok {
		return &struct{}{}, nil
	}
	if !signed(c) {
		if sub.authenticateOnUnsubscribe {
			return nil, &api.Error{Code: "AuthorizationError", Message: "The subscription can be ended with a signed request only", Status: http.StatusForbidden}
		}
		if !protocols[sub.protocol].managed {
			s.askToConfirm(c, sub, unsubscribeConfirmation)
		}
	}
	s.remove(sub)
	return &struct{}{}, nil
}

// subscription returns a subscription. The caller holds mu.
func (s *Service) subscription(c *api.Call, arn string) (*subscription, error) {
	if err := checkSubscriptionARN(c, arn); err != nil {
		return nil, err
	}
	sub, ok := s.subscriptions[arn]
	if !ok || sub.expired() {
		return nil, notFound("Subscription")
	}
	return sub, nil
}

type subscriptionEntry struct{ SubscriptionArn, Owner, Protocol, Endpoint, TopicArn string }

type listSubscriptionsOutput struct {
	Subscriptions []subscriptionEntry
	NextToken     string
}

func (s *Service) listSubscriptions(c *api.Call, in *listInput) (*listSubscriptionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pageOfSubscriptions(in.NextToken, func(sub *subscription) bool { return sub.owner == c.Account && sub.topic.region == c.Region })
}

type listSubscriptionsByTopicInput struct{ TopicArn, NextToken string }

func (s *Service) listSubscriptionsByTopic(c *api.Call, in *listSubscriptionsByTopicInput) (*listSubscriptionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(c, "TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	return s.pageOfSubscriptions(in.NextToken, func(sub *subscription) bool { return sub.topic == t })
}

func (s *Service) pageOfSubscriptions(token string, keep func(*subscription) bool) (*listSubscriptionsOutput, error) {
	arns, next, err := page(s.subscriptions, token, func(sub *subscription) bool { return keep(sub) && !sub.expired() })
	if err != nil {
		return nil, err
	}
	out := &listSubscriptionsOutput{Subscriptions: []subscriptionEntry{}, NextToken: next}
	for _, arn := range arns {
		sub := s.subscriptions[arn]
		if !sub.confirmed {
			arn = "PendingConfirmation"
		}
		out.Subscriptions = append(out.Subscriptions, subscriptionEntry{arn, sub.owner, sub.protocol, sub.endpoint, sub.topic.arn})
	}
	return out, nil
}

func (s *Service) getSubscriptionAttributes(c *api.Call, in *subscriptionInput) (*attributesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.subscription(c, in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	a := map[string]string{
		"ConfirmationWasAuthenticated": strconv.FormatBool(sub.confirmedByOwner),
		"Endpoint":                     sub.endpoint,
		"Owner":                        sub.owner,
		"PendingConfirmation":          strconv.FormatBool(!sub.confirmed),
		"Protocol":                     sub.protocol,
		"SubscriptionArn":              sub.arn,
		"SubscriptionPrincipal":        "arn:aws:iam::" + sub.owner + ":root",
		"TopicArn":                     sub.topic.arn,
	}
	for _, name := range []string{"DeliveryPolicy", "FilterPolicy", "RawMessageDelivery", "RedrivePolicy", "ReplayPolicy", "SubscriptionRoleArn"} {
		if v := sub.attribute(name); v != "" {
			a[name] = v
		}
	}
	if sub.settings.filter != nil {
		a["FilterPolicyScope"] = sub.settings.scope
	}
	if !protocols[sub.protocol].managed {
		a["EffectiveDeliveryPolicy"] = asJSON(sub.settings.delivery.effective(sub.topic))
	}
	if sub.replay != nil {
		a["ReplayStatus"] = sub.replay.status()
	}
	return &attributesOutput{a}, nil
}

// attribute returns an attribute that can be set, or "".
func (sub *subscription) attribute(name string) string {
	switch name {
	case "DeliveryPolicy":
		if sub.settings.delivery == nil {
			return ""
		}
		return asJSON(sub.settings.delivery)
	case "FilterPolicy":
		return sub.settings.filterText
	case "FilterPolicyScope":
		return sub.settings.scope
	case "RawMessageDelivery":
		return strconv.FormatBool(sub.settings.raw)
	case "RedrivePolicy":
		return sub.settings.redrive
	case "ReplayPolicy":
		if sub.replay == nil {
			return ""
		}
		return sub.replay.text
	case "SubscriptionRoleArn":
		return sub.settings.role
	}
	return ""
}

type setSubscriptionAttributesInput struct{ SubscriptionArn, AttributeName, AttributeValue string }

func (s *Service) setSubscriptionAttributes(c *api.Call, in *setSubscriptionAttributesInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub, err := s.subscription(c, in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	if in.AttributeName == "ReplayPolicy" {
		r, err := sub.topic.parseReplay(in.AttributeValue)
		if err != nil {
			return nil, invalid("%s", err)
		}
		sub.replay = r // deliveries of a replay that is no longer the subscription's are dropped
		if r != nil {
			s.replayArchive(sub, r)
		}
		return &struct{}{}, nil
	}
	if in.AttributeName == "FilterPolicy" && in.AttributeValue != "" && sub.settings.filter == nil && sub.topic.policies() >= maxTopicPolicies {
		return nil, errFilterLimit
	}
	if err := sub.set(in.AttributeName, in.AttributeValue); err != nil {
		return nil, invalid("%s", err)
	}
	return &struct{}{}, nil
}

// set sets an attribute other than ReplayPolicy. Its error is what follows "Invalid parameter: ", and then nothing has changed.
func (sub *subscription) set(name, value string) error {
	next := *sub.settings
	var err error
	switch name {
	case "RawMessageDelivery":
		next.raw, err = parseBool(name, value)
	case "FilterPolicyScope":
		if value != scopeAttributes && value != scopeBody {
			return reason("FilterPolicyScope: Invalid value [%s]. Please use either MessageBody or MessageAttributes", value)
		}
		next.scope = value
		if next.filter != nil {
			next.filter, err = parseFilter(next.filterText, value)
		}
	case "FilterPolicy":
		next.filter, next.filterText = nil, value
		if value != "" {
			next.filter, err = parseFilter(value, next.scope)
		}
	case "DeliveryPolicy":
		next.delivery = nil
		if value != "" {
			next.delivery, err = parseDelivery(value)
		}
	case "RedrivePolicy":
		next.redrive = value
		next.deadLetter, err = sub.parseRedrive(value)
	case "SubscriptionRoleArn":
		next.role = value
	default:
		return reason("AttributeName")
	}
	if err == nil {
		sub.settings = &next
	}
	return err
}

// parseRedrive reads a RedrivePolicy and returns the dead-letter queue in it.
// Source: Amazon SNS Developer Guide, "Amazon SNS dead-letter queues" (checked 2026-12-01).
func (sub *subscription) parseRedrive(text string) (queueARN string, err error) {
	if text == "" {
		return "", nil
	}
	var p struct {
		Target *string `json:"deadLetterTargetArn"`
	}
	if err := strict([]byte(text), &p); err != nil {
		return "", reason("RedrivePolicy: %s", err)
	}
	if p.Target == nil {
		return "", nil
	}
	parts := strings.Split(*p.Target, ":")
	switch {
	case len(parts) != 6 || parts[0] != "arn" || parts[2] != "sqs":
		return "", reason("RedrivePolicy: deadLetterTargetArn is an invalid arn")
	case parts[3] != sub.topic.region || parts[4] != sub.owner:
		return "", reason("RedrivePolicy: the dead-letter queue must be in the account and the region of the subscription")
	case strings.HasSuffix(*p.Target, ".fifo") && !sub.fifoEndpoint():
		return "", reason("RedrivePolicy: must use a standard queue as DLQ for a standard Subscription.")
	case !strings.HasSuffix(*p.Target, ".fifo") && sub.fifoEndpoint():
		return "", reason("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")
	}
	return *p.Target, nil
}
