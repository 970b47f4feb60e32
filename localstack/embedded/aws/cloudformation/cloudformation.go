// Package cloudformation is AWS CloudFormation for the local cloud, as far as the CDK CLI and a team's own templates need it: stacks
// made, updated in place and by replacement, rolled back and deleted, by change set or directly, with outputs, exports and custom
// resources. Each resource is made by the API of its service, as a client would (package aws, Endpoint.Invoke).
//
// What a stack may hold is the table of types (types.go, and a file a service). A type or a property that is not there fails the
// stack by its name. Resources are made one after the other.
//
// Not offered, and refused by name: transforms and macros, nested stacks, stack sets, stack policies, drift detection, resource
// import, rollback triggers, hooks, modules.
//
// Sources, where a comment names no other: AWS CloudFormation User Guide, API Reference and Template Reference, as of 2026-12-01.
// Texts of errors are those that users of the service have published.
package cloudformation

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// ResponsePath is where custom resources answer: Service.Responses serves what is below it.
const ResponsePath = "/_cloudformation/responses/"

// Options configure a Service.
type Options struct {
	Log *slog.Logger // nil discards
	// Invoke runs an operation of another service, and Do a request to one that speaks for itself (S3): see aws.Endpoint.
	Invoke func(ctx context.Context, from api.Caller, service, action string, in, out any) error
	Do     func(from api.Caller, service string, r *http.Request) (*http.Response, error)
	// Assume returns the access key of a role that a stack's operations run with. Nil: they run as the caller.
	Assume func(from api.Caller, roleARN string) (accessKeyID string, err error)
}

// Service is CloudFormation in every region and account. It is safe for concurrent use.
type Service struct {
	log    *slog.Logger
	invoke func(ctx context.Context, from api.Caller, service, action string, in, out any) error
	do     func(from api.Caller, service string, r *http.Request) (*http.Response, error)
	assume func(from api.Caller, roleARN string) (accessKeyID string, err error)

	ctx     context.Context // of what runs
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	stacks  []*stack                // also the deleted ones, oldest first
	answers map[string]chan<- reply // of custom resources that are waited for, by token
}

// New returns a service without stacks.
func New(o Options) *Service {
	s := &Service{log: o.Log, invoke: o.Invoke, do: o.Do, assume: o.Assume, answers: map[string]chan<- reply{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Close ends what runs and waits for it. Stacks are left as they are.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
}

// API returns the service's operations for the endpoint.
func (s *Service) API() *api.Service {
	return &api.Service{
		Name: "cloudformation", Version: "2010-05-15", Namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/", Log: s.log, Resources: s.resources,
		Operations: api.Operations{
			"CancelUpdateStack":           api.Op(s.cancelUpdateStack),
			"CreateChangeSet":             api.Op(s.createChangeSet),
			"CreateStack":                 api.Op(s.createStack),
			"DeleteChangeSet":             api.Op(s.deleteChangeSet),
			"DeleteStack":                 api.Op(s.deleteStack),
			"DescribeChangeSet":           api.Op(s.describeChangeSet),
			"DescribeStackEvents":         api.Op(s.describeStackEvents),
			"DescribeStackResource":       api.Op(s.describeStackResource),
			"DescribeStackResources":      api.Op(s.describeStackResources),
			"DescribeStacks":              api.Op(s.describeStacks),
			"ExecuteChangeSet":            api.Op(s.executeChangeSet),
			"GetTemplate":                 api.Op(s.getTemplate),
			"GetTemplateSummary":          api.Op(s.getTemplateSummary),
			"ListChangeSets":              api.Op(s.listChangeSets),
			"ListExports":                 api.Op(s.listExports),
			"ListImports":                 api.Op(s.listImports),
			"ListStackResources":          api.Op(s.listStackResources),
			"ListStacks":                  api.Op(s.listStacks),
			"UpdateStack":                 api.Op(s.updateStack),
			"UpdateTerminationProtection": api.Op(s.updateTerminationProtection),
			"ValidateTemplate":            api.Op(s.validateTemplate),
		},
	}
}

// resources returns the ARN of the stack that a request is about, for policies.
func (s *Service) resources(c *api.Call, in any) []string {
	name := ""
	if f := reflect.ValueOf(in).Elem().FieldByName("StackName"); f.IsValid() {
		name = f.String()
	}
	if name == "" {
		return nil
	}
	if strings.HasPrefix(name, "arn:") {
		return []string{name}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.find(c, name); ok {
		return []string{st.id}
	}
	return []string{"arn:aws:cloudformation:" + c.Region + ":" + c.Account + ":stack/" + name + "/"} // none yet
}

// A stack is one CloudFormation stack. Its fields are guarded by Service.mu; while an operation runs, only that changes resources.
type stack struct {
	id, name, account, region, endpoint string
	status, reason                      string
	created, updated, deleted           time.Time
	current                             request // what the stack was last made from
	template                            *template
	raw                                 map[string]string
	bound                               map[string]any
	outputs                             []output
	imports                             map[string]bool
	resources                           map[string]*resource
	order                               []string // of creation
	events                              []event  // oldest first
	changeSets                          []*changeSet
	changeSet                           string // the last one that was executed
	protected                           bool
	busy                                bool
	cancel                              context.CancelCauseFunc // of the update that runs
}

type resource struct {
	logical, kind, physical, status, reason string
	changed                                 time.Time
	definition                              definition
	properties                              map[string]any // evaluated
	attributes                              map[string]any
}

type output struct {
	OutputKey, OutputValue, Description, ExportName string
}

type event struct {
	StackId, EventId, StackName, LogicalResourceId, PhysicalResourceId, ResourceType string
	Timestamp                                                                        api.Timestamp
	ResourceStatus, ResourceStatusReason, ResourceProperties, ClientRequestToken     string
}

type tag struct{ Key, Value string }

func (s *Service) caller(c *api.Call) api.Caller {
	return api.Caller{Account: c.Account, Region: c.Region, AccessKeyID: c.AccessKeyID, Endpoint: c.Endpoint}
}

// find returns a stack by its name, or by its id, which finds deleted ones too. The caller holds mu.
func (s *Service) find(c *api.Call, nameOrID string) (*stack, bool) {
	for _, st := range s.stacks {
		if st.account == c.Account && st.region == c.Region && (st.id == nameOrID || st.name == nameOrID && st.deleted.IsZero()) {
			return st, true
		}
	}
	return nil, false
}

func notThere(nameOrID string) error {
	return validation("Stack with id %s does not exist", nameOrID)
}

// live is find, for what needs a stack that is not deleted.
func (s *Service) live(c *api.Call, nameOrID string) (*stack, error) {
	if nameOrID == "" {
		return nil, validation("1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member must not be null")
	}
	st, ok := s.find(c, nameOrID)
	if !ok || !st.deleted.IsZero() {
		return nil, notThere(nameOrID)
	}
	return st, nil
}

func (st *stack) setStatus(status, reason string) {
	st.status, st.reason = status, reason
	st.events = append(st.events, event{
		StackId: st.id, EventId: api.UUID(), StackName: st.name, LogicalResourceId: st.name, PhysicalResourceId: st.id,
		ResourceType: "AWS::CloudFormation::Stack", Timestamp: api.At(time.Now()), ResourceStatus: status, ResourceStatusReason: reason,
		ClientRequestToken: st.current.ClientRequestToken,
	})
}

func (st *stack) setResource(r *resource, status, reason string) {
	r.status, r.reason, r.changed = status, reason, time.Now()
	st.events = append(st.events, event{
		StackId: st.id, EventId: r.logical + "-" + status + "-" + api.UUID(), StackName: st.name, LogicalResourceId: r.logical, PhysicalResourceId: r.physical,
		ResourceType: r.kind, Timestamp: api.At(r.changed), ResourceStatus: status, ResourceStatusReason: reason,
		ResourceProperties: canonical(r.properties), ClientRequestToken: st.current.ClientRequestToken,
	})
}

type stackNameInput struct{ StackName, NextToken string }

type stackOutput struct {
	StackId, StackName, ChangeSetId, Description string
	Parameters                                   []given
	CreationTime, LastUpdatedTime, DeletionTime  api.Timestamp
	StackStatus, StackStatusReason               string
	DisableRollback                              bool
	NotificationARNs                             []string
	Capabilities                                 []string
	Outputs                                      []output
	RoleARN                                      string
	Tags                                         []tag
	EnableTerminationProtection                  bool
	DriftInformation                             struct{ StackDriftStatus string }
}

func (st *stack) describe() stackOutput {
	o := stackOutput{
		StackId: st.id, StackName: st.name, ChangeSetId: st.changeSet, Parameters: st.parameters(),
		CreationTime: api.At(st.created), LastUpdatedTime: api.At(st.updated), DeletionTime: api.At(st.deleted),
		StackStatus: st.status, StackStatusReason: st.reason, DisableRollback: st.current.noRollback(), NotificationARNs: st.current.NotificationARNs,
		Capabilities: st.current.Capabilities, Outputs: st.outputs, RoleARN: st.current.RoleARN, Tags: st.current.Tags, EnableTerminationProtection: st.protected,
	}
	if st.template != nil {
		o.Description = st.template.description
	}
	o.DriftInformation.StackDriftStatus = "NOT_CHECKED"
	return o
}

func (st *stack) parameters() []given {
	if st.template == nil {
		return nil
	}
	return st.template.shown(st.raw, st.bound)
}

// shown is the parameters as clients see them.
func (t *template) shown(raw map[string]string, bound map[string]any) (list []given) {
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		p, ok := t.parameters[name]
		if !ok {
			continue
		}
		value := raw[name]
		g := given{ParameterKey: name, ParameterValue: &value}
		if p.NoEcho {
			value = hidden
		} else if k, err := p.kind(); err == nil && k.ssm {
			g.ResolvedValue = joined(bound[name])
		}
		list = append(list, g)
	}
	return list
}

func joined(v any) string {
	if list, ok := v.([]any); ok {
		var texts []string
		for _, e := range list {
			texts = append(texts, fmt.Sprint(e))
		}
		return strings.Join(texts, ",")
	}
	return fmt.Sprint(v)
}

type describeStacksOutput struct {
	Stacks    []stackOutput
	NextToken string
}

func (s *Service) describeStacks(c *api.Call, in *stackNameInput) (*describeStacksOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.StackName != "" {
		st, ok := s.find(c, in.StackName)
		if !ok {
			return nil, notThere(in.StackName)
		}
		return &describeStacksOutput{Stacks: []stackOutput{st.describe()}}, nil
	}
	var all []stackOutput
	for _, st := range slices.Backward(s.stacks) {
		if st.account == c.Account && st.region == c.Region && st.deleted.IsZero() {
			all = append(all, st.describe())
		}
	}
	page, next, err := paged(all, in.NextToken)
	return &describeStacksOutput{page, next}, err
}

const pageSize = 100

// paged returns the page that a token stands for.
func paged[T any](all []T, token string) (page []T, next string, err error) {
	from := 0
	if token != "" {
		b, err := base64.StdEncoding.DecodeString(token)
		if from, _ = strconv.Atoi(string(b)); err != nil || from <= 0 || from > len(all) {
			return nil, "", validation("Invalid NextToken")
		}
	}
	to := min(len(all), from+pageSize)
	if to < len(all) {
		next = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(to)))
	}
	return all[from:to], next, nil
}

type describeStackEventsOutput struct {
	StackEvents []event
	NextToken   string
}

func (s *Service) describeStackEvents(c *api.Call, in *stackNameInput) (*describeStackEventsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.find(c, in.StackName)
	if !ok {
		return nil, validation("Stack [%s] does not exist", in.StackName)
	}
	newest := slices.Clone(st.events)
	slices.Reverse(newest)
	page, next, err := paged(newest, in.NextToken)
	return &describeStackEventsOutput{page, next}, err
}

type stackResource struct {
	StackName, StackId, LogicalResourceId, PhysicalResourceId, ResourceType string
	Timestamp, LastUpdatedTimestamp                                         api.Timestamp
	ResourceStatus, ResourceStatusReason, Metadata                          string
	DriftInformation                                                        struct{ StackResourceDriftStatus string }
}

// list is the stack's resources by name. kind picks which of the two names of the time is set.
func (st *stack) list(timestamp bool) []stackResource {
	list := []stackResource{}
	for _, name := range slices.Sorted(maps.Keys(st.resources)) {
		r := st.resources[name]
		o := stackResource{
			StackName: st.name, StackId: st.id, LogicalResourceId: name, PhysicalResourceId: r.physical, ResourceType: r.kind,
			ResourceStatus: r.status, ResourceStatusReason: r.reason,
		}
		if timestamp {
			o.Timestamp = api.At(r.changed)
		} else {
			o.LastUpdatedTimestamp = api.At(r.changed)
			if r.definition.Metadata != nil {
				o.Metadata = canonical(r.definition.Metadata)
			}
		}
		o.DriftInformation.StackResourceDriftStatus = "NOT_CHECKED"
		list = append(list, o)
	}
	return list
}

type describeStackResourcesInput struct{ StackName, LogicalResourceId, PhysicalResourceId string }

type describeStackResourcesOutput struct{ StackResources []stackResource }

func (s *Service) describeStackResources(c *api.Call, in *describeStackResourcesInput) (*describeStackResourcesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.StackName == "" && in.PhysicalResourceId != "" {
		for _, st := range s.stacks {
			for _, r := range st.resources {
				if st.account == c.Account && st.region == c.Region && st.deleted.IsZero() && r.physical == in.PhysicalResourceId {
					return &describeStackResourcesOutput{st.list(true)}, nil
				}
			}
		}
		return nil, validation("Stack for %s does not exist", in.PhysicalResourceId)
	}
	st, ok := s.find(c, in.StackName)
	if !ok {
		return nil, notThere(in.StackName)
	}
	list := st.list(true)
	if in.LogicalResourceId != "" {
		list = slices.DeleteFunc(list, func(r stackResource) bool { return r.LogicalResourceId != in.LogicalResourceId })
	}
	return &describeStackResourcesOutput{list}, nil
}

type describeStackResourceOutput struct{ StackResourceDetail stackResource }

func (s *Service) describeStackResource(c *api.Call, in *describeStackResourcesInput) (*describeStackResourceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.find(c, in.StackName)
	if !ok {
		return nil, validation("Stack '%s' does not exist", in.StackName)
	}
	for _, r := range st.list(false) {
		if r.LogicalResourceId == in.LogicalResourceId {
			return &describeStackResourceOutput{r}, nil
		}
	}
	return nil, validation("Resource %s does not exist for stack %s", in.LogicalResourceId, in.StackName)
}

type listStackResourcesOutput struct {
	StackResourceSummaries []stackResource
	NextToken              string
}

func (s *Service) listStackResources(c *api.Call, in *stackNameInput) (*listStackResourcesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.find(c, in.StackName)
	if !ok {
		return nil, notThere(in.StackName)
	}
	page, next, err := paged(st.list(false), in.NextToken)
	return &listStackResourcesOutput{page, next}, err
}

type listStacksInput struct {
	NextToken         string
	StackStatusFilter []string
}

type listStacksOutput struct {
	StackSummaries []stackSummary
	NextToken      string
}

type stackSummary struct {
	StackId, StackName, TemplateDescription     string
	CreationTime, LastUpdatedTime, DeletionTime api.Timestamp
	StackStatus, StackStatusReason              string
	DriftInformation                            struct{ StackDriftStatus string }
}

func (s *Service) listStacks(c *api.Call, in *listStacksInput) (*listStacksOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []stackSummary
	for _, st := range slices.Backward(s.stacks) {
		if st.account != c.Account || st.region != c.Region || len(in.StackStatusFilter) > 0 && !slices.Contains(in.StackStatusFilter, st.status) {
			continue
		}
		d := st.describe()
		all = append(all, stackSummary{d.StackId, d.StackName, d.Description, d.CreationTime, d.LastUpdatedTime, d.DeletionTime, d.StackStatus, d.StackStatusReason, d.DriftInformation})
	}
	page, next, err := paged(all, in.NextToken)
	return &listStacksOutput{page, next}, err
}

type getTemplateInput struct{ StackName, ChangeSetName, TemplateStage string }

type getTemplateOutput struct {
	TemplateBody    string
	StagesAvailable []string
}

func (s *Service) getTemplate(c *api.Call, in *getTemplateInput) (*getTemplateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &getTemplateOutput{StagesAvailable: []string{"Original", "Processed"}}
	if in.ChangeSetName != "" {
		_, cs, err := s.findChangeSet(c, in.StackName, in.ChangeSetName)
		if err != nil {
			return nil, err
		}
		if cs.plan == nil {
			return nil, validation("The template of change set %s could not be read.", in.ChangeSetName)
		}
		out.TemplateBody = cs.plan.template.text
		return out, nil
	}
	st, ok := s.find(c, in.StackName)
	if !ok {
		return nil, notThere(in.StackName)
	}
	if st.template != nil { // one in review has none yet
		out.TemplateBody = st.template.text
	}
	return out, nil
}

type templateInput struct{ TemplateBody, TemplateURL, StackName string }

type templateParameter struct {
	ParameterKey, DefaultValue, ParameterType string
	NoEcho                                    bool
	Description                               string
}

type templateSummaryOutput struct {
	Parameters         []templateParameter
	Description        string
	Capabilities       []string
	CapabilitiesReason string
	ResourceTypes      []string
	Version            string
	Metadata           string
}

func (s *Service) getTemplateSummary(c *api.Call, in *templateInput) (*templateSummaryOutput, error) {
	var t *template
	if in.StackName != "" {
		s.mu.Lock()
		st, err := s.live(c, in.StackName)
		s.mu.Unlock()
		if err != nil {
			return nil, err
		}
		t = st.template
	}
	if t == nil {
		var err error
		if t, err = s.readTemplate(c, in.TemplateBody, in.TemplateURL); err != nil {
			return nil, err
		}
	}
	out := &templateSummaryOutput{Parameters: []templateParameter{}, Description: t.description, Version: "2010-09-09"}
	for _, name := range slices.Sorted(maps.Keys(t.parameters)) {
		p := t.parameters[name]
		d := templateParameter{ParameterKey: name, ParameterType: p.Type, NoEcho: p.NoEcho, Description: p.Description}
		if p.Default != nil {
			d.DefaultValue = *p.Default
		}
		out.Parameters = append(out.Parameters, d)
	}
	out.Capabilities, out.CapabilitiesReason = t.capabilities()
	for _, r := range t.resources {
		out.ResourceTypes = append(out.ResourceTypes, r.Type)
	}
	slices.Sort(out.ResourceTypes)
	out.ResourceTypes = slices.Compact(out.ResourceTypes)
	if m, ok := t.all["Metadata"]; ok {
		out.Metadata = canonical(m)
	}
	return out, nil
}

type validateTemplateOutput struct {
	Parameters         []templateParameter
	Description        string
	Capabilities       []string
	CapabilitiesReason string
}

func (s *Service) validateTemplate(c *api.Call, in *templateInput) (*validateTemplateOutput, error) {
	in.StackName = ""
	o, err := s.getTemplateSummary(c, in)
	if err != nil {
		return nil, err
	}
	return &validateTemplateOutput{o.Parameters, o.Description, o.Capabilities, o.CapabilitiesReason}, nil
}

type export struct{ ExportingStackId, Name, Value string }

// exports returns what the stacks of an account and region export, by name. The caller holds mu.
func (s *Service) exports(account, region string) map[string]export {
	all := map[string]export{}
	for _, st := range s.stacks {
		if st.account == account && st.region == region && st.deleted.IsZero() {
			for _, o := range st.outputs {
				if o.ExportName != "" {
					all[o.ExportName] = export{st.id, o.ExportName, o.OutputValue}
				}
			}
		}
	}
	return all
}

// importers returns the names of the stacks that import an export. The caller holds mu.
func (s *Service) importers(account, region, name string) (stacks []string) {
	for _, st := range s.stacks {
		if st.account == account && st.region == region && st.deleted.IsZero() && st.imports[name] {
			stacks = append(stacks, st.name)
		}
	}
	return stacks
}

type listExportsOutput struct {
	Exports   []export
	NextToken string
}

func (s *Service) listExports(c *api.Call, in *stackNameInput) (*listExportsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.SortedFunc(maps.Values(s.exports(c.Account, c.Region)), func(a, b export) int { return cmp.Compare(a.Name, b.Name) })
	page, next, err := paged(all, in.NextToken)
	return &listExportsOutput{page, next}, err
}

type listImportsInput struct{ ExportName, NextToken string }

type listImportsOutput struct {
	Imports   []string
	NextToken string
}

func (s *Service) listImports(c *api.Call, in *listImportsInput) (*listImportsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.importers(c.Account, c.Region, in.ExportName)
	if len(found) == 0 {
		return nil, validation("Export '%s' is not imported by any stack.", in.ExportName)
	}
	page, next, err := paged(found, in.NextToken)
	return &listImportsOutput{page, next}, err
}

type protectionInput struct {
	StackName                   string
	EnableTerminationProtection bool
}

type stackIDOutput struct{ StackId string }

func (s *Service) updateTerminationProtection(c *api.Call, in *protectionInput) (*stackIDOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.live(c, in.StackName)
	if err != nil {
		return nil, err
	}
	st.protected = in.EnableTerminationProtection
	return &stackIDOutput{st.id}, nil
}
