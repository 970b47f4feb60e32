package cloudformation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// executed is the execution status of a change set that was: it stays to be looked at, and its name is free.
const executed = "EXECUTE_COMPLETE"

// A changeSet is a plan that waits to be executed.
type changeSet struct {
	id, name, kind, description string
	created                     time.Time
	status, reason, execution   string
	plan                        *plan // nil: it could not be made
	changes                     []change
	capabilities                []string
	includeNestedStacks         bool
	onStackFailure              string
}

// A change is one line of a change set.
type change struct {
	Type           string
	ResourceChange resourceChange
}

type resourceChange struct {
	Action, LogicalResourceId, PhysicalResourceId, ResourceType, Replacement string
	Scope                                                                    []string
	Details                                                                  []changeDetail
}

type changeDetail struct {
	Target struct {
		Attribute, Name, RequiresRecreation string
	}
	Evaluation, ChangeSource string
}

// differs tells whether the plan changes something of the stack that is no resource.
func (st *stack) differs(p *plan) bool {
	if st.template == nil {
		return true
	}
	return canonical(st.template.all["Outputs"]) != canonical(p.template.all["Outputs"]) ||
		canonical(st.template.all["Conditions"]) != canonical(p.template.all["Conditions"]) ||
		!slices.Equal(st.current.Tags, p.request.Tags) || st.current.RoleARN != p.request.RoleARN ||
		canonical(st.bound) != canonical(p.bound) && len(p.template.outputs) > 0
}

// changes says what the plan would change of the stack's resources; st may be one that has none yet.
func (s *Service) changes(c *api.Call, st *stack, p *plan) ([]change, error) {
	s.mu.Lock()
	before := map[string]resource{}
	for name, r := range st.resources {
		before[name] = *r
	}
	s.mu.Unlock()

	open := map[string]bool{} // that are made anew
	sc := p.scope(s.caller(c), st, p.request.StackName)
	sc.ref = func(name string) (any, error) {
		if r, ok := before[name]; ok && !open[name] {
			return r.physical, nil
		}
		return unknown{name}, nil
	}
	sc.attribute = func(name, attribute string) (any, error) {
		if r, ok := before[name]; ok && !open[name] {
			return r.attribute(attribute)
		}
		return unknown{name}, nil
	}
	sc.imported = func(name string) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if e, ok := s.exports(c.Account, c.Region)[name]; ok {
			return e.Value, nil
		}
		return unknown{name}, nil
	}
	sc.dynamic = s.dynamic(c.Context, s.caller(c))

	var list []change
	for _, name := range p.order {
		definition := p.template.resources[name]
		kind, _ := typeOf(definition.Type)
		properties, err := evaluated(sc, p, name, kind)
		if err != nil {
			return nil, validation("%s", err)
		}
		old, had := before[name]
		rc := resourceChange{Action: "Add", LogicalResourceId: name, ResourceType: definition.Type}
		switch {
		case !had:
			open[name] = true
		case old.kind != definition.Type:
			open[name] = true
			rc.Action, rc.PhysicalResourceId, rc.Replacement, rc.Scope = "Modify", old.physical, "True", []string{"Properties"}
		default:
			metadata := canonical(old.definition.Metadata) != canonical(definition.Metadata)
			changed := changedProperties(old.properties, properties)
			if len(changed) == 0 && !metadata && old.definition.DeletionPolicy == definition.DeletionPolicy && old.definition.UpdateReplacePolicy == definition.UpdateReplacePolicy {
				continue
			}
			rc.Action, rc.PhysicalResourceId, rc.Replacement = "Modify", old.physical, "False"
			for _, property := range changed {
				d := changeDetail{Evaluation: "Static", ChangeSource: "DirectModification"}
				d.Target.Attribute, d.Target.Name, d.Target.RequiresRecreation = "Properties", property, "Never"
				if property == "Tags" {
					d.Target.Attribute, d.Target.Name = "Tags", ""
				}
				if u, ok := findUnknown(properties[property]); ok {
					d.Evaluation, d.ChangeSource = "Dynamic", "ResourceReference"
					_ = u
				}
				if kind.replaces(map[string]any{property: old.properties[property]}, map[string]any{property: properties[property]}) {
					d.Target.RequiresRecreation, rc.Replacement = "Always", "True"
					open[name] = true
				}
				if !slices.Contains(rc.Scope, d.Target.Attribute) {
					rc.Scope = append(rc.Scope, d.Target.Attribute)
				}
				rc.Details = append(rc.Details, d)
			}
			if metadata {
				rc.Scope = append(rc.Scope, "Metadata")
				d := changeDetail{Evaluation: "Static", ChangeSource: "DirectModification"}
				d.Target.Attribute, d.Target.RequiresRecreation = "Metadata", "Never"
				rc.Details = append(rc.Details, d)
			}
		}
		list = append(list, change{"Resource", rc})
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if !slices.Contains(p.order, name) {
			r := before[name]
			list = append(list, change{"Resource", resourceChange{Action: "Remove", LogicalResourceId: name, PhysicalResourceId: r.physical, ResourceType: r.kind}})
		}
	}
	return list, nil
}

func changedProperties(old, new map[string]any) (names []string) {
	all := maps.Clone(old)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, new)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if canonical(old[name]) != canonical(new[name]) {
			names = append(names, name)
		}
	}
	return names
}

type createChangeSetOutput struct{ Id, StackId string }

func (s *Service) createChangeSet(c *api.Call, in *request) (*createChangeSetOutput, error) {
	if !stackName.MatchString(in.ChangeSetName) {
		return nil, validation("1 validation error detected: Value '%s' at 'changeSetName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", in.ChangeSetName)
	}
	if in.ChangeSetType == "" {
		in.ChangeSetType = "UPDATE"
	}
	if in.ChangeSetType != "CREATE" && in.ChangeSetType != "UPDATE" {
		return nil, validation("The local cloud does not offer the ChangeSetType %s.", in.ChangeSetType)
	}
	st, err := s.existing(c, in.StackName)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	switch create := in.ChangeSetType == "CREATE"; {
	case create && st != nil && st.status != "REVIEW_IN_PROGRESS":
		err = validation("Stack [%s] already exists and cannot be created again with the changeSet [%s].", in.StackName, in.ChangeSetName)
	case !create && st == nil:
		err = validation("Stack [%s] does not exist", in.StackName)
	case !create:
		err = st.mayUpdate()
	}
	if err == nil && st != nil && slices.ContainsFunc(st.changeSets, func(cs *changeSet) bool { return cs.name == in.ChangeSetName && cs.execution != executed }) {
		err = api.Errorf("AlreadyExistsException", "ChangeSet %s cannot be created due to a mismatch with existing attribute ChangeSetName", in.ChangeSetName)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	p, err := s.plan(c, st, in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if st == nil {
		st = s.add(c, in.StackName)
		st.setStatus("REVIEW_IN_PROGRESS", "User Initiated")
	}
	cs := &changeSet{
		id:   fmt.Sprintf("arn:aws:cloudformation:%s:%s:changeSet/%s/%s", c.Region, c.Account, in.ChangeSetName, api.UUID()),
		name: in.ChangeSetName, kind: in.ChangeSetType, description: in.Description, created: time.Now(), plan: p,
		status: "CREATE_COMPLETE", execution: "AVAILABLE", capabilities: in.Capabilities,
		includeNestedStacks: in.IncludeNestedStacks, onStackFailure: in.OnStackFailure,
	}
	st.changeSets = append(slices.DeleteFunc(st.changeSets, func(x *changeSet) bool { return x.name == cs.name }), cs)
	s.mu.Unlock()
	changes, err := s.changes(c, st, p)
	s.mu.Lock()
	defer s.mu.Unlock()
	cs.changes = changes
	switch {
	case err != nil:
		cs.status, cs.execution, cs.reason = "FAILED", "UNAVAILABLE", strings.TrimPrefix(err.Error(), "ValidationError: ")
	case len(changes) == 0 && !st.differs(p):
		cs.status, cs.execution, cs.reason = "FAILED", "UNAVAILABLE", "The submitted information didn't contain changes. Submit different information to create a change set."
	}
	return &createChangeSetOutput{cs.id, st.id}, nil
}

// findChangeSet finds a change set by its id, or by its name and the stack. The caller holds mu.
func (s *Service) findChangeSet(c *api.Call, stackName, name string) (*stack, *changeSet, error) {
	for _, st := range s.stacks {
		if st.account != c.Account || st.region != c.Region || stackName != "" && st.name != stackName && st.id != stackName {
			continue
		}
		for _, cs := range st.changeSets {
			if cs.id == name || cs.name == name && stackName != "" && st.deleted.IsZero() {
				return st, cs, nil
			}
		}
	}
	if stackName != "" {
		if st, ok := s.find(c, stackName); !ok || !st.deleted.IsZero() {
			return nil, nil, validation("Stack [%s] does not exist", stackName)
		}
	}
	return nil, nil, &api.Error{Code: "ChangeSetNotFound", Message: fmt.Sprintf("ChangeSet [%s] does not exist", name), Status: 404}
}

type changeSetInput struct {
	ChangeSetName, StackName, NextToken, ClientRequestToken string
	DisableRollback                                         *bool
	RetainExceptOnCreate                                    bool
	IncludePropertyValues                                   bool // the details name the properties, without values
}

type describeChangeSetOutput struct {
	ChangeSetName, ChangeSetId, StackId, StackName, Description string
	Parameters                                                  []given
	CreationTime                                                api.Timestamp
	ExecutionStatus, Status, StatusReason                       string
	Capabilities                                                []string
	Tags                                                        []tag
	Changes                                                     []change
	NextToken                                                   string
	IncludeNestedStacks                                         bool
	OnStackFailure                                              string
	RollbackConfiguration                                       struct{}
}

func (s *Service) describeChangeSet(c *api.Call, in *changeSetInput) (*describeChangeSetOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, cs, err := s.findChangeSet(c, in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	page, next, err := paged(cs.changes, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &describeChangeSetOutput{
		ChangeSetName: cs.name, ChangeSetId: cs.id, StackId: st.id, StackName: st.name, Description: cs.description,
		Parameters: cs.plan.template.shown(cs.plan.raw, cs.plan.bound), CreationTime: api.At(cs.created), ExecutionStatus: cs.execution,
		Status: cs.status, StatusReason: cs.reason, Capabilities: cs.capabilities, Tags: cs.plan.request.Tags, Changes: page, NextToken: next,
		IncludeNestedStacks: cs.includeNestedStacks, OnStackFailure: cs.onStackFailure,
	}, nil
}

type changeSetSummary struct {
	StackId, StackName, ChangeSetId, ChangeSetName, ExecutionStatus, Status, StatusReason string
	CreationTime                                                                          api.Timestamp
	Description                                                                           string
}

type listChangeSetsOutput struct {
	Summaries []changeSetSummary
	NextToken string
}

func (s *Service) listChangeSets(c *api.Call, in *stackNameInput) (*listChangeSetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.live(c, in.StackName)
	if err != nil {
		return nil, err
	}
	var all []changeSetSummary
	for _, cs := range st.changeSets {
		all = append(all, changeSetSummary{st.id, st.name, cs.id, cs.name, cs.execution, cs.status, cs.reason, api.At(cs.created), cs.description})
	}
	page, next, err := paged(all, in.NextToken)
	return &listChangeSetsOutput{page, next}, err
}

func (s *Service) deleteChangeSet(c *api.Call, in *changeSetInput) (*api.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, cs, err := s.findChangeSet(c, in.StackName, in.ChangeSetName)
	if err != nil {
		if e := new(api.Error); asError(err, &e) && e.Code == "ChangeSetNotFound" { // no error: DeleteChangeSet in the API Reference
			return &api.Empty{}, nil
		}
		return nil, err
	}
	st.changeSets = slices.DeleteFunc(st.changeSets, func(x *changeSet) bool { return x == cs })
	return &api.Empty{}, nil
}

func (s *Service) executeChangeSet(c *api.Call, in *changeSetInput) (*api.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, closing()
	}
	st, cs, err := s.findChangeSet(c, in.StackName, in.ChangeSetName)
	if err != nil {
		return nil, err
	}
	if cs.execution != "AVAILABLE" {
		return nil, &api.Error{Code: "InvalidChangeSetStatus", Message: fmt.Sprintf("ChangeSet [%s] cannot be executed in its current status of [%s]", cs.id, cs.status)}
	}
	create := st.status == "REVIEW_IN_PROGRESS"
	if !create {
		if err := st.mayUpdate(); err != nil {
			return nil, err
		}
	}
	p := cs.plan
	if in.DisableRollback != nil {
		p.request.DisableRollback = in.DisableRollback
	}
	p.request.ClientRequestToken = in.ClientRequestToken
	st.changeSet = cs.id
	cs.execution = executed
	st.changeSets = slices.DeleteFunc(st.changeSets, func(x *changeSet) bool { return x != cs }) // the others were made for what is no more
	s.start(c, st, p, create)
	return &api.Empty{}, nil
}
