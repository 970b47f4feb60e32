package iam

import (
	"slices"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

type contextEntry struct {
	ContextKeyName   string
	ContextKeyValues []string
	ContextKeyType   string
}

type simulateInput struct {
	PolicySourceArn, CallerArn, ResourcePolicy, ResourceOwner string
	ActionNames, ResourceArns                                 []string
	PolicyInputList, PermissionsBoundaryPolicyInputList       []string
	ContextEntries                                            []contextEntry
	OrderedOrganizationPolicyInputList, PolicyExclusionList   []struct{ PolicyArn string }
	ResourceHandlingOption, Marker                            string
	MaxItems                                                  *int
}

type evaluationResult struct {
	EvalActionName, EvalResourceName, EvalDecision string
	PermissionsBoundaryDecisionDetail              *boundaryDetail
}

type boundaryDetail struct{ AllowedByPermissionsBoundary bool }

type simulateOutput struct {
	EvaluationResults []evaluationResult
	IsTruncated       bool
	Marker            string
}

// simulatePrincipalPolicy decides by the policies of a user, group or role, and by what the request adds.
func (s *Service) simulatePrincipalPolicy(c *api.Call, in *simulateInput) (*simulateOutput, error) {
	s.mu.RLock()
	e := s.byARN(in.PolicySourceArn)
	s.mu.RUnlock()
	if e == nil || e.account != c.Account {
		return nil, noSuchEntity("%s cannot be found.", in.PolicySourceArn)
	}
	identity, boundary := s.Policies(e.arn)
	who := policy.Principal{Account: e.account, ARN: e.arn, ID: e.id}
	if e.kind == role {
		who.Role = e.arn
	}
	return s.simulate(c, in, who, identity, boundary)
}

func (s *Service) simulateCustomPolicy(c *api.Call, in *simulateInput) (*simulateOutput, error) {
	if len(in.PolicyInputList) == 0 {
		return nil, constraint("policyInputList", "", "not be null")
	}
	arn := "arn:aws:iam::" + c.Account + ":user/simulated"
	if in.CallerArn != "" {
		arn = in.CallerArn
	}
	return s.simulate(c, in, policy.Principal{Account: c.Account, ARN: arn}, nil, nil)
}

func (s *Service) simulate(c *api.Call, in *simulateInput, who policy.Principal, identity []*policy.Document, boundary *policy.Document) (*simulateOutput, error) {
	if len(in.ActionNames) == 0 {
		return nil, constraint("actionNames", "", "not be null")
	}
	for parameter, set := range map[string]bool{
		"ResourceHandlingOption": in.ResourceHandlingOption != "", "OrderedOrganizationPolicyInputList": len(in.OrderedOrganizationPolicyInputList) > 0,
		"PolicyExclusionList": len(in.PolicyExclusionList) > 0,
	} {
		if set {
			return nil, invalidInput("The local cloud does not offer %s.", parameter)
		}
	}
	all := policy.Policies{Identity: slices.Clone(identity), Boundary: boundary, Owner: in.ResourceOwner}
	for _, text := range in.PolicyInputList {
		d, err := s.document(policy.Identity, "policyInputList", text)
		if err != nil {
			return nil, err
		}
		all.Identity = append(all.Identity, d.parsed)
	}
	if len(in.PermissionsBoundaryPolicyInputList) > 1 {
		return nil, invalidInput("There can be one permissions boundary.")
	}
	for _, text := range in.PermissionsBoundaryPolicyInputList {
		d, err := s.document(policy.Identity, "permissionsBoundaryPolicyInputList", text)
		if err != nil {
			return nil, err
		}
		all.Boundary = d.parsed
	}
	if in.ResourcePolicy != "" {
		d, err := s.document(policy.Resource, "resourcePolicy", in.ResourcePolicy)
		if err != nil {
			return nil, err
		}
		all.Resource = d.parsed
	}
	context := map[string][]string{}
	for _, e := range in.ContextEntries {
		context[strings.ToLower(e.ContextKeyName)] = e.ContextKeyValues
	}
	if len(in.ResourceArns) == 0 {
		in.ResourceArns = []string{"*"}
	}
	var results []evaluationResult
	for _, action := range in.ActionNames {
		for _, resource := range in.ResourceArns {
			request := &policy.Request{Principal: who, Action: action, Resource: resource, Context: context}
			decision := all.Evaluate(request)
			result := evaluationResult{EvalActionName: action, EvalResourceName: resource, EvalDecision: "implicitDeny"}
			switch {
			case decision.Allowed:
				result.EvalDecision = "allowed"
			case decision.Explicit:
				result.EvalDecision = "explicitDeny"
			}
			if all.Boundary != nil {
				alone := policy.Policies{Identity: []*policy.Document{all.Boundary}}.Evaluate(request)
				result.PermissionsBoundaryDecisionDetail = &boundaryDetail{alone.Allowed}
			}
			results = append(results, result)
		}
	}
	results, end, err := cut(results, func(r evaluationResult) string { return r.EvalActionName + " " + r.EvalResourceName }, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &simulateOutput{results, end.IsTruncated, end.Marker}, nil
}
