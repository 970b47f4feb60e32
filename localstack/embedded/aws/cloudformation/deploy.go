package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// A deployment is one operation on a stack while it runs.
type deployment struct {
	s    *Service
	st   *stack
	p    *plan
	from api.Caller
	ctx  context.Context
	done context.CancelCauseFunc

	imports map[string]bool
	undo    []func() error // of what was done, oldest first
	old     []*resource    // that are to be removed at the end
}

// deployment makes the context of an operation. The caller holds mu.
func (s *Service) deployment(c *api.Call, st *stack, p *plan) *deployment {
	d := &deployment{s: s, st: st, p: p, from: s.caller(c), imports: map[string]bool{}}
	d.ctx, d.done = context.WithCancelCause(s.ctx)
	st.cancel = d.done
	return d
}

func (d *deployment) end() {
	d.locked(func() { d.st.busy = false })
	d.done(nil)
}

func (d *deployment) locked(f func()) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	f()
}

func (d *deployment) setStatus(status, reason string) {
	d.locked(func() { d.st.setStatus(status, reason) })
}

func (d *deployment) setResource(r *resource, status, reason string) {
	d.locked(func() { d.st.setResource(r, status, reason) })
}

// role changes to the role that the stack's operations run with.
func (d *deployment) role() error {
	if d.p.request.RoleARN == "" || d.s.assume == nil {
		return nil
	}
	key, err := d.s.assume(d.from, d.p.request.RoleARN)
	if err != nil {
		return reasonf("Role %s is invalid or cannot be assumed", d.p.request.RoleARN)
	}
	d.from.AccessKeyID = key
	return nil
}

func (d *deployment) call(ctx context.Context, r *resource) *call {
	return &call{ctx: ctx, s: d.s, from: d.from, stack: d.st, logical: r.logical, kind: r.kind}
}

// A failedError says which resources an operation failed at.
type failedError struct{ resources []string }

func (e *failedError) Error() string { return "[" + strings.Join(e.resources, ", ") + "]" }

func (d *deployment) create() {
	err := d.role()
	if err == nil {
		err = d.apply()
	}
	if err == nil {
		d.commit()
		d.setStatus("CREATE_COMPLETE", "")
		return
	}
	if d.s.ctx.Err() != nil {
		return
	}
	reason := reasonOf(err, "create")
	switch {
	case d.p.request.deleteOnFailure():
		d.setStatus("DELETE_IN_PROGRESS", reason+" Delete requested by user.")
		d.deleteStack(nil)
	case d.p.request.noRollback():
		d.commitFailed()
		d.setStatus("CREATE_FAILED", strings.TrimSpace(reason))
	default:
		d.setStatus("ROLLBACK_IN_PROGRESS", reason+" Rollback requested by user.")
		if failed := d.revert(); len(failed) > 0 {
			d.setStatus("ROLLBACK_FAILED", fmt.Sprintf("The following resource(s) failed to delete: [%s]. ", strings.Join(failed, ", ")))
			return
		}
		d.commitFailed()
		d.setStatus("ROLLBACK_COMPLETE", "")
	}
}

func reasonOf(err error, verb string) string {
	var failed *failedError
	if errors.As(err, &failed) {
		return fmt.Sprintf("The following resource(s) failed to %s: %s.", verb, failed)
	}
	return err.Error() + "."
}

func (d *deployment) update() {
	err := d.role()
	if err == nil {
		err = d.apply()
	}
	if d.s.ctx.Err() != nil {
		return
	}
	if err == nil {
		d.commit()
		d.setStatus("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
		d.removeAll(d.old, false)
		d.setStatus("UPDATE_COMPLETE", "")
		return
	}
	reason := reasonOf(err, "update")
	if d.p.request.noRollback() {
		d.setStatus("UPDATE_FAILED", strings.TrimSpace(reason))
		return
	}
	d.setStatus("UPDATE_ROLLBACK_IN_PROGRESS", reason)
	if failed := d.revert(); len(failed) > 0 {
		d.setStatus("UPDATE_ROLLBACK_FAILED", fmt.Sprintf("The following resource(s) failed to update: [%s].", strings.Join(failed, ", ")))
		return
	}
	d.setStatus("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
	d.setStatus("UPDATE_ROLLBACK_COMPLETE", "")
}

// commit makes the plan what the stack was made from.
func (d *deployment) commit() {
	d.locked(func() {
		st := d.st
		st.template, st.raw, st.bound, st.current = d.p.template, d.p.raw, d.p.bound, d.p.request
		st.order, st.imports = d.p.order, d.imports
	})
}

// commitFailed keeps what a stack that was not made was to be made from, to be looked at.
func (d *deployment) commitFailed() {
	d.commit()
	d.locked(func() { d.st.outputs, d.st.imports = nil, map[string]bool{} })
}

// scope evaluates for the stack as it is at the moment.
func (d *deployment) scope() *scope {
	sc := d.p.scope(d.from, d.st, d.st.name)
	sc.ref = func(name string) (any, error) {
		r, ok := d.st.resources[name]
		if !ok {
			return nil, validation("Unresolved resource dependencies [%s] in the Resources block of the template", name)
		}
		return r.physical, nil
	}
	sc.attribute = func(name, attribute string) (any, error) {
		r, ok := d.st.resources[name]
		if !ok {
			return nil, validation("Unresolved resource dependencies [%s] in the Resources block of the template", name)
		}
		return r.attribute(attribute)
	}
	sc.imported = func(name string) (any, error) {
		d.s.mu.Lock()
		defer d.s.mu.Unlock()
		e, ok := d.s.exports(d.st.account, d.st.region)[name]
		if !ok {
			return nil, validation("No export named %s found.", name)
		}
		d.imports[name] = true
		return e.Value, nil
	}
	sc.dynamic = d.s.dynamic(d.ctx, d.from)
	return sc
}

// dynamic resolves {{resolve:ssm:name}}.
func (s *Service) dynamic(ctx context.Context, from api.Caller) func(string) (string, error) {
	return func(reference string) (string, error) {
		service, name, _ := strings.Cut(reference, ":")
		if service != "ssm" {
			return "", validation("The local cloud does not offer dynamic references to %s.", service)
		}
		v, err := s.parameter(ctx, from, name)
		if err != nil {
			return "", validation("Parameters: [%s] cannot be found.", "ssm:"+name)
		}
		return v, nil
	}
}

func (r *resource) attribute(name string) (any, error) {
	v, ok := r.attributes[name]
	for parent, rest, found := strings.Cut(name, "."); !ok && found; parent, rest, found = "", "", false {
		m, isMap := r.attributes[parent].(map[string]any) // of a custom resource's nested data
		if isMap {
			v, ok = m[rest]
		}
	}
	if !ok {
		if isCustom(r.kind) {
			return nil, validation("CustomResource attribute error: Vendor response doesn't contain %s attribute in object %s", name, r.physical)
		}
		return nil, templateError("resource %s does not support attribute type %s in Fn::GetAtt", r.logical, name)
	}
	return v, nil
}

// apply makes and changes resources until all are as the plan has them. What it leaves behind it lists in old.
func (d *deployment) apply() error {
	for _, name := range d.p.order {
		if d.ctx.Err() != nil {
			return context.Cause(d.ctx)
		}
		if err := d.applyOne(name); err != nil {
			return err
		}
	}
	for _, name := range slices.Backward(d.st.order) {
		if !slices.Contains(d.p.order, name) {
			d.forget(name)
		}
	}
	return d.outputs()
}

// forget takes a resource out of the stack, to be removed at the end.
func (d *deployment) forget(name string) {
	r, ok := d.st.resources[name]
	if !ok {
		return
	}
	d.old = append(d.old, r)
	d.locked(func() { delete(d.st.resources, name) })
	d.undo = append(d.undo, func() error {
		d.locked(func() { d.st.resources[name] = r })
		return nil
	})
}

func (d *deployment) applyOne(name string) error {
	definition := d.p.template.resources[name]
	kind, _ := typeOf(definition.Type)
	properties, err := d.properties(name, kind)
	old, had := d.st.resources[name]
	if err == nil && had && old.kind == definition.Type {
		if canonical(old.properties) == canonical(properties) {
			d.locked(func() { old.definition = definition })
			return nil
		}
		if !kind.replaces(old.properties, properties) {
			return d.change(old, kind, definition, properties)
		}
		if kind.named != "" && properties[kind.named] != nil && equal(properties[kind.named], old.properties[kind.named]) {
			err = reasonf("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %s and update the stack again.", properties[kind.named])
		}
	}
	r := &resource{logical: name, kind: definition.Type, definition: definition, properties: properties}
	if err != nil {
		if had {
			r.physical = old.physical
			d.setResource(r, "UPDATE_FAILED", err.Error())
		} else {
			d.locked(func() { d.st.resources[name] = r })
			d.undo = append(d.undo, d.drop(name, nil))
			d.setResource(r, "CREATE_FAILED", err.Error())
		}
		return &failedError{[]string{name}}
	}
	return d.make(r, kind, old)
}

// make creates a resource, in the place of an old one if there is one.
func (d *deployment) make(r *resource, kind *resourceType, old *resource) error {
	verb := "CREATE"
	if old != nil {
		verb = "UPDATE"
		r.physical = old.physical // events show the old one until there is a new one
		d.setResource(r, "UPDATE_IN_PROGRESS", "Requested update requires the creation of a new physical resource; hence creating one.")
		r.physical = ""
	} else {
		d.setResource(r, "CREATE_IN_PROGRESS", "")
	}
	d.locked(func() { d.st.resources[r.logical] = r })
	physical, attributes, err := kind.create(d.call(d.ctx, r), r.properties)
	d.locked(func() { r.physical, r.attributes = physical, attributes })
	d.undo = append(d.undo, d.drop(r.logical, old))
	if err != nil {
		d.setResource(r, verb+"_FAILED", d.explain(err))
		return &failedError{[]string{r.logical}}
	}
	if old == nil {
		d.setResource(r, "CREATE_IN_PROGRESS", "Resource creation Initiated")
	} else {
		d.old = append(d.old, old)
	}
	d.setResource(r, verb+"_COMPLETE", "")
	return nil
}

// drop undoes make.
func (d *deployment) drop(name string, old *resource) func() error {
	return func() error {
		r := d.st.resources[name]
		if err := d.remove(r, true); err != nil {
			return err
		}
		d.locked(func() {
			if old != nil {
				d.st.resources[name] = old
			} else if r.status == "DELETE_COMPLETE" || r.status == "DELETE_SKIPPED" {
				delete(d.st.resources, name)
			}
		})
		return nil
	}
}

// change updates a resource in place.
func (d *deployment) change(r *resource, kind *resourceType, to definition, properties map[string]any) error {
	before, beforeDefinition := r.properties, r.definition
	update := func(ctx context.Context, to definition, properties map[string]any) error {
		d.setResource(r, "UPDATE_IN_PROGRESS", "")
		physical, attributes, err := kind.update(d.call(ctx, r), r.physical, properties, r.properties)
		if err != nil {
			d.setResource(r, "UPDATE_FAILED", d.explain(err))
			return &failedError{[]string{r.logical}}
		}
		d.locked(func() {
			if physical != "" && physical != r.physical { // a custom resource gave another: the old one is removed at the end
				gone := *r
				d.old = append(d.old, &gone)
				r.physical = physical
			}
			r.definition, r.properties = to, properties
			if attributes != nil {
				r.attributes = attributes
			}
		})
		d.setResource(r, "UPDATE_COMPLETE", "")
		return nil
	}
	err := update(d.ctx, to, properties)
	d.undo = append(d.undo, func() error {
		if err != nil { // what failed may have changed in part
			d.locked(func() { r.properties = properties })
		}
		return update(d.s.ctx, beforeDefinition, before)
	})
	return err
}

// revert undoes what was done, the newest first, and returns the names of what could not be undone.
func (d *deployment) revert() (failed []string) {
	d.old = nil
	for _, undo := range slices.Backward(d.undo) {
		var f *failedError
		if err := undo(); errors.As(err, &f) {
			failed = append(failed, f.resources...)
		}
	}
	d.undo = nil
	return failed
}

// properties evaluates a resource's properties, with the stack's tags.
func (d *deployment) properties(name string, kind *resourceType) (map[string]any, error) {
	return evaluated(d.scope(), d.p, name, kind)
}

func evaluated(sc *scope, p *plan, name string, kind *resourceType) (map[string]any, error) {
	v, err := sc.evaluate(p.template.resources[name].Properties)
	if err != nil {
		var e *api.Error
		if errors.As(err, &e) {
			return nil, errors.New(e.Message)
		}
		return nil, err
	}
	properties, _ := v.(map[string]any)
	if properties == nil {
		properties = map[string]any{}
	}
	kind.addTags(properties, p.request.Tags)
	return properties, nil
}

// outputs evaluates the outputs of a stack whose resources are made.
func (d *deployment) outputs() error {
	var outputs []output
	sc := d.scope()
	for _, name := range slices.Sorted(maps.Keys(d.p.template.outputs)) {
		definition := d.p.template.outputs[name]
		if yes, err := sc.exists(definition.Condition); err != nil {
			return err
		} else if !yes {
			continue
		}
		v, err := sc.evaluate(definition.Value)
		if err != nil {
			return err
		}
		text, ok := scalar(v)
		if !ok {
			return templateError("The Value field of every Outputs member must evaluate to a String.")
		}
		o := output{OutputKey: name, OutputValue: text, Description: definition.Description}
		if definition.Export != nil {
			v, err := sc.evaluate(definition.Export.Name)
			if err != nil {
				return err
			}
			if o.ExportName, ok = scalar(v); !ok || o.ExportName == "" {
				return templateError("The Name field of every Export member must evaluate to a non-empty String.")
			}
		}
		outputs = append(outputs, o)
	}
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	exported := d.s.exports(d.st.account, d.st.region)
	now := map[string]string{}
	for _, o := range outputs {
		if o.ExportName == "" {
			continue
		}
		now[o.ExportName] = o.OutputValue
		if e, ok := exported[o.ExportName]; ok && e.ExportingStackId != d.st.id {
			by, _ := d.s.find(&api.Call{Account: d.st.account, Region: d.st.region}, e.ExportingStackId)
			return validation("Export with name %s is already exported by stack %s", o.ExportName, by.name)
		}
	}
	for _, o := range d.st.outputs {
		if o.ExportName == "" {
			continue
		}
		value, still := now[o.ExportName]
		users := d.s.importers(d.st.account, d.st.region, o.ExportName)
		if len(users) > 0 && !still {
			return validation("Export %s cannot be deleted as it is in use by %s", o.ExportName, strings.Join(users, " and "))
		}
		if len(users) > 0 && value != o.OutputValue {
			return validation("Export %s cannot be updated as it is in use by %s", o.ExportName, strings.Join(users, " and "))
		}
	}
	d.st.outputs = outputs
	return nil
}

// removeAll removes resources that are no longer the stack's. What fails is left, as CloudFormation leaves it.
func (d *deployment) removeAll(list []*resource, created bool) {
	for _, r := range list {
		_ = d.remove(r, created) // its event says what went wrong
	}
}

// remove removes a resource, unless its policy says that it stays. created: it was made by the operation that is being undone.
func (d *deployment) remove(r *resource, created bool) error {
	policy := r.definition.DeletionPolicy
	if _, current := d.st.resources[r.logical]; current && !created && d.st.resources[r.logical] != r {
		policy = r.definition.UpdateReplacePolicy
	}
	if r.physical == "" {
		d.setResource(r, "DELETE_COMPLETE", "")
		return nil
	}
	if policy == "Retain" || policy == "RetainExceptOnCreate" && !created {
		d.setResource(r, "DELETE_SKIPPED", "")
		return nil
	}
	d.setResource(r, "DELETE_IN_PROGRESS", "")
	kind, _ := typeOf(r.kind)
	if err := kind.remove(d.call(d.s.ctx, r), r.physical, r.properties); err != nil && !isGone(err) {
		d.setResource(r, "DELETE_FAILED", d.explain(err))
		return &failedError{[]string{r.logical}}
	}
	d.setResource(r, "DELETE_COMPLETE", "")
	return nil
}

// deleteStack removes all resources, and the stack when none is left.
func (d *deployment) deleteStack(retain []string) {
	if err := d.role(); err != nil {
		d.setStatus("DELETE_FAILED", err.Error())
		return
	}
	order := d.st.order
	if order == nil {
		order = d.p.order // of a stack that was never finished
	}
	var failed []string
	for _, name := range slices.Backward(order) {
		r, ok := d.st.resources[name]
		if !ok || r.status == "DELETE_COMPLETE" || r.status == "DELETE_SKIPPED" {
			continue
		}
		if d.s.ctx.Err() != nil {
			return
		}
		if slices.Contains(retain, name) {
			d.setResource(r, "DELETE_SKIPPED", "")
			continue
		}
		if err := d.remove(r, false); err != nil {
			failed = append(failed, name)
		}
	}
	if len(failed) > 0 {
		d.setStatus("DELETE_FAILED", fmt.Sprintf("The following resource(s) failed to delete: [%s]. ", strings.Join(failed, ", ")))
		return
	}
	d.locked(func() {
		d.st.outputs, d.st.imports = nil, map[string]bool{}
		d.st.setStatus("DELETE_COMPLETE", "")
		d.st.deleted = time.Now()
	})
}

// explain is the reason of an event: the error of the service as CloudFormation reports it.
func (d *deployment) explain(err error) string {
	var e *api.Error
	var f *serviceError
	switch {
	case errors.As(err, &f) && errors.As(err, &e):
		status := e.Status
		if status == 0 {
			status = 400
		}
		code := "GeneralServiceException"
		switch {
		case isGone(err):
			code = "NotFound"
		case strings.Contains(e.Code, "AlreadyExist") || strings.Contains(e.Code, "Conflict"):
			code = "AlreadyExists"
		case strings.Contains(e.Code, "AccessDenied"):
			code = "AccessDenied"
		case strings.Contains(e.Code, "Invalid") || strings.Contains(e.Code, "Validation"):
			code = "InvalidRequest"
		}
		return fmt.Sprintf("Resource handler returned message: %q (RequestToken: %s, HandlerErrorCode: %s)",
			fmt.Sprintf("%s (Service: %s, Status Code: %d, Request ID: %s)", e.Message, f.service, status, api.UUID()), api.UUID(), code)
	case errors.As(err, &e):
		return e.Message
	case errors.Is(err, context.Canceled):
		return context.Cause(d.ctx).Error()
	}
	return err.Error()
}
