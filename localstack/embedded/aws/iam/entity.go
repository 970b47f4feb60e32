package iam

import (
	"slices"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

// kind is what users, groups and roles differ in.
type kind struct {
	name, field, arn, id string
	maxName              int
	most                 int // in an account
	inline               int // characters of all inline policies
	attachments          int // managed policies
	quota                string
}

// The kinds, with their default quotas. Source: IAM User Guide, "IAM and AWS STS quotas" (checked 2026-12-01).
var (
	role  = &kind{"Role", "roleName", "role", "AROA", 64, 1000, 10240, 10, "PoliciesPerRole"}
	user  = &kind{"User", "userName", "user", "AIDA", 64, 5000, 2048, 10, "PoliciesPerUser"}
	group = &kind{"Group", "groupName", "group", "AGPA", 128, 300, 5120, 10, "PoliciesPerGroup"}
	kinds = []*kind{role, user, group}
)

// entity is a user, a group or a role.
type entity struct {
	*kind
	account, name, path, id, arn string
	created                      time.Time
	tags                         []tag
	inline                       map[string]document
	attached                     []string // ARNs of managed policies, in the order of attaching
	boundary                     string   // ARN of a managed policy

	trust       document // of roles, as the next two
	description string
	maxSession  int // seconds

	keys    []*accessKey // of users
	members []*entity    // of groups
}

func (e *entity) tagMap() map[string]string {
	m := make(map[string]string, len(e.tags))
	for _, t := range e.tags {
		m[t.Key] = t.Value
	}
	return m
}

// create makes an entity that the caller completes. The caller holds mu.
func (s *Service) create(c *api.Call, k *kind, path, name string, tags []tag, boundary string) (*entity, error) {
	path = orRoot(path)
	if err := checkName(k.field, name, k.maxName); err != nil {
		return nil, err
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	tags, err := setTags(nil, tags)
	if err != nil {
		return nil, err
	}
	if boundary != "" {
		if err := s.checkBoundary(c, boundary); err != nil {
			return nil, err
		}
	}
	all := s.account(c.Account).entities[k]
	switch {
	case all[strings.ToLower(name)] != nil:
		return nil, alreadyExists("%s with name %s already exists.", k.name, name)
	case len(all) >= k.most:
		return nil, limitExceeded("Cannot exceed quota for %ssPerAccount: %d", k.name, k.most)
	}
	return &entity{
		kind: k, account: c.Account, name: name, path: path, id: uniqueID(k.id, 21), arn: "arn:aws:iam::" + c.Account + ":" + k.arn + path + name,
		created: time.Now().Truncate(time.Second), tags: tags, inline: map[string]document{}, boundary: boundary,
	}, nil
}

func (s *Service) add(e *entity) { s.account(e.account).entities[e.kind][strings.ToLower(e.name)] = e }

// find returns the entity of that name. The caller holds mu.
func (s *Service) find(c *api.Call, k *kind, name string) (*entity, error) {
	if err := checkName(k.field, name, 128); err != nil {
		return nil, err
	}
	if e := s.account(c.Account).entities[k][strings.ToLower(name)]; e != nil {
		return e, nil
	}
	return nil, noSuchEntity("The %s with name %s cannot be found.", strings.ToLower(k.name), name)
}

// list returns the entities below a path.
func (s *Service) list(c *api.Call, k *kind, prefix string, p page) ([]*entity, pageOutput, error) {
	var found []*entity
	for _, e := range s.account(c.Account).entities[k] {
		if strings.HasPrefix(e.path, prefix) {
			found = append(found, e)
		}
	}
	return cut(found, func(e *entity) string { return e.name }, p)
}

// entityInput is the input of the operations that the three kinds have in common.
type entityInput struct {
	RoleName, UserName, GroupName                              string
	PolicyName, PolicyDocument, PolicyArn, PermissionsBoundary string
	Tags                                                       []tag
	TagKeys                                                    []string
	PathPrefix, Marker                                         string
	MaxItems                                                   *int
}

func (in *entityInput) name(k *kind) string {
	switch k {
	case role:
		return in.RoleName
	case user:
		return in.UserName
	}
	return in.GroupName
}

// on makes an operation of one that the kinds have in common.
func on[Out any](k *kind, f func(*api.Call, *kind, *entityInput) (*Out, error)) func(*api.Call, *entityInput) (*Out, error) {
	return func(c *api.Call, in *entityInput) (*Out, error) { return f(c, k, in) }
}

func (s *Service) deleteEntity(c *api.Call, k *kind, in *entityInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	switch {
	case len(e.attached) > 0:
		return nil, deleteConflict("Cannot delete entity, must detach all policies first.")
	case len(e.inline) > 0:
		return nil, deleteConflict("Cannot delete entity, must delete policies first.")
	case len(e.keys) > 0:
		return nil, deleteConflict("Cannot delete entity, must delete access keys first.")
	case len(e.members) > 0:
		return nil, deleteConflict("Cannot delete entity, must remove users from group first.")
	case len(s.groupsOf(e)) > 0:
		return nil, deleteConflict("Cannot delete entity, must remove user from all groups first.")
	}
	delete(s.account(c.Account).entities[k], strings.ToLower(e.name))
	return &struct{}{}, nil
}

func (s *Service) putInline(c *api.Call, k *kind, in *entityInput) (*struct{}, error) {
	if err := checkName("policyName", in.PolicyName, 128); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	d, err := s.document(policy.Identity, "policyDocument", in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	total := size(d.text)
	for name, other := range e.inline {
		if name != in.PolicyName {
			total += size(other.text)
		}
	}
	if total > k.inline {
		return nil, limitExceeded("Maximum policy size of %d bytes exceeded for %s %s", k.inline, strings.ToLower(k.name), e.name)
	}
	e.inline[in.PolicyName] = d
	return &struct{}{}, nil
}

type inlineOutput struct{ RoleName, UserName, GroupName, PolicyName, PolicyDocument string }

// inlineOf returns an inline policy. The caller holds mu.
func (s *Service) inlineOf(c *api.Call, k *kind, in *entityInput) (*entity, document, error) {
	if err := checkName("policyName", in.PolicyName, 128); err != nil {
		return nil, document{}, err
	}
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, document{}, err
	}
	d, ok := e.inline[in.PolicyName]
	if !ok {
		return nil, document{}, noSuchEntity("The %s policy with name %s cannot be found.", strings.ToLower(k.name), in.PolicyName)
	}
	return e, d, nil
}

func (s *Service) getInline(c *api.Call, k *kind, in *entityInput) (*inlineOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, d, err := s.inlineOf(c, k, in)
	if err != nil {
		return nil, err
	}
	out := &inlineOutput{PolicyName: in.PolicyName, PolicyDocument: d.encoded()}
	switch k {
	case role:
		out.RoleName = e.name
	case user:
		out.UserName = e.name
	case group:
		out.GroupName = e.name
	}
	return out, nil
}

func (s *Service) deleteInline(c *api.Call, k *kind, in *entityInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, _, err := s.inlineOf(c, k, in)
	if err != nil {
		return nil, err
	}
	delete(e.inline, in.PolicyName)
	return &struct{}{}, nil
}

type listInlineOutput struct {
	PolicyNames []string
	IsTruncated bool
	Marker      string
}

func (s *Service) listInline(c *api.Call, k *kind, in *entityInput) (*listInlineOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(e.inline))
	for name := range e.inline {
		names = append(names, name)
	}
	names, end, err := cut(names, func(n string) string { return n }, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &listInlineOutput{names, end.IsTruncated, end.Marker}, nil
}

func (s *Service) attach(c *api.Call, k *kind, in *entityInput) (*struct{}, error) {
	if err := checkPolicyARN(in.PolicyArn); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	if err := s.attachable(c.Account, in.PolicyArn); err != nil {
		return nil, err
	}
	if slices.Contains(e.attached, in.PolicyArn) {
		return &struct{}{}, nil
	}
	if len(e.attached) >= k.attachments {
		return nil, limitExceeded("Cannot exceed quota for %s: %d", k.quota, k.attachments)
	}
	e.attached = append(e.attached, in.PolicyArn)
	return &struct{}{}, nil
}

func (s *Service) detach(c *api.Call, k *kind, in *entityInput) (*struct{}, error) {
	if err := checkPolicyARN(in.PolicyArn); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	i := slices.Index(e.attached, in.PolicyArn)
	if i < 0 {
		return nil, noSuchEntity("Policy %s was not found.", in.PolicyArn)
	}
	e.attached = slices.Delete(e.attached, i, i+1)
	return &struct{}{}, nil
}

type attachedPolicy struct{ PolicyName, PolicyArn string }

type listAttachedOutput struct {
	AttachedPolicies []attachedPolicy
	IsTruncated      bool
	Marker           string
}

func (s *Service) listAttached(c *api.Call, k *kind, in *entityInput) (*listAttachedOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	var list []attachedPolicy
	for _, arn := range e.attached {
		if p := s.managed(c.Account, arn); strings.HasPrefix(p.path, in.PathPrefix) {
			list = append(list, attachedPolicy{p.name, arn})
		}
	}
	list, end, err := cut(list, func(p attachedPolicy) string { return p.PolicyArn }, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &listAttachedOutput{list, end.IsTruncated, end.Marker}, nil
}

func (s *Service) tagEntity(c *api.Call, k *kind, in *entityInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	tags, err := setTags(e.tags, in.Tags)
	if err != nil {
		return nil, err
	}
	e.tags = tags
	return &struct{}{}, nil
}

func (s *Service) untagEntity(c *api.Call, k *kind, in *entityInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	e.tags = dropTags(e.tags, in.TagKeys)
	return &struct{}{}, nil
}

type tagsOutput struct {
	Tags        []tag
	IsTruncated bool
	Marker      string
}

func (s *Service) listEntityTags(c *api.Call, k *kind, in *entityInput) (*tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	return pageOfTags(e.tags, page{in.Marker, in.MaxItems})
}

func pageOfTags(tags []tag, p page) (*tagsOutput, error) {
	list, end, err := cut(slices.Clone(tags), func(t tag) string { return t.Key }, p)
	if err != nil {
		return nil, err
	}
	return &tagsOutput{list, end.IsTruncated, end.Marker}, nil
}

// checkBoundary checks the ARN of a permissions boundary. The caller holds mu.
func (s *Service) checkBoundary(c *api.Call, arn string) error {
	if err := checkPolicyARN(arn); err != nil {
		return err
	}
	if s.managed(c.Account, arn) == nil {
		return noSuchEntity("Scope ARN: %s does not exist or is not attachable.", arn)
	}
	return nil
}

func (s *Service) putBoundary(c *api.Call, k *kind, in *entityInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	if err := s.checkBoundary(c, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	e.boundary = in.PermissionsBoundary
	return &struct{}{}, nil
}

func (s *Service) deleteBoundary(c *api.Call, k *kind, in *entityInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, k, in.name(k))
	if err != nil {
		return nil, err
	}
	if e.boundary == "" {
		return nil, noSuchEntity("No permissions boundary is set for %s %s.", strings.ToLower(k.name), e.name)
	}
	e.boundary = ""
	return &struct{}{}, nil
}

type boundaryOutput struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

func (e *entity) boundaryOutput() *boundaryOutput {
	if e.boundary == "" {
		return nil
	}
	return &boundaryOutput{"Policy", e.boundary}
}
