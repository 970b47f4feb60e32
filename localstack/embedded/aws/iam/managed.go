package iam

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

const (
	maxManagedPolicy = 6144 // characters: IAM User Guide, "IAM and AWS STS quotas"
	maxVersions      = 5
	maxPolicies      = 1500 // of an account
)

// managed is a managed policy, the account's own or AWS's.
type managed struct {
	name, path, id, arn, description string
	created, updated                 time.Time
	versions                         []version // oldest first
	standard                         int       // number of the default version
	last                             int       // number of the newest version that there ever was
	tags                             []tag
}

type version struct {
	document
	number  int
	created time.Time
}

func (v version) id() string { return "v" + strconv.Itoa(v.number) }

// current is the default version.
func (p *managed) current() version {
	i := slices.IndexFunc(p.versions, func(v version) bool { return v.number == p.standard })
	return p.versions[i]
}

// managed returns a policy that the account can use, or nil. The caller holds mu.
func (s *Service) managed(account, arn string) *managed {
	if p := awsPolicies()[arn]; p != nil {
		return p
	}
	if a := s.accounts[account]; a != nil {
		return a.policies[arn]
	}
	return nil
}

func isAWS(arn string) bool { return strings.HasPrefix(arn, "arn:aws:iam::aws:") }

func (s *Service) attachable(account, arn string) error {
	if s.managed(account, arn) != nil {
		return nil
	}
	message := "Policy " + arn + " does not exist or is not attachable."
	if isAWS(arn) {
		message += " The local cloud has only some of the policies that AWS manages."
	}
	return noSuchEntity("%s", message)
}

// findPolicy returns a policy by its ARN. The caller holds mu.
func (s *Service) findPolicy(c *api.Call, arn string) (*managed, error) {
	if err := checkPolicyARN(arn); err != nil {
		return nil, err
	}
	if p := s.managed(c.Account, arn); p != nil {
		return p, nil
	}
	return nil, noSuchEntity("Policy %s was not found.", arn)
}

// own returns a policy of the account, which may be changed. The caller holds mu.
func (s *Service) own(c *api.Call, arn string) (*managed, error) {
	p, err := s.findPolicy(c, arn)
	if err == nil && isAWS(arn) {
		err = &api.Error{Code: "AccessDenied", Message: "Policy is outside your own account.", Status: 403}
	}
	return p, err
}

// uses counts who a policy is attached to, and whose permissions boundary it is. The caller holds mu.
func (s *Service) uses(account, arn string) (attached, boundaries int) {
	for _, all := range s.account(account).entities {
		for _, e := range all {
			if slices.Contains(e.attached, arn) {
				attached++
			}
			if e.boundary == arn {
				boundaries++
			}
		}
	}
	return attached, boundaries
}

type policyShape struct {
	PolicyName                    string
	PolicyID                      string `json:"PolicyId" query:"PolicyId"`
	Arn, Path                     string
	DefaultVersionID              string `json:"DefaultVersionId" query:"DefaultVersionId"`
	AttachmentCount               int
	PermissionsBoundaryUsageCount int
	IsAttachable                  bool
	Description                   string
	CreateDate, UpdateDate        api.Timestamp
	Tags                          []tag
}

func (s *Service) policyShape(account string, p *managed) policyShape {
	attached, boundaries := s.uses(account, p.arn)
	return policyShape{
		PolicyName: p.name, PolicyID: p.id, Arn: p.arn, Path: p.path, DefaultVersionID: p.current().id(), AttachmentCount: attached,
		PermissionsBoundaryUsageCount: boundaries, IsAttachable: true, CreateDate: api.At(p.created), UpdateDate: api.At(p.updated), Tags: p.tags,
	}
}

type createPolicyInput struct {
	PolicyName, Path, PolicyDocument, Description string
	Tags                                          []tag
}

type onePolicy struct{ Policy policyShape }

func (s *Service) createPolicy(c *api.Call, in *createPolicyInput) (*onePolicy, error) {
	path := orRoot(in.Path)
	if err := checkName("policyName", in.PolicyName, 128); err != nil {
		return nil, err
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if err := checkDescription(in.Description); err != nil {
		return nil, err
	}
	tags, err := setTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.managedDocument(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	a := s.account(c.Account)
	for _, p := range a.policies {
		if strings.EqualFold(p.name, in.PolicyName) {
			return nil, alreadyExists("A policy called %s already exists. Duplicate names are not allowed.", in.PolicyName)
		}
	}
	if len(a.policies) >= maxPolicies {
		return nil, limitExceeded("Cannot exceed quota for PoliciesPerAccount: %d", maxPolicies)
	}
	now := time.Now().Truncate(time.Second)
	p := &managed{
		name: in.PolicyName, path: path, id: uniqueID("ANPA", 21), arn: "arn:aws:iam::" + c.Account + ":policy" + path + in.PolicyName,
		description: in.Description, created: now, updated: now, versions: []version{{d, 1, now}}, standard: 1, last: 1, tags: tags,
	}
	a.policies[p.arn] = p
	return &onePolicy{s.policyShape(c.Account, p)}, nil
}

func (s *Service) managedDocument(text string) (document, error) {
	d, err := s.document(policy.Identity, "policyDocument", text)
	if err == nil && size(text) > maxManagedPolicy {
		err = limitExceeded("Cannot exceed quota for PolicySize: %d", maxManagedPolicy)
	}
	return d, err
}

type policyInput struct {
	PolicyArn, PolicyDocument        string
	VersionID                        string `json:"VersionId" query:"VersionId"`
	SetAsDefault                     bool
	Tags                             []tag
	TagKeys                          []string
	PathPrefix, EntityFilter, Marker string
	MaxItems                         *int
}

func (s *Service) getPolicy(c *api.Call, in *policyInput) (*onePolicy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findPolicy(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	shape := s.policyShape(c.Account, p)
	shape.Description = p.description
	return &onePolicy{shape}, nil
}

type listPoliciesInput struct {
	Scope, PathPrefix, PolicyUsageFilter, Marker string
	OnlyAttached                                 bool
	MaxItems                                     *int
}

type listPoliciesOutput struct {
	Policies    []policyShape
	IsTruncated bool
	Marker      string
}

func (s *Service) listPolicies(c *api.Call, in *listPoliciesInput) (*listPoliciesOutput, error) {
	if in.Scope != "" && !slices.Contains([]string{"All", "AWS", "Local"}, in.Scope) {
		return nil, constraint("scope", in.Scope, "satisfy enum value set: [AWS, Local, All]")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*managed
	if in.Scope != "AWS" {
		for _, p := range s.account(c.Account).policies {
			all = append(all, p)
		}
	}
	if in.Scope != "Local" {
		for _, p := range awsPolicies() {
			all = append(all, p)
		}
	}
	all = slices.DeleteFunc(all, func(p *managed) bool {
		attached, boundaries := s.uses(c.Account, p.arn)
		switch {
		case !strings.HasPrefix(p.path, in.PathPrefix), in.OnlyAttached && attached+boundaries == 0:
			return true
		case in.PolicyUsageFilter == "PermissionsPolicy":
			return attached == 0
		case in.PolicyUsageFilter == "PermissionsBoundary":
			return boundaries == 0
		}
		return false
	})
	all, end, err := cut(all, func(p *managed) string { return p.arn }, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	out := &listPoliciesOutput{IsTruncated: end.IsTruncated, Marker: end.Marker}
	for _, p := range all {
		shape := s.policyShape(c.Account, p)
		shape.Tags = nil
		out.Policies = append(out.Policies, shape)
	}
	return out, nil
}

func (s *Service) deletePolicy(c *api.Call, in *policyInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	attached, boundaries := s.uses(c.Account, p.arn)
	switch {
	case attached > 0:
		return nil, deleteConflict("Cannot delete a policy attached to entities.")
	case boundaries > 0:
		return nil, deleteConflict("Cannot delete a policy used as a permissions boundary.")
	case len(p.versions) > 1:
		return nil, deleteConflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. " +
			"The default version is deleted with the policy.")
	}
	delete(s.account(c.Account).policies, p.arn)
	return &struct{}{}, nil
}

type versionShape struct {
	Document         string
	VersionID        string `json:"VersionId" query:"VersionId"`
	IsDefaultVersion bool
	CreateDate       api.Timestamp
}

func (p *managed) shape(v version) versionShape {
	return versionShape{VersionID: v.id(), IsDefaultVersion: v.number == p.standard, CreateDate: api.At(v.created)}
}

type oneVersion struct{ PolicyVersion versionShape }

func (s *Service) createPolicyVersion(c *api.Call, in *policyInput) (*oneVersion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	d, err := s.managedDocument(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	if len(p.versions) >= maxVersions {
		return nil, limitExceeded("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
	}
	p.last++
	v := version{d, p.last, time.Now().Truncate(time.Second)}
	p.versions = append(p.versions, v)
	p.updated = v.created
	if in.SetAsDefault {
		p.standard = v.number
	}
	return &oneVersion{p.shape(v)}, nil
}

var versionPattern = regexp.MustCompile(`^v[1-9][0-9]*(\.[A-Za-z0-9-]*)?$`)

// version finds one version of a policy.
func (p *managed) version(id string) (int, error) {
	if !versionPattern.MatchString(id) {
		return 0, constraint("versionId", id, `satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`)
	}
	i := slices.IndexFunc(p.versions, func(v version) bool { return v.id() == id })
	if i < 0 {
		return 0, noSuchEntity("Policy %s version %s does not exist or is not attachable.", p.arn, id)
	}
	return i, nil
}

func (s *Service) getPolicyVersion(c *api.Call, in *policyInput) (*oneVersion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findPolicy(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	i, err := p.version(in.VersionID)
	if err != nil {
		return nil, err
	}
	shape := p.shape(p.versions[i])
	shape.Document = p.versions[i].encoded()
	return &oneVersion{shape}, nil
}

type listVersionsOutput struct {
	Versions    []versionShape
	IsTruncated bool
	Marker      string
}

func (s *Service) listPolicyVersions(c *api.Call, in *policyInput) (*listVersionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findPolicy(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := &listVersionsOutput{}
	for _, v := range slices.Backward(p.versions) {
		out.Versions = append(out.Versions, p.shape(v))
	}
	return out, nil
}

func (s *Service) deletePolicyVersion(c *api.Call, in *policyInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	i, err := p.version(in.VersionID)
	if err != nil {
		return nil, err
	}
	if p.versions[i].number == p.standard {
		return nil, deleteConflict("Cannot delete the default version of a policy.")
	}
	p.versions = slices.Delete(p.versions, i, i+1)
	return &struct{}{}, nil
}

func (s *Service) setDefaultPolicyVersion(c *api.Call, in *policyInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	i, err := p.version(in.VersionID)
	if err != nil {
		return nil, err
	}
	p.standard, p.updated = p.versions[i].number, time.Now().Truncate(time.Second)
	return &struct{}{}, nil
}

func (s *Service) tagPolicy(c *api.Call, in *policyInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	tags, err := setTags(p.tags, in.Tags)
	if err != nil {
		return nil, err
	}
	p.tags = tags
	return &struct{}{}, nil
}

func (s *Service) untagPolicy(c *api.Call, in *policyInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	p.tags = dropTags(p.tags, in.TagKeys)
	return &struct{}{}, nil
}

func (s *Service) listPolicyTags(c *api.Call, in *policyInput) (*tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findPolicy(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return pageOfTags(p.tags, page{in.Marker, in.MaxItems})
}

type policyRole struct {
	RoleName string
	RoleID   string `json:"RoleId" query:"RoleId"`
}

type policyUser struct {
	UserName string
	UserID   string `json:"UserId" query:"UserId"`
}

type policyGroup struct {
	GroupName string
	GroupID   string `json:"GroupId" query:"GroupId"`
}

type entitiesOutput struct {
	PolicyRoles  []policyRole
	PolicyUsers  []policyUser
	PolicyGroups []policyGroup
	IsTruncated  bool
	Marker       string
}

func (s *Service) listEntitiesForPolicy(c *api.Call, in *policyInput) (*entitiesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findPolicy(c, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	var found []*entity
	for k, all := range s.account(c.Account).entities {
		if in.EntityFilter != "" && in.EntityFilter != k.name {
			continue
		}
		for _, e := range all {
			if slices.Contains(e.attached, p.arn) && strings.HasPrefix(e.path, in.PathPrefix) {
				found = append(found, e)
			}
		}
	}
	found, end, err := cut(found, func(e *entity) string { return e.arn }, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	out := &entitiesOutput{IsTruncated: end.IsTruncated, Marker: end.Marker}
	for _, e := range found {
		switch e.kind {
		case role:
			out.PolicyRoles = append(out.PolicyRoles, policyRole{e.name, e.id})
		case user:
			out.PolicyUsers = append(out.PolicyUsers, policyUser{e.name, e.id})
		case group:
			out.PolicyGroups = append(out.PolicyGroups, policyGroup{e.name, e.id})
		}
	}
	return out, nil
}
