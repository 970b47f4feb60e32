package lambda

import (
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// A statement of a function's policy.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
	revision  string
}

type policyDocument struct {
	Version   string
	Id        string
	Statement []statement
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// policy is the policy of a qualifier as text; empty: there is none.
func (f *function) policy(qualifier string) string {
	list := f.policies[qualifier]
	if len(list) == 0 {
		return ""
	}
	b, err := json.Marshal(policyDocument{"2012-10-17", "default", list})
	if err != nil {
		panic("lambda: a policy that is no JSON: " + err.Error())
	}
	return string(b)
}

// ResourcePolicy returns the policy of the function, version or alias of that ARN; empty: it has none.
func (s *Service) ResourcePolicy(functionARN string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, n, err := s.find(&api.Call{}, functionARN, "")
	if err != nil {
		return ""
	}
	return f.policy(n.qualifier)
}

type addPermissionInput struct {
	FunctionName                                                                         string `rest:"path"`
	Qualifier                                                                            string `rest:"query=Qualifier"`
	Action, Principal, StatementId, SourceArn, SourceAccount, RevisionId, PrincipalOrgID string
	EventSourceToken, FunctionUrlAuthType                                                string
	InvokedViaFunctionUrl                                                                *bool
}

type addPermissionOutput struct{ Statement string }

var (
	statementID      = regexp.MustCompile(`^([a-zA-Z0-9-_]+)$`)
	permissionAction = regexp.MustCompile(`^(lambda:[*]|lambda:[a-zA-Z]+|[*])$`)
	accountNumber    = regexp.MustCompile(`^\d{12}$`)
)

func (s *Service) addPermission(c *api.Call, in *addPermissionInput) (*addPermissionOutput, error) {
	switch {
	case !statementID.MatchString(in.StatementId):
		return nil, constraint(in.StatementId, "statementId", "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)")
	case !permissionAction.MatchString(in.Action):
		return nil, constraint(in.Action, "action", "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])")
	case in.Principal == "":
		return nil, constraint("null", "principal", "Member must not be null")
	case in.FunctionUrlAuthType != "" || in.InvokedViaFunctionUrl != nil || in.EventSourceToken != "":
		return nil, notOffered("function URLs and event source tokens")
	}
	st := statement{Sid: in.StatementId, Effect: "Allow", Action: in.Action, Condition: map[string]map[string]string{}}
	condition := func(operator, k, v string) {
		if v != "" {
			if st.Condition[operator] == nil {
				st.Condition[operator] = map[string]string{}
			}
			st.Condition[operator][k] = v
		}
	}
	condition("ArnLike", "AWS:SourceArn", in.SourceArn)
	condition("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	condition("StringEquals", "aws:PrincipalOrgID", in.PrincipalOrgID)
	switch {
	case in.Principal == "*":
		st.Principal = "*"
	case accountNumber.MatchString(in.Principal):
		st.Principal = map[string]string{"AWS": "arn:aws:iam::" + in.Principal + ":root"}
	case strings.HasPrefix(in.Principal, "arn:"):
		st.Principal = map[string]string{"AWS": in.Principal}
	case strings.Contains(in.Principal, "."):
		st.Principal = map[string]string{"Service": in.Principal}
	default:
		return nil, invalid("The provided principal was invalid. Please check the principal and try again.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, n, err := s.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if n.qualifier == "$LATEST" {
		return nil, invalid("We currently do not support adding policies for $LATEST.")
	}
	if !f.qualified(n.qualifier) {
		return nil, notFound("Function not found: %s", n.arn())
	}
	list := f.policies[n.qualifier]
	if len(list) > 0 {
		if err := precondition(in.RevisionId, list[len(list)-1].revision); err != nil {
			return nil, err
		}
	}
	if slices.ContainsFunc(list, func(x statement) bool { return x.Sid == st.Sid }) {
		return nil, conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", st.Sid)
	}
	st.Resource, st.revision = n.arn(), api.UUID()
	f.policies[n.qualifier] = append(list, st)
	if len(f.policy(n.qualifier)) > 20480 {
		f.policies[n.qualifier] = list
		return nil, &api.Error{Code: "PolicyLengthExceededException", Message: "The final policy size is bigger than the limit (20480)."}
	}
	b, err := json.Marshal(st)
	return &addPermissionOutput{string(b)}, err
}

type policyOutput struct{ Policy, RevisionId string }

func (s *Service) getPolicy(c *api.Call, in *functionNameInput) (*policyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, n, err := s.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	list := f.policies[n.qualifier]
	if len(list) == 0 {
		return nil, notFound("The resource you requested does not exist.")
	}
	return &policyOutput{f.policy(n.qualifier), list[len(list)-1].revision}, nil
}

type removePermissionInput struct {
	FunctionName string `rest:"path"`
	StatementId  string `rest:"path"`
	Qualifier    string `rest:"query=Qualifier"`
	RevisionId   string `rest:"query=RevisionId"`
}

func (s *Service) removePermission(c *api.Call, in *removePermissionInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, n, err := s.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	list := f.policies[n.qualifier]
	i := slices.IndexFunc(list, func(x statement) bool { return x.Sid == in.StatementId })
	if i < 0 {
		return nil, notFound("Statement %s is not found in resource policy.", in.StatementId)
	}
	if err := precondition(in.RevisionId, cmp.Or(list[len(list)-1].revision)); err != nil {
		return nil, err
	}
	f.policies[n.qualifier] = slices.Delete(slices.Clone(list), i, i+1)
	return &struct{}{}, nil
}
