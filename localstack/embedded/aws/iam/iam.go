// Package iam is AWS Identity and Access Management (API version 2010-05-08): roles, users with access keys, groups, inline and
// managed policies, permissions boundaries, tags, and the policy simulation.
//
// IAM is the same in all regions. It keeps who there is and what their policies say, and checks every document as the service
// does; whether anybody is held to them is for whoever asks [Service.Policies], which is the cloud with its option IAM.
//
// # What is not offered
//
// Instance profiles, service-linked roles, identity providers, passwords and MFA, server certificates, reports and account
// settings: their operations answer InvalidAction and say so. Of the policies that AWS manages there are those in awsmanaged.go;
// attaching another is NoSuchEntity. Changes hold at once, where the service takes seconds to spread them.
//
// Sources, where a comment names no other: IAM User Guide and API Reference as of 2026-12-01; messages as the service was recorded
// to send them (github.com/localstack/localstack, tests/aws/services/iam, *.snapshot.json, 2023 to 2026;
// github.com/versity/versitygw, iamapi/iamerr, 2026).
package iam

import (
	"log/slog"
	"strings"
	"sync"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

// Options configure a Service.
type Options struct {
	Log *slog.Logger // nil discards
	// Evaluable tells whether the cloud knows the condition key (lower case) when it decides. Policies with another are refused.
	// Nil: nobody is held to policies, and any key is kept.
	Evaluable func(key string) bool
}

// Service is IAM of every account. It is safe for concurrent use.
type Service struct {
	log       *slog.Logger
	evaluable func(key string) bool

	mu       sync.RWMutex
	accounts map[string]*account
	keys     map[string]*accessKey // of all users
}

// account is what one account has.
type account struct {
	id       string
	entities map[*kind]map[string]*entity // by name in lower case: names are unique in any case
	policies map[string]*managed          // by ARN
}

// New returns a service without users, groups and roles.
func New(o Options) *Service {
	s := &Service{log: o.Log, evaluable: o.Evaluable, accounts: map[string]*account{}, keys: map[string]*accessKey{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// account returns an account's state. The caller holds mu to write.
func (s *Service) account(id string) *account {
	a := s.accounts[id]
	if a == nil {
		a = &account{id: id, entities: map[*kind]map[string]*entity{role: {}, user: {}, group: {}}, policies: map[string]*managed{}}
		s.accounts[id] = a
	}
	return a
}

// API returns the service's operations for the endpoint.
func (s *Service) API() *api.Service {
	operations := api.Operations{
		"CreateRole":              api.Op(s.createRole),
		"GetRole":                 api.Op(s.getRole),
		"ListRoles":               api.Op(s.listRoles),
		"UpdateRole":              api.Op(s.updateRole),
		"UpdateRoleDescription":   api.Op(s.updateRoleDescription),
		"UpdateAssumeRolePolicy":  api.Op(s.updateAssumeRolePolicy),
		"CreateUser":              api.Op(s.createUser),
		"GetUser":                 api.Op(s.getUser),
		"ListUsers":               api.Op(s.listUsers),
		"CreateAccessKey":         api.Op(s.createAccessKey),
		"UpdateAccessKey":         api.Op(s.updateAccessKey),
		"DeleteAccessKey":         api.Op(s.deleteAccessKey),
		"ListAccessKeys":          api.Op(s.listAccessKeys),
		"CreateGroup":             api.Op(s.createGroup),
		"GetGroup":                api.Op(s.getGroup),
		"ListGroups":              api.Op(s.listGroups),
		"AddUserToGroup":          api.Op(s.addUserToGroup),
		"RemoveUserFromGroup":     api.Op(s.removeUserFromGroup),
		"ListGroupsForUser":       api.Op(s.listGroupsForUser),
		"CreatePolicy":            api.Op(s.createPolicy),
		"GetPolicy":               api.Op(s.getPolicy),
		"ListPolicies":            api.Op(s.listPolicies),
		"DeletePolicy":            api.Op(s.deletePolicy),
		"CreatePolicyVersion":     api.Op(s.createPolicyVersion),
		"GetPolicyVersion":        api.Op(s.getPolicyVersion),
		"ListPolicyVersions":      api.Op(s.listPolicyVersions),
		"DeletePolicyVersion":     api.Op(s.deletePolicyVersion),
		"SetDefaultPolicyVersion": api.Op(s.setDefaultPolicyVersion),
		"TagPolicy":               api.Op(s.tagPolicy),
		"UntagPolicy":             api.Op(s.untagPolicy),
		"ListPolicyTags":          api.Op(s.listPolicyTags),
		"ListEntitiesForPolicy":   api.Op(s.listEntitiesForPolicy),
		"SimulatePrincipalPolicy": api.Op(s.simulatePrincipalPolicy),
		"SimulateCustomPolicy":    api.Op(s.simulateCustomPolicy),
	}
	for _, k := range kinds {
		operations["Delete"+k.name] = api.Op(on(k, s.deleteEntity))
		operations["Put"+k.name+"Policy"] = api.Op(on(k, s.putInline))
		operations["Get"+k.name+"Policy"] = api.Op(on(k, s.getInline))
		operations["Delete"+k.name+"Policy"] = api.Op(on(k, s.deleteInline))
		operations["List"+k.name+"Policies"] = api.Op(on(k, s.listInline))
		operations["Attach"+k.name+"Policy"] = api.Op(on(k, s.attach))
		operations["Detach"+k.name+"Policy"] = api.Op(on(k, s.detach))
		operations["ListAttached"+k.name+"Policies"] = api.Op(on(k, s.listAttached))
		if k == group {
			continue // has no tags and no boundary
		}
		operations["Tag"+k.name] = api.Op(on(k, s.tagEntity))
		operations["Untag"+k.name] = api.Op(on(k, s.untagEntity))
		operations["List"+k.name+"Tags"] = api.Op(on(k, s.listEntityTags))
		operations["Put"+k.name+"PermissionsBoundary"] = api.Op(on(k, s.putBoundary))
		operations["Delete"+k.name+"PermissionsBoundary"] = api.Op(on(k, s.deleteBoundary))
	}
	for _, name := range notOffered {
		operations[name] = api.Op(s.refuse)
	}
	return &api.Service{
		Name: "iam", Version: "2010-05-08", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/", Operations: operations, Log: s.log,
		Resources: s.resources,
	}
}

// Close forgets everything.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.accounts)
	clear(s.keys)
}

// notOffered are operations of what the local cloud has not.
var notOffered = []string{
	"AcceptDelegationRequest", "AcquireRole", "AddClientIDToOpenIDConnectProvider", "AddRoleToInstanceProfile",
	"AssociateDelegationRequest", "ChangePassword", "CreateAccountAlias", "CreateDelegationRequest", "CreateInstanceProfile",
	"CreateLoginProfile", "CreateOpenIDConnectProvider", "CreateSAMLProvider", "CreateServiceLinkedRole", "CreateServiceSpecificCredential",
	"CreateVirtualMFADevice", "DeactivateMFADevice", "DeleteAccountAlias", "DeleteAccountPasswordPolicy", "DeleteInstanceProfile",
	"DeleteLoginProfile", "DeleteOpenIDConnectProvider", "DeleteSAMLProvider", "DeleteSSHPublicKey", "DeleteServerCertificate",
	"DeleteServiceLinkedRole", "DeleteServiceSpecificCredential", "DeleteSigningCertificate", "DeleteVirtualMFADevice",
	"DisableOrganizationsRootCredentialsManagement", "DisableOrganizationsRootSessions", "DisableOutboundWebIdentityFederation",
	"EnableMFADevice", "EnableOrganizationsRootCredentialsManagement", "EnableOrganizationsRootSessions",
	"EnableOutboundWebIdentityFederation", "GenerateCredentialReport", "GenerateOrganizationsAccessReport",
	"GenerateServiceLastAccessedDetails", "GetAccessKeyLastUsed", "GetAccountAuthorizationDetails", "GetAccountPasswordPolicy",
	"GetAccountProperties", "GetAccountSummary", "GetContextKeysForCustomPolicy", "GetContextKeysForPrincipalPolicy", "GetCredentialReport",
	"GetDelegationRequest", "GetHumanReadableSummary", "GetInstanceProfile", "GetLoginProfile", "GetMFADevice", "GetOpenIDConnectProvider",
	"GetOrganizationsAccessReport", "GetOutboundWebIdentityFederationInfo", "GetRoleTemplateVersion", "GetSAMLProvider", "GetSSHPublicKey",
	"GetServerCertificate", "GetServiceLastAccessedDetails", "GetServiceLastAccessedDetailsWithEntities",
	"GetServiceLinkedRoleDeletionStatus", "ListAccountAliases", "ListDelegationRequests", "ListInstanceProfileTags", "ListInstanceProfiles",
	"ListInstanceProfilesForRole", "ListMFADeviceTags", "ListMFADevices", "ListOpenIDConnectProviderTags", "ListOpenIDConnectProviders",
	"ListOrganizationsFeatures", "ListPoliciesGrantingServiceAccess", "ListSAMLProviderTags", "ListSAMLProviders", "ListSSHPublicKeys",
	"ListServerCertificateTags", "ListServerCertificates", "ListServiceSpecificCredentials", "ListSigningCertificates",
	"ListVirtualMFADevices", "PutAccountProperties", "RejectDelegationRequest", "RemoveClientIDFromOpenIDConnectProvider",
	"RemoveRoleFromInstanceProfile", "ResetServiceSpecificCredential", "ResyncMFADevice", "SendDelegationToken",
	"SetSecurityTokenServicePreferences", "TagInstanceProfile", "TagMFADevice", "TagOpenIDConnectProvider", "TagSAMLProvider",
	"TagServerCertificate", "UntagInstanceProfile", "UntagMFADevice", "UntagOpenIDConnectProvider", "UntagSAMLProvider",
	"UntagServerCertificate", "UpdateAccountPasswordPolicy", "UpdateDelegationRequest", "UpdateGroup", "UpdateLoginProfile",
	"UpdateOpenIDConnectProviderThumbprint", "UpdateSAMLProvider", "UpdateSSHPublicKey", "UpdateServerCertificate",
	"UpdateServiceSpecificCredential", "UpdateSigningCertificate", "UpdateUser", "UploadSSHPublicKey", "UploadServerCertificate",
	"UploadSigningCertificate",
}

// refuse answers an operation that IAM has and the local cloud has not.
func (s *Service) refuse(c *api.Call, _ *struct{}) (*struct{}, error) {
	s.log.Warn("operation is not offered", "service", "iam", "operation", c.Action, "request", c.RequestID)
	return nil, api.Errorf("InvalidAction", "%s is not offered by the local cloud.", c.Action)
}

// resources returns the ARNs that a request is about.
func (s *Service) resources(c *api.Call, in any) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	arn := func(k *kind, path, name string) []string {
		if name == "" {
			return nil
		}
		if a := s.accounts[c.Account]; a != nil && a.entities[k][strings.ToLower(name)] != nil {
			return []string{a.entities[k][strings.ToLower(name)].arn}
		}
		if path == "" {
			path = "/"
		}
		return []string{"arn:aws:iam::" + c.Account + ":" + k.arn + path + name}
	}
	switch in := in.(type) {
	case *createRoleInput:
		return arn(role, in.Path, in.RoleName)
	case *createUserInput:
		return arn(user, in.Path, in.UserName)
	case *createGroupInput:
		return arn(group, in.Path, in.GroupName)
	case *roleInput:
		return arn(role, "", in.RoleName)
	case *userInput:
		return arn(user, "", in.UserName)
	case *membershipInput:
		return arn(group, "", in.GroupName)
	case *createPolicyInput:
		return []string{"arn:aws:iam::" + c.Account + ":policy" + orRoot(in.Path) + in.PolicyName}
	case *policyInput:
		return []string{in.PolicyArn}
	case *simulateInput:
		return []string{in.PolicySourceArn}
	case *entityInput:
		for _, k := range kinds {
			if name := in.name(k); name != "" {
				return arn(k, "", name)
			}
		}
	}
	return nil
}

// Who is a user, by one of its access keys.
type Who struct {
	Account, ARN, Name, ID string
	Tags                   map[string]string
	Active                 bool // the key may be used
}

// User returns the user that an access key id was issued to.
func (s *Service) User(accessKeyID string) (Who, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k := s.keys[accessKeyID]
	if k == nil {
		return Who{}, false
	}
	return Who{Account: k.owner.account, ARN: k.owner.arn, Name: k.owner.name, ID: k.owner.id, Tags: k.owner.tagMap(), Active: k.active}, true
}

// Role is a role as the other services see it.
type Role struct {
	Account, ARN, Name, ID string
	Trust                  *policy.Document
	MaxSession             int // seconds
	Tags                   map[string]string
}

// Role returns the role of that ARN.
func (s *Service) Role(arn string) (Role, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.byARN(arn)
	if e == nil || e.kind != role {
		return Role{}, false
	}
	return Role{Account: e.account, ARN: e.arn, Name: e.name, ID: e.id, Trust: e.trust.parsed, MaxSession: e.maxSession, Tags: e.tagMap()}, true
}

// byARN returns the user, group or role of that ARN, or nil. The caller holds mu.
func (s *Service) byARN(arn string) *entity {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || s.accounts[parts[4]] == nil {
		return nil
	}
	name := strings.ToLower(parts[5][strings.LastIndexByte(parts[5], '/')+1:])
	for _, k := range kinds {
		if e := s.accounts[parts[4]].entities[k][name]; e != nil && e.arn == arn {
			return e
		}
	}
	return nil
}

// Policies returns the identity-based policies of the user or role of that ARN, a user's groups' among them, and its permissions
// boundary: nil if it has none. Nobody of that ARN has no policies.
func (s *Service) Policies(arn string) (identity []*policy.Document, boundary *policy.Document) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.byARN(arn)
	if e == nil {
		return nil, nil
	}
	for _, of := range append([]*entity{e}, s.groupsOf(e)...) {
		for _, d := range of.inline {
			identity = append(identity, d.parsed)
		}
		for _, arn := range of.attached {
			if p := s.managed(e.account, arn); p != nil {
				identity = append(identity, p.current().parsed)
			}
		}
	}
	if e.boundary != "" {
		boundary = s.managed(e.account, e.boundary).current().parsed
	}
	return identity, boundary
}

// ManagedPolicy returns the default version of a managed policy that the account can use.
func (s *Service) ManagedPolicy(account, arn string) (*policy.Document, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.managed(account, arn)
	if p == nil {
		return nil, false
	}
	return p.current().parsed, true
}
