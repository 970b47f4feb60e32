// Package policy reads IAM policy documents and decides by them: may this principal do that to this resource?
//
// Parse checks a document as IAM does when it is stored, with IAM's messages; Policies.Evaluate is the decision, from all the
// policies that apply to a request. Start reading there (evaluate.go), then condition.go.
//
// Every element of the policy language is read but a principal's canonical user id, which no service of the local cloud has.
// Two of its wildcard rules surprise: in a resource they do not cross the colons between an ARN's first six parts, and in an
// action they do not cross the colon.
//
// Source, where a comment names no other: AWS Identity and Access Management User Guide, "IAM JSON policy reference" (checked
// 2026-12-01). The messages are those that IAM was recorded to send (github.com/getmoto/moto, tests/test_iam/test_iam_policies.py;
// github.com/versity/versitygw, tests/integration/iam_user_policy.go, 2026).
package policy

import "slices"

// Kind is what a document is attached to, which decides the elements that it must have.
type Kind int

const (
	// Identity policies belong to a user, group or role, or limit one: permissions boundaries and session policies. They name
	// resources and no principal.
	Identity Kind = iota
	// Resource policies belong to a queue, a topic, a bucket: they name principals, and resources.
	Resource
	// Trust policies belong to a role: they name who may assume it, and no resource.
	Trust
)

// Document is a policy that Parse has checked. It does not change: any number of goroutines may use one.
type Document struct {
	variables  bool // the version has policy variables
	statements []statement
}

type statement struct {
	deny       bool
	principals *principals // nil in identity policies
	actions    patterns
	resources  patterns // of none: the policy's own resource
	conditions []condition
}

// patterns is Action or NotAction, Resource or NotResource.
type patterns struct {
	list []string
	not  bool
}

type principals struct {
	not                    bool
	anybody                bool     // "*"
	aws, service, federate []string // AWS: accounts are 12 digits
}

// Error says what is wrong with a document. Message is IAM's text, Detail what it leaves out (empty: nothing).
type Error struct{ Message, Detail string }

func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Message
	}
	return e.Message + " (" + e.Detail + ")"
}

// Keys returns the condition keys and the policy variables that the document asks for, sorted, in lower case.
func (d *Document) Keys() []string {
	var keys []string
	for _, s := range d.statements {
		for _, c := range s.conditions {
			keys = append(keys, c.key)
			for _, v := range c.values {
				keys = append(keys, d.variablesIn(v)...)
			}
		}
		for _, r := range s.resources.list {
			keys = append(keys, d.variablesIn(r)...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Principals returns the principals of type AWS that the document names: accounts of 12 digits, ARNs, unique ids.
func (d *Document) Principals() []string {
	var all []string
	for _, s := range d.statements {
		if s.principals != nil {
			all = append(all, s.principals.aws...)
		}
	}
	return all
}
