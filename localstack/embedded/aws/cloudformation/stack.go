package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// A request is what a client asks to be made of a stack: the input of CreateStack, UpdateStack and CreateChangeSet.
type request struct {
	StackName, TemplateBody, TemplateURL string
	UsePreviousTemplate                  bool
	Parameters                           []given
	DisableRollback                      *bool
	OnFailure                            string
	Capabilities                         []string
	NotificationARNs                     []string
	RoleARN                              string
	Tags                                 []tag
	EnableTerminationProtection          bool
	ClientRequestToken                   string
	RetainExceptOnCreate                 bool
	IncludeNestedStacks                  bool // there are none
	ImportExistingResources              bool // nothing is imported: a resource that is there already fails the stack, and its event says so

	// Of change sets.
	ChangeSetName, ChangeSetType, Description, ClientToken, OnStackFailure string

	// Refused by name.
	StackPolicyBody, StackPolicyURL, StackPolicyDuringUpdateBody, StackPolicyDuringUpdateURL string
	ResourceTypes                                                                            []string
	RollbackConfiguration                                                                    *rollbackConfiguration
	TimeoutInMinutes                                                                         *int
	ResourcesToImport                                                                        []struct{ ResourceType string }
	DeploymentMode                                                                           string
}

type rollbackConfiguration struct {
	RollbackTriggers        []struct{ Arn, Type string }
	MonitoringTimeInMinutes int
}

func (r *request) noRollback() bool {
	return r.DisableRollback != nil && *r.DisableRollback || r.OnFailure == "DO_NOTHING" || r.OnStackFailure == "DO_NOTHING"
}

func (r *request) deleteOnFailure() bool {
	return r.OnFailure == "DELETE" || r.OnStackFailure == "DELETE"
}

var stackName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,127}$`)

func (r *request) check() error {
	for _, of := range []struct {
		name  string
		given bool
	}{
		{"StackPolicyBody", r.StackPolicyBody != ""}, {"StackPolicyURL", r.StackPolicyURL != ""},
		{"StackPolicyDuringUpdateBody", r.StackPolicyDuringUpdateBody != ""}, {"StackPolicyDuringUpdateURL", r.StackPolicyDuringUpdateURL != ""},
		{"ResourceTypes", len(r.ResourceTypes) > 0}, {"TimeoutInMinutes", r.TimeoutInMinutes != nil},
		{"ResourcesToImport", len(r.ResourcesToImport) > 0},
		{"DeploymentMode", r.DeploymentMode != ""}, {"NotificationARNs", len(r.NotificationARNs) > 0},
		{"RollbackConfiguration", r.RollbackConfiguration != nil && (len(r.RollbackConfiguration.RollbackTriggers) > 0 || r.RollbackConfiguration.MonitoringTimeInMinutes > 0)},
	} {
		if of.given {
			return validation("The local cloud does not offer the parameter %s.", of.name)
		}
	}
	if !stackName.MatchString(r.StackName) && !strings.HasPrefix(r.StackName, "arn:") {
		return validation("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", r.StackName)
	}
	for _, f := range []string{r.OnFailure, r.OnStackFailure} {
		if f != "" && f != "DO_NOTHING" && f != "ROLLBACK" && f != "DELETE" {
			return validation("1 validation error detected: Value '%s' at 'onFailure' failed to satisfy constraint: Member must satisfy enum value set: [DO_NOTHING, ROLLBACK, DELETE]", f)
		}
	}
	if r.OnFailure != "" && r.DisableRollback != nil {
		return validation("Either DisableRollback or OnFailure can be specified, not both.")
	}
	if len(r.Tags) > 50 {
		return validation("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")
	}
	return nil
}

// readTemplate gets a template's text, from the request or from S3, and parses it.
func (s *Service) readTemplate(c *api.Call, body, address string) (*template, error) {
	switch {
	case body != "" && address != "":
		return nil, validation("Either TemplateBody or TemplateURL can be specified, not both.")
	case body == "" && address == "":
		return nil, validation("Either Template URL or Template Body must be specified.")
	case len(body) > maxBodyText:
		return nil, validation("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to %d", maxBodyText)
	case body != "":
		return parseTemplate(body)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, validation("S3 error: Domain name specified in %s is not a valid S3 domain", address)
	}
	path := u.EscapedPath()
	if bucket, _, ok := strings.Cut(u.Host, ".s3."); ok { // the bucket is in the host's name
		path = "/" + bucket + path
	} else if bucket, _, ok := strings.Cut(u.Host, ".s3-"); ok {
		path = "/" + bucket + path
	}
	r, err := http.NewRequestWithContext(c.Context, http.MethodGet, c.Endpoint+path, http.NoBody)
	if err != nil {
		return nil, validation("S3 error: %v", err)
	}
	resp, err := s.do(s.caller(c), "s3", r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxTemplateText+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		return nil, validation("S3 error: The specified key does not exist.\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html")
	case resp.StatusCode != http.StatusOK:
		return nil, validation("S3 error: Access Denied\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html")
	case len(text) > maxTemplateText:
		return nil, validation("Template may not exceed %d bytes in size.", maxTemplateText)
	}
	return parseTemplate(string(text))
}

// A plan is a request whose template is read and whose parameters are bound: what a stack is to become.
type plan struct {
	request  request
	template *template
	raw      map[string]string
	bound    map[string]any
	order    []string // of the resources whose condition holds
}

// plan makes a plan for a stack; nil: one that is not there yet.
func (s *Service) plan(c *api.Call, st *stack, in *request) (*plan, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	p := &plan{request: *in}
	previous := map[string]string{}
	var err error
	if in.UsePreviousTemplate {
		if st == nil || st.template == nil {
			return nil, validation("UsePreviousTemplate can be used only for a stack that has a template.")
		}
		p.template = st.template
	} else if p.template, err = s.readTemplate(c, in.TemplateBody, in.TemplateURL); err != nil {
		return nil, err
	}
	if st != nil {
		maps.Copy(previous, st.raw)
		if in.Tags == nil {
			p.request.Tags = st.current.Tags
		}
		if in.RoleARN == "" {
			p.request.RoleARN = st.current.RoleARN
		}
	}
	if need, _ := p.template.capabilities(); len(need) > 0 && !slices.Contains(in.Capabilities, "CAPABILITY_NAMED_IAM") && !slices.Contains(in.Capabilities, need[0]) {
		return nil, api.Errorf("InsufficientCapabilitiesException", "Requires capabilities : [%s]", need[0])
	}
	var strange []string
	for _, d := range p.template.resources {
		if _, ok := typeOf(d.Type); !ok {
			strange = append(strange, d.Type)
		}
	}
	if len(strange) > 0 {
		slices.Sort(strange)
		return nil, templateError("Unrecognized resource types: [%s]", strings.Join(slices.Compact(strange), ", "))
	}
	from := s.caller(c)
	p.raw, p.bound, err = p.template.bind(in.Parameters, previous, func(name string) (string, error) {
		return s.parameter(c.Context, from, name)
	})
	if err != nil {
		return nil, err
	}
	sc := p.scope(from, st, in.StackName)
	if err := sc.assert(); err != nil {
		return nil, err
	}
	order, err := p.template.order()
	if err != nil {
		return nil, err
	}
	for _, name := range order {
		yes, err := sc.exists(p.template.resources[name].Condition)
		if err != nil {
			return nil, err
		}
		if yes {
			p.order = append(p.order, name)
		}
	}
	return p, nil
}

// parameter reads a parameter of SSM.
func (s *Service) parameter(ctx context.Context, from api.Caller, name string) (string, error) {
	var out struct{ Parameter struct{ Value, Type string } }
	if err := s.invoke(ctx, from, "ssm", "GetParameter", map[string]any{"Name": name}, &out); err != nil {
		return "", err
	}
	if out.Parameter.Type == "SecureString" {
		return "", errors.New("a SecureString")
	}
	return out.Parameter.Value, nil
}

// scope is the scope of the plan's parameters and conditions. What refers to resources is for the caller to add.
func (p *plan) scope(from api.Caller, st *stack, name string) *scope {
	id := ""
	if st != nil {
		name, id = st.name, st.id
	}
	return &scope{
		template: p.template, parameters: p.bound, conditions: map[string]bool{},
		pseudo: map[string]any{
			"AWS::AccountId": from.Account, "AWS::Region": from.Region, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com",
			"AWS::StackName": name, "AWS::StackId": id, "AWS::NotificationARNs": []any{},
		},
	}
}

// add makes a stack that has nothing yet. The caller holds mu.
func (s *Service) add(c *api.Call, name string) *stack {
	st := &stack{
		id:   fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%s", c.Region, c.Account, name, api.UUID()),
		name: name, account: c.Account, region: c.Region, endpoint: c.Endpoint, created: time.Now(),
		resources: map[string]*resource{}, imports: map[string]bool{},
	}
	s.stacks = append(s.stacks, st)
	return st
}

func closing() error {
	return &api.Error{Code: "ServiceUnavailable", Message: "The local cloud is closing.", Status: http.StatusServiceUnavailable, Receiver: true}
}

// existing returns a stack of that name; nil: there is none.
func (s *Service) existing(c *api.Call, name string) (*stack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, closing()
	}
	st, ok := s.find(c, name)
	if !ok || !st.deleted.IsZero() {
		return nil, nil
	}
	return st, nil
}

func (s *Service) createStack(c *api.Call, in *request) (*stackIDOutput, error) {
	st, err := s.existing(c, in.StackName)
	if err != nil {
		return nil, err
	}
	alreadyExists := api.Errorf("AlreadyExistsException", "Stack [%s] already exists", in.StackName)
	if st != nil {
		return nil, alreadyExists
	}
	p, err := s.plan(c, nil, in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.find(c, in.StackName); ok {
		return nil, alreadyExists
	}
	st = s.add(c, in.StackName)
	st.protected = in.EnableTerminationProtection
	s.start(c, st, p, true)
	return &stackIDOutput{st.id}, nil
}

// updatable are the states that a stack can be updated in.
var updatable = []string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED"}

func (st *stack) mayUpdate() error {
	if st.busy || !slices.Contains(updatable, st.status) {
		return validation("Stack:%s is in %s state and can not be updated.", st.id, st.status)
	}
	return nil
}

func (s *Service) updateStack(c *api.Call, in *request) (*stackIDOutput, error) {
	st, err := s.existing(c, in.StackName)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return nil, validation("Stack [%s] does not exist", in.StackName)
	}
	s.mu.Lock()
	err = st.mayUpdate()
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	p, err := s.plan(c, st, in)
	if err != nil {
		return nil, err
	}
	changes, err := s.changes(c, st, p)
	if err != nil {
		return nil, err
	}
	if len(changes) == 0 && !st.differs(p) {
		return nil, validation("No updates are to be performed.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := st.mayUpdate(); err != nil {
		return nil, err
	}
	s.start(c, st, p, false)
	return &stackIDOutput{st.id}, nil
}

type cancelInput struct{ StackName string }

func (s *Service) cancelUpdateStack(c *api.Call, in *cancelInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.live(c, in.StackName)
	if err != nil {
		return nil, err
	}
	if st.status != "UPDATE_IN_PROGRESS" {
		return nil, validation("CancelUpdateStack cannot be called from current stack status")
	}
	st.cancel(reasonf("Resource update cancelled"))
	return &struct{}{}, nil
}

type deleteStackInput struct {
	StackName, RoleARN, ClientRequestToken, DeletionMode string
	RetainResources                                      []string
}

func (s *Service) deleteStack(c *api.Call, in *deleteStackInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, closing()
	}
	if in.DeletionMode != "" && in.DeletionMode != "STANDARD" {
		return nil, validation("The local cloud does not offer the DeletionMode %s.", in.DeletionMode)
	}
	st, ok := s.find(c, in.StackName)
	if !ok || !st.deleted.IsZero() || st.status == "DELETE_IN_PROGRESS" { // no error: DeleteStack in the API Reference
		return &struct{}{}, nil
	}
	if st.protected {
		return nil, validation("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.name)
	}
	if len(in.RetainResources) > 0 && st.status != "DELETE_FAILED" {
		return nil, validation("Invalid operation on stack [%s]. RetainResources can only be specified for stacks in the DELETE_FAILED state", st.id)
	}
	if st.busy {
		return nil, validation("Stack [%s] cannot be deleted while in status %s", st.name, st.status)
	}
	for _, o := range st.outputs {
		if o.ExportName != "" {
			if users := s.importers(c.Account, c.Region, o.ExportName); len(users) > 0 {
				st.setStatus("DELETE_FAILED", fmt.Sprintf("Export %s cannot be deleted as it is in use by %s", o.ExportName, strings.Join(users, ", ")))
				return &struct{}{}, nil
			}
		}
	}
	st.current.ClientRequestToken = in.ClientRequestToken
	if in.RoleARN != "" {
		st.current.RoleARN = in.RoleARN
	}
	if st.status == "REVIEW_IN_PROGRESS" {
		st.setStatus("DELETE_COMPLETE", "")
		st.deleted = time.Now()
		return &struct{}{}, nil
	}
	st.setStatus("DELETE_IN_PROGRESS", "User Initiated")
	d := s.deployment(c, st, &plan{request: st.current})
	st.busy = true
	s.running.Go(func() {
		defer d.end()
		d.deleteStack(in.RetainResources)
	})
	return &struct{}{}, nil
}

// start begins to make a stack what the plan says. The caller holds mu.
func (s *Service) start(c *api.Call, st *stack, p *plan, create bool) {
	d := s.deployment(c, st, p)
	st.busy = true
	st.current.ClientRequestToken = p.request.ClientRequestToken
	if create {
		st.setStatus("CREATE_IN_PROGRESS", "User Initiated")
	} else {
		st.setStatus("UPDATE_IN_PROGRESS", "User Initiated")
		st.updated = time.Now()
	}
	s.running.Go(func() {
		defer d.end()
		if create {
			d.create()
		} else {
			d.update()
		}
	})
}
