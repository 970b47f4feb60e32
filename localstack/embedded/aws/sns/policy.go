package sns

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// policy is a topic's access policy.
type policy struct {
	Version   string
	ID        string `json:"Id,omitempty"`
	Statement []statement
}

type statement map[string]any

func (p policy) String() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // it was made from JSON
	}
	return string(b)
}

// defaultPolicy lets the owner's account do everything.
func defaultPolicy(t *topic) policy {
	return policy{Version: "2008-10-17", ID: "__default_policy_ID", Statement: []statement{{
		"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": map[string]any{"AWS": "*"},
		"Action": []string{
			"SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission",
			"SNS:DeleteTopic", "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish",
		},
		"Resource":  t.arn,
		"Condition": map[string]any{"StringEquals": map[string]any{"AWS:SourceOwner": t.account}},
	}}}
}

func parsePolicy(text string) (policy, error) {
	var raw struct {
		Version, ID string
		Statement   json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return policy{}, err
	}
	p := policy{Version: raw.Version, ID: raw.ID}
	if json.Unmarshal(raw.Statement, &p.Statement) == nil && len(p.Statement) > 0 {
		return p, nil
	}
	var one statement // a single statement needs no list
	if err := json.Unmarshal(raw.Statement, &one); err != nil || one == nil {
		return policy{}, fmt.Errorf("the policy has no statement")
	}
	p.Statement = []statement{one}
	return p, nil
}

// ResourcePolicy returns the policy of the topic of that ARN; empty: there is no such topic.
func (s *Service) ResourcePolicy(topicARN string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.topics[topicARN]; t != nil {
		return t.policy.String()
	}
	return ""
}

// resources returns the ARN of the topic that a request is about; the operations on subscriptions and lists are about "*".
// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon SNS" (checked 2026-12-01).
func (s *Service) resources(c *api.Call, in any) []string {
	if in, ok := in.(*createTopicInput); ok {
		return []string{"arn:aws:sns:" + c.Region + ":" + c.Account + ":" + in.Name}
	}
	v := reflect.ValueOf(in).Elem()
	for _, field := range []string{"TopicArn", "TargetArn", "ResourceArn"} {
		f := v.FieldByName(field)
		if f.IsValid() && f.Kind() == reflect.Pointer {
			f = f.Elem()
		}
		if f.IsValid() && f.String() != "" {
			return []string{f.String()}
		}
	}
	return nil
}

type addPermissionInput struct {
	TopicArn, Label string
	AWSAccountID    []string `query:"AWSAccountId"`
	ActionName      []string
}

func (s *Service) addPermission(c *api.Call, in *addPermissionInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(c, "TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	switch {
	case in.Label == "":
		return nil, invalid("Label")
	case len(in.AWSAccountID) == 0:
		return nil, invalid("AWSAccountId")
	case len(in.ActionName) == 0:
		return nil, invalid("ActionName")
	case slices.ContainsFunc(t.policy.Statement, func(st statement) bool { return st["Sid"] == in.Label }):
		return nil, invalid("Statement already exists")
	}
	var principals, actions []string
	for _, account := range in.AWSAccountID {
		principals = append(principals, "arn:aws:iam::"+account+":root")
	}
	for _, name := range in.ActionName {
		if _, ok := s.api.Operations[name]; !ok {
			return nil, invalid("Policy statement action out of service scope!")
		}
		actions = append(actions, "SNS:"+name)
	}
	t.policy.Statement = append(slices.Clone(t.policy.Statement), statement{
		"Sid": in.Label, "Effect": "Allow", "Principal": map[string]any{"AWS": one(principals)}, "Action": one(actions), "Resource": t.arn,
	})
	return &struct{}{}, nil
}

// one is how a policy shows a list: a single element stands alone.
func one(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

type removePermissionInput struct{ TopicArn, Label string }

func (s *Service) removePermission(c *api.Call, in *removePermissionInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(c, "TopicArn", in.TopicArn)
	if err != nil {
		return nil, err
	}
	t.policy.Statement = slices.DeleteFunc(slices.Clone(t.policy.Statement), func(st statement) bool { return st["Sid"] == in.Label })
	return &struct{}{}, nil
}

// maxProtection is the largest data protection policy, in characters.
const maxProtection = 30720

func (t *topic) protect(text string) error {
	if len(text) > maxProtection || text != "" && !json.Valid([]byte(text)) {
		return invalid("DataProtectionPolicy")
	}
	t.protection = text
	return nil
}

type putDataProtectionPolicyInput struct{ ResourceArn, DataProtectionPolicy string }

func (s *Service) putDataProtectionPolicy(c *api.Call, in *putDataProtectionPolicyInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(c, "ResourceArn", in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if err := t.protect(in.DataProtectionPolicy); err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

type getDataProtectionPolicyOutput struct{ DataProtectionPolicy string }

func (s *Service) getDataProtectionPolicy(c *api.Call, in *resourceInput) (*getDataProtectionPolicyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.topic(c, "ResourceArn", in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &getDataProtectionPolicyOutput{t.protection}, nil
}
