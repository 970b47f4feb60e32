package policy

import (
	"slices"
	"strings"
)

// Principal is who makes a request.
type Principal struct {
	Service string // a service of AWS, such as sns.amazonaws.com; then the rest is empty
	Account string // empty: nobody signed the request
	ARN     string // of the user, of the role's session, or of the account's root
	Role    string // of a session: the ARN of its role
	ID      string // unique id of the user or the role
}

// root tells whether the principal is the account itself.
func (p Principal) root() bool { return p.Account != "" && strings.HasSuffix(p.ARN, ":root") }

// Request is what is decided about.
type Request struct {
	Principal Principal
	Action    string // sqs:SendMessage
	Resource  string // an ARN, or "*"
	// Context has the values of the condition keys, by their names in lower case. A key that the request does not have is missing.
	Context map[string][]string
}

func (r *Request) values(key string) []string { return r.Context[key] }

// Policies are all that apply to a request.
type Policies struct {
	Identity []*Document // of the user and its groups, or of the role
	Boundary *Document   // the permissions boundary; nil: there is none
	Session  []*Document // that were given when the role was assumed; nil: none
	Resource *Document   // of the resource; nil: it has none
	Owner    string      // the resource's account; empty: the principal's
	// Decides says that the identity's policies do not suffice, even in the same account: a role's trust policy and a key's
	// policy must allow the request, or name the account and so leave the decision to its policies.
	Decides bool
}

// Decision is what the policies say. Reason ends the message of a denial: "because no identity-based policy allows the
// sqs:SendMessage action", "with an explicit deny in a resource-based policy".
type Decision struct {
	Allowed  bool
	Explicit bool // a statement denies the request; otherwise none allows it
	Reason   string
}

// Evaluate decides. A statement that denies wins over all that allow. In the same account it is enough that either the identity's
// policies or the resource's allow the request; across accounts both must. A permissions boundary and session policies limit what
// the identity's policies allow, and what the resource's policy allows to a role (not: to a user, a session or everybody).
// Source: IAM User Guide, "Policy evaluation logic" and "Permissions boundaries for IAM entities" (checked 2026-12-01).
func (p Policies) Evaluate(r *Request) Decision {
	for _, layer := range []struct {
		name      string
		documents []*Document
	}{
		{"an identity-based policy", p.Identity}, {"a resource-based policy", []*Document{p.Resource}},
		{"a permissions boundary", []*Document{p.Boundary}}, {"a session policy", p.Session},
	} {
		for _, d := range layer.documents {
			if d != nil && d.match(r, true) != none {
				return Decision{Explicit: true, Reason: "with an explicit deny in " + layer.name}
			}
		}
	}
	missing := func(kind string) Decision {
		return Decision{Reason: "because no " + kind + " allows the " + r.Action + " action"}
	}
	allows := func(documents ...*Document) bool {
		return slices.ContainsFunc(documents, func(d *Document) bool { return d != nil && d.match(r, false) != none })
	}
	granted := none
	if p.Resource != nil {
		granted = p.Resource.match(r, false)
	}
	same := p.Owner == "" || p.Owner == r.Principal.Account
	switch {
	case r.Principal.Account == "": // a service, or nobody
		if granted == none {
			return missing("resource-based policy")
		}
		return Decision{Allowed: true}
	case same && granted == direct:
		return Decision{Allowed: true}
	case (!same || p.Decides) && granted == none:
		return missing("resource-based policy")
	}
	if same && granted == byRole || r.Principal.root() || allows(p.Identity...) {
		switch {
		case p.Boundary != nil && !allows(p.Boundary):
			return missing("permissions boundary")
		case p.Session != nil && !allows(p.Session...):
			return missing("session policy")
		}
		return Decision{Allowed: true}
	}
	return missing("identity-based policy")
}

// grant is how a statement names the principal that it allows something.
type grant int

const (
	none      grant = iota
	byAccount       // its account, which leaves it to the account's own policies
	byRole          // its role
	direct          // itself, or everybody
)

// match returns how the document's statements of that effect apply to the request.
func (d *Document) match(r *Request, deny bool) grant {
	best := none
	for _, s := range d.statements {
		if s.deny == deny {
			best = max(best, s.match(d, r))
		}
	}
	return best
}

func (s *statement) match(d *Document, r *Request) grant {
	g := direct
	if s.principals != nil {
		if g = s.principals.match(r.Principal); g == none {
			return none
		}
	}
	if !s.actions.match(func(p string) bool { return likeAction(p, r.Action) }) {
		return none
	}
	if len(s.resources.list) > 0 && !s.resources.match(func(p string) bool {
		p, ok := d.expand(p, r)
		return ok && likeARN(p, r.Resource)
	}) {
		return none
	}
	for _, c := range s.conditions {
		if !c.holds(d, r) {
			return none
		}
	}
	return g
}

func (p patterns) match(like func(string) bool) bool {
	return slices.ContainsFunc(p.list, like) != p.not
}

func (p *principals) match(who Principal) grant {
	if p.not {
		return p.excludes(who)
	}
	switch {
	case p.anybody:
		return direct
	case who.Service != "":
		if slices.Contains(p.service, who.Service) || slices.Contains(p.service, "*") {
			return direct
		}
		return none
	case who.Account == "":
		return none
	case slices.Contains(p.aws, who.ARN):
		return direct
	case who.Role == "" && who.ID != "" && slices.Contains(p.aws, who.ID):
		return direct
	case who.Role != "" && (slices.Contains(p.aws, who.Role) || who.ID != "" && slices.Contains(p.aws, who.ID)):
		return byRole
	case slices.Contains(p.aws, who.Account):
		if who.root() {
			return direct
		}
		return byAccount
	}
	return none
}

// excludes is NotPrincipal, which only denies. It spares who is named in full: a user with its account, a session with its role
// and its account.
func (p *principals) excludes(who Principal) grant {
	var names []string
	switch {
	case p.anybody:
		return none
	case who.Service != "":
		if slices.Contains(p.service, who.Service) {
			return none
		}
		return direct
	case who.root():
		names = []string{who.Account}
	case who.Role != "":
		names = []string{who.Account, who.Role, who.ARN}
	default:
		names = []string{who.Account, who.ARN}
	}
	for _, name := range names {
		if !slices.Contains(p.aws, name) {
			return direct
		}
	}
	return none
}
