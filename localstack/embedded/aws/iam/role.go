package iam

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

const (
	maxTrust       = 2048 // characters, the default of the quota ACLSizePerRole
	minSession     = 3600 // seconds
	maxSession     = 43200
	defaultSession = 3600
)

type createRoleInput struct {
	Path, RoleName, AssumeRolePolicyDocument, Description string
	MaxSessionDuration                                    *int
	PermissionsBoundary                                   string
	Tags                                                  []tag
}

type oneRole struct{ Role roleShape }

type roleShape struct {
	Path, RoleName           string
	RoleID                   string `json:"RoleId" query:"RoleId"`
	Arn                      string
	CreateDate               api.Timestamp
	AssumeRolePolicyDocument string
	Description              string
	MaxSessionDuration       *int
	PermissionsBoundary      *boundaryOutput
	Tags                     []tag
	RoleLastUsed             *struct{} // what the role did lately is not followed
}

func (e *entity) roleShape() roleShape {
	return roleShape{
		Path: e.path, RoleName: e.name, RoleID: e.id, Arn: e.arn, CreateDate: api.At(e.created), AssumeRolePolicyDocument: e.trust.encoded(),
		Description: e.description,
	}
}

// fullRole is what GetRole and CreateRole tell and ListRoles does not.
func (e *entity) fullRole() roleShape {
	r := e.roleShape()
	r.PermissionsBoundary, r.Tags = e.boundaryOutput(), e.tags
	return r
}

// trustPolicy checks a role's trust policy. The caller holds mu.
func (s *Service) trustPolicy(field, text string) (document, error) {
	if text != "" && !json.Valid([]byte(text)) && textPattern.MatchString(text) {
		// The code has an s that no other error has: recorded 2023-09-14, test_create_role_with_malformed_assume_role_policy_document.
		return document{}, &api.Error{Code: "MalformedPolicyDocuments", Message: "This policy contains invalid Json"}
	}
	d, err := s.document(policy.Trust, field, text)
	if err != nil {
		return d, err
	}
	if size(text) > maxTrust {
		return d, limitExceeded("Cannot exceed quota for ACLSizePerRole: %d", maxTrust)
	}
	for _, p := range d.parsed.Principals() {
		// The users and roles of another account may be elsewhere; those of an account in this cloud must be there.
		parts := strings.SplitN(p, ":", 6)
		if len(parts) == 6 && parts[2] == "iam" && s.accounts[parts[4]] != nil && s.byARN(p) == nil {
			return d, malformedPolicy(`Invalid principal in policy: "AWS":"` + p + `"`)
		}
	}
	return d, nil
}

func checkSession(seconds *int) error {
	switch {
	case seconds == nil:
		return nil
	case *seconds < minSession:
		return constraint("maxSessionDuration", strconv.Itoa(*seconds), "have value greater than or equal to 3600")
	case *seconds > maxSession:
		return constraint("maxSessionDuration", strconv.Itoa(*seconds), "have value less than or equal to 43200")
	}
	return nil
}

func (s *Service) createRole(c *api.Call, in *createRoleInput) (*oneRole, error) {
	if err := checkSession(in.MaxSessionDuration); err != nil {
		return nil, err
	}
	if err := checkDescription(in.Description); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.create(c, role, in.Path, in.RoleName, in.Tags, in.PermissionsBoundary)
	if err != nil {
		return nil, err
	}
	if e.trust, err = s.trustPolicy("assumeRolePolicyDocument", in.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	e.description, e.maxSession = in.Description, defaultSession
	if in.MaxSessionDuration != nil {
		e.maxSession = *in.MaxSessionDuration
	}
	s.add(e)
	return &oneRole{e.fullRole()}, nil
}

type roleInput struct {
	RoleName, PolicyDocument string
	Description              *string
	MaxSessionDuration       *int
}

func (s *Service) getRole(c *api.Call, in *roleInput) (*oneRole, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, role, in.RoleName)
	if err != nil {
		return nil, err
	}
	r := e.fullRole()
	r.MaxSessionDuration, r.RoleLastUsed = &e.maxSession, &struct{}{}
	return &oneRole{r}, nil
}

type listInput struct {
	PathPrefix, Marker string
	MaxItems           *int
}

type listRolesOutput struct {
	Roles       []roleShape
	IsTruncated bool
	Marker      string
}

func (s *Service) listRoles(c *api.Call, in *listInput) (*listRolesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, end, err := s.list(c, role, in.PathPrefix, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	out := &listRolesOutput{IsTruncated: end.IsTruncated, Marker: end.Marker}
	for _, e := range found {
		r := e.roleShape()
		r.MaxSessionDuration = &e.maxSession
		out.Roles = append(out.Roles, r)
	}
	return out, nil
}

type updateRoleOutput struct{}

func (s *Service) updateRole(c *api.Call, in *roleInput) (*updateRoleOutput, error) {
	if err := checkSession(in.MaxSessionDuration); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, role, in.RoleName)
	if err != nil {
		return nil, err
	}
	if in.Description != nil {
		if err := checkDescription(*in.Description); err != nil {
			return nil, err
		}
		e.description = *in.Description
	}
	if in.MaxSessionDuration != nil {
		e.maxSession = *in.MaxSessionDuration
	}
	return &updateRoleOutput{}, nil
}

func (s *Service) updateRoleDescription(c *api.Call, in *roleInput) (*oneRole, error) {
	in.MaxSessionDuration = nil
	if in.Description == nil {
		return nil, constraint("description", "", "not be null")
	}
	if _, err := s.updateRole(c, in); err != nil {
		return nil, err
	}
	return s.getRole(c, in)
}

func (s *Service) updateAssumeRolePolicy(c *api.Call, in *roleInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, role, in.RoleName)
	if err != nil {
		return nil, err
	}
	d, err := s.trustPolicy("policyDocument", in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	e.trust = d
	return &struct{}{}, nil
}
