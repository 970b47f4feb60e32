package sqs

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// A policy is a queue's access policy, kept as it was given.
type policy struct {
	given    string // as it was set; empty: made by AddPermission
	Version  string
	ID       string `json:"Id,omitempty"`
	Sections []any  `json:"Statement"`
}

// A statement is what AddPermission adds to a policy.
type statement struct {
	Sid       string
	Effect    string
	Principal map[string]any
	Action    any // one is a string, several are a list
	Resource  string
}

func (p *policy) text() (string, bool) {
	if p == nil {
		return "", false
	}
	if p.given != "" {
		return p.given, true
	}
	return document(p)
}

func parsePolicy(v string) (*policy, error) {
	if v == "" {
		return nil, nil
	}
	bad := invalidAttributeValue("Policy", "")
	var raw struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(v), &raw); err != nil || len(raw.Statement) == 0 {
		return nil, bad
	}
	p := &policy{given: v, Version: raw.Version, ID: raw.ID}
	if bytes.HasPrefix(raw.Statement, []byte("{")) { // a single one may stand without a list
		raw.Statement = slices.Concat([]byte("["), raw.Statement, []byte("]"))
	}
	if err := json.Unmarshal(raw.Statement, &p.Sections); err != nil || len(p.Sections) == 0 {
		return nil, bad
	}
	return p, nil
}

func sid(section any) string {
	switch s := section.(type) {
	case statement:
		return s.Sid
	case map[string]any:
		label, _ := s["Sid"].(string)
		return label
	}
	return ""
}

const maxPermissionActions = 7 // AddPermission

var (
	permissionLabel = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	// permissionActions are the actions that others than the owner can be allowed to do.
	permissionActions = []string{"*", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
		"ListDeadLetterSourceQueues", "PurgeQueue", "ReceiveMessage", "SendMessage"}
)

type addPermissionInput struct {
	QueueUrl      string
	Label         string
	AWSAccountIds []string `query:"AWSAccountId"`
	Actions       []string `query:"ActionName"`
}

func (s *Service) addPermission(c *api.Call, in *addPermissionInput) (*struct{}, error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	switch {
	case in.Label == "":
		return nil, missingParameter("Label")
	case len(in.AWSAccountIds) == 0:
		return nil, missingParameter("AWSAccountIds")
	case len(in.Actions) == 0:
		return nil, missingParameter("Actions")
	case !permissionLabel.MatchString(in.Label):
		return nil, invalidValue(in.Label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.")
	case len(in.Actions) > maxPermissionActions:
		return nil, overLimit("A policy statement has more than 7 actions.")
	}
	var actions, principals []string
	for _, action := range in.Actions {
		if !slices.Contains(permissionActions, action) {
			return nil, invalidValue("SQS:"+action, "ActionName", "Only the queue owner is allowed to invoke this action.")
		}
		actions = append(actions, "SQS:"+action)
	}
	for _, account := range in.AWSAccountIds {
		principals = append(principals, "arn:aws:iam::"+account+":root")
	}

	set := *q.settings.Load()
	p := policy{Version: "2008-10-17", ID: q.arn() + "/SQSDefaultPolicy"}
	if set.policy != nil {
		p = *set.policy
		p.given = ""
	}
	if slices.ContainsFunc(p.Sections, func(section any) bool { return sid(section) == in.Label }) {
		return nil, invalidValue(in.Label, "Label", "Already exists.")
	}
	p.Sections = append(slices.Clone(p.Sections), statement{
		Sid: in.Label, Effect: "Allow", Principal: map[string]any{"AWS": oneOrMore(principals)}, Action: oneOrMore(actions), Resource: q.arn(),
	})
	set.policy = &p
	set.modified = time.Now()
	q.settings.Store(&set)
	return &struct{}{}, nil
}

func oneOrMore(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}

type removePermissionInput struct{ QueueUrl, Label string }

func (s *Service) removePermission(c *api.Call, in *removePermissionInput) (*struct{}, error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.Label == "" {
		return nil, missingParameter("Label")
	}
	set := *q.settings.Load()
	var p policy
	if set.policy != nil {
		p = *set.policy
	}
	left := slices.DeleteFunc(slices.Clone(p.Sections), func(section any) bool { return sid(section) == in.Label })
	if len(left) == len(p.Sections) {
		return nil, invalidValue(in.Label, "Label", "can't find label.")
	}
	p.given, p.Sections = "", left
	set.policy = &p
	if len(left) == 0 {
		set.policy = nil
	}
	set.modified = time.Now()
	q.settings.Store(&set)
	return &struct{}{}, nil
}
