package cloudformation

import (
	"slices"
)

// Source: Template Reference, AWS IAM (checked 2026-12-01).

type inlinePolicy struct {
	PolicyDocument any
	PolicyName     string
}

type iamRole struct {
	AssumeRolePolicyDocument any `cfn:"required"`
	Description              string
	ManagedPolicyArns        []string
	MaxSessionDuration       *int
	Path                     string
	PermissionsBoundary      string
	Policies                 []inlinePolicy
	RoleName                 string
	Tags                     []tag
}

type iamPolicy struct {
	Groups         []string
	PolicyDocument any    `cfn:"required"`
	PolicyName     string `cfn:"required"`
	Roles          []string
	Users          []string
}

type iamManagedPolicy struct {
	Description       string
	Groups            []string
	ManagedPolicyName string
	Path              string
	PolicyDocument    any `cfn:"required"`
	Roles             []string
	Users             []string
}

// holders are the kinds of identities that policies are attached to, as the actions and their parameters name them.
var holders = []string{"Role", "User", "Group"}

func (p *iamPolicy) of(holder string) []string {
	return map[string][]string{"Role": p.Roles, "User": p.Users, "Group": p.Groups}[holder]
}

func (p *iamManagedPolicy) of(holder string) []string {
	return map[string][]string{"Role": p.Roles, "User": p.Users, "Group": p.Groups}[holder]
}

func putInline(c *call, holder, name, policy string, doc any) error {
	return c.invoke("iam", "Put"+holder+"Policy", map[string]any{holder + "Name": name, "PolicyName": policy, "PolicyDocument": document(doc)}, nil)
}

func deleteInline(c *call, holder, name, policy string) error {
	err := c.invoke("iam", "Delete"+holder+"Policy", map[string]any{holder + "Name": name, "PolicyName": policy}, nil)
	if isGone(err) {
		return nil
	}
	return err
}

func attach(c *call, verb, holder, name, policyARN string) error {
	err := c.invoke("iam", verb+holder+"Policy", map[string]any{holder + "Name": name, "PolicyArn": policyARN}, nil)
	if verb == "Detach" && isGone(err) {
		return nil
	}
	return err
}

func (r *iamRole) setPolicies(c *call, name string, old *iamRole) error {
	for _, arn := range r.ManagedPolicyArns {
		if !slices.Contains(old.ManagedPolicyArns, arn) {
			if err := attach(c, "Attach", "Role", name, arn); err != nil {
				return err
			}
		}
	}
	for _, arn := range old.ManagedPolicyArns {
		if !slices.Contains(r.ManagedPolicyArns, arn) {
			if err := attach(c, "Detach", "Role", name, arn); err != nil {
				return err
			}
		}
	}
	for _, p := range r.Policies {
		if err := putInline(c, "Role", name, p.PolicyName, p.PolicyDocument); err != nil {
			return err
		}
	}
	for _, p := range old.Policies {
		if !slices.ContainsFunc(r.Policies, func(q inlinePolicy) bool { return q.PolicyName == p.PolicyName }) {
			if err := deleteInline(c, "Role", name, p.PolicyName); err != nil {
				return err
			}
		}
	}
	return nil
}

func iamTypes() map[string]*resourceType {
	return map[string]*resourceType{
		"AWS::IAM::Role": define(resourceType{replacing: []string{"RoleName", "Path"}, named: "RoleName", tags: tagList},
			func(c *call, r *iamRole) (string, map[string]any, error) {
				name := c.orGenerated(r.RoleName, 64)
				in := map[string]any{"RoleName": name, "AssumeRolePolicyDocument": document(r.AssumeRolePolicyDocument)}
				optional(in, "Description", r.Description)
				optional(in, "Path", r.Path)
				optional(in, "PermissionsBoundary", r.PermissionsBoundary)
				if r.MaxSessionDuration != nil {
					in["MaxSessionDuration"] = *r.MaxSessionDuration
				}
				if len(r.Tags) > 0 {
					in["Tags"] = r.Tags
				}
				var out struct{ Role struct{ Arn, RoleId string } }
				if err := c.invoke("iam", "CreateRole", in, &out); err != nil {
					return "", nil, err
				}
				return name, map[string]any{"Arn": out.Role.Arn, "RoleId": out.Role.RoleId}, r.setPolicies(c, name, &iamRole{})
			},
			func(c *call, name string, r, old *iamRole) (map[string]any, error) {
				if canonical(r.AssumeRolePolicyDocument) != canonical(old.AssumeRolePolicyDocument) {
					if err := c.invoke("iam", "UpdateAssumeRolePolicy", map[string]any{"RoleName": name, "PolicyDocument": document(r.AssumeRolePolicyDocument)}, nil); err != nil {
						return nil, err
					}
				}
				if r.Description != old.Description || canonical(r.MaxSessionDuration) != canonical(old.MaxSessionDuration) {
					in := map[string]any{"RoleName": name, "Description": r.Description, "MaxSessionDuration": 3600}
					if r.MaxSessionDuration != nil {
						in["MaxSessionDuration"] = *r.MaxSessionDuration
					}
					if err := c.invoke("iam", "UpdateRole", in, nil); err != nil {
						return nil, err
					}
				}
				if r.PermissionsBoundary != old.PermissionsBoundary {
					action, in := "PutRolePermissionsBoundary", map[string]any{"RoleName": name, "PermissionsBoundary": r.PermissionsBoundary}
					if r.PermissionsBoundary == "" {
						action, in = "DeleteRolePermissionsBoundary", map[string]any{"RoleName": name}
					}
					if err := c.invoke("iam", action, in, nil); err != nil {
						return nil, err
					}
				}
				if gone := missing(asMap(old.Tags), asMap(r.Tags)); len(gone) > 0 {
					if err := c.invoke("iam", "UntagRole", map[string]any{"RoleName": name, "TagKeys": gone}, nil); err != nil {
						return nil, err
					}
				}
				if len(r.Tags) > 0 {
					if err := c.invoke("iam", "TagRole", map[string]any{"RoleName": name, "Tags": r.Tags}, nil); err != nil {
						return nil, err
					}
				}
				return nil, r.setPolicies(c, name, old)
			},
			func(c *call, name string, r *iamRole) error {
				if err := (&iamRole{}).setPolicies(c, name, r); err != nil && !isGone(err) {
					return err
				}
				return c.invoke("iam", "DeleteRole", map[string]any{"RoleName": name}, nil)
			}),
		"AWS::IAM::Policy": define(resourceType{replacing: []string{"PolicyName"}},
			func(c *call, p *iamPolicy) (string, map[string]any, error) {
				for _, holder := range holders {
					for _, name := range p.of(holder) {
						if err := putInline(c, holder, name, p.PolicyName, p.PolicyDocument); err != nil {
							return p.PolicyName, nil, err
						}
					}
				}
				return p.PolicyName, map[string]any{"Id": p.PolicyName}, nil
			},
			func(c *call, _ string, p, old *iamPolicy) (map[string]any, error) {
				for _, holder := range holders {
					for _, name := range old.of(holder) {
						if !slices.Contains(p.of(holder), name) {
							if err := deleteInline(c, holder, name, p.PolicyName); err != nil {
								return nil, err
							}
						}
					}
					for _, name := range p.of(holder) {
						if err := putInline(c, holder, name, p.PolicyName, p.PolicyDocument); err != nil {
							return nil, err
						}
					}
				}
				return nil, nil
			},
			func(c *call, _ string, p *iamPolicy) error {
				for _, holder := range holders {
					for _, name := range p.of(holder) {
						if err := deleteInline(c, holder, name, p.PolicyName); err != nil {
							return err
						}
					}
				}
				return nil
			}),
		"AWS::IAM::ManagedPolicy": define(resourceType{replacing: []string{"ManagedPolicyName", "Path", "Description"}, named: "ManagedPolicyName"},
			func(c *call, p *iamManagedPolicy) (string, map[string]any, error) {
				in := map[string]any{"PolicyName": c.orGenerated(p.ManagedPolicyName, 128), "PolicyDocument": document(p.PolicyDocument)}
				optional(in, "Description", p.Description)
				optional(in, "Path", p.Path)
				var out struct {
					Policy struct{ Arn, PolicyId string }
				}
				if err := c.invoke("iam", "CreatePolicy", in, &out); err != nil {
					return "", nil, err
				}
				for _, holder := range holders {
					for _, name := range p.of(holder) {
						if err := attach(c, "Attach", holder, name, out.Policy.Arn); err != nil {
							return out.Policy.Arn, nil, err
						}
					}
				}
				return out.Policy.Arn, map[string]any{"PolicyArn": out.Policy.Arn, "PolicyId": out.Policy.PolicyId}, nil
			},
			func(c *call, arn string, p, old *iamManagedPolicy) (map[string]any, error) {
				if canonical(p.PolicyDocument) != canonical(old.PolicyDocument) {
					if err := replaceVersion(c, arn, document(p.PolicyDocument)); err != nil {
						return nil, err
					}
				}
				for _, holder := range holders {
					for _, name := range p.of(holder) {
						if !slices.Contains(old.of(holder), name) {
							if err := attach(c, "Attach", holder, name, arn); err != nil {
								return nil, err
							}
						}
					}
					for _, name := range old.of(holder) {
						if !slices.Contains(p.of(holder), name) {
							if err := attach(c, "Detach", holder, name, arn); err != nil {
								return nil, err
							}
						}
					}
				}
				return nil, nil
			},
			func(c *call, arn string, p *iamManagedPolicy) error {
				for _, holder := range holders {
					for _, name := range p.of(holder) {
						if err := attach(c, "Detach", holder, name, arn); err != nil {
							return err
						}
					}
				}
				return c.invoke("iam", "DeletePolicy", map[string]any{"PolicyArn": arn}, nil)
			}),
	}
}

// replaceVersion makes a document the policy's default version and deletes the one before: a policy has at most five.
func replaceVersion(c *call, arn, document string) error {
	var out struct {
		Versions []struct {
			VersionId        string
			IsDefaultVersion bool
		}
	}
	if err := c.invoke("iam", "ListPolicyVersions", map[string]any{"PolicyArn": arn}, &out); err != nil {
		return err
	}
	if err := c.invoke("iam", "CreatePolicyVersion", map[string]any{"PolicyArn": arn, "PolicyDocument": document, "SetAsDefault": true}, nil); err != nil {
		return err
	}
	for _, v := range out.Versions {
		if err := c.invoke("iam", "DeletePolicyVersion", map[string]any{"PolicyArn": arn, "VersionId": v.VersionId}, nil); err != nil {
			return err
		}
	}
	return nil
}

// optional sets a parameter that is left out when it is empty.
func optional(in map[string]any, name, v string) {
	if v != "" {
		in[name] = v
	}
}
