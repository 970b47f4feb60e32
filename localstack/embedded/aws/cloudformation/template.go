package cloudformation

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Limits of templates: "Understand CloudFormation quotas".
const (
	maxBodyText     = 51_200    // bytes of a template in the request
	maxTemplateText = 1_048_576 // bytes of a template in S3
	maxResources    = 500
	maxOutputs      = 200
	maxParameters   = 200
	maxMappings     = 200
)

// A template is one that was parsed and has the right form.
type template struct {
	text        string
	all         map[string]any
	description string
	parameters  map[string]parameter
	mappings    map[string]any
	conditions  map[string]any
	rules       map[string]any
	resources   map[string]definition
	outputs     map[string]outputDefinition
}

type parameter struct {
	Type                  string
	Default               *string
	Description           string
	AllowedValues         []string
	AllowedPattern        string
	ConstraintDescription string
	MinLength, MaxLength  *int
	MinValue, MaxValue    *float64
	NoEcho                bool
}

// A definition is a resource as the template has it.
type definition struct {
	Type                string
	Properties          map[string]any
	DependsOn           stringOrList
	Condition           string
	DeletionPolicy      string
	UpdateReplacePolicy string
	Metadata            map[string]any
	// Accepted where they change nothing here, or refused.
	CreationPolicy, UpdatePolicy any
}

type outputDefinition struct {
	Description string
	Value       any
	Condition   string
	Export      *struct{ Name any }
}

type stringOrList []string

func validation(format string, args ...any) *api.Error {
	return api.Errorf("ValidationError", format, args...)
}

func templateError(format string, args ...any) *api.Error {
	return validation("Template format error: "+format, args...)
}

var (
	logicalID = regexp.MustCompile(`^[A-Za-z0-9]{1,255}$`)
	sections  = []string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions", "Transform", "Resources", "Outputs"}
)

func parseTemplate(text string) (*template, error) {
	v, err := parseText(text)
	if err != nil {
		return nil, templateError("%s", err)
	}
	all, ok := v.(map[string]any)
	if !ok {
		return nil, templateError("unsupported structure.")
	}
	t := &template{text: text, all: all, parameters: map[string]parameter{}, resources: map[string]definition{}, outputs: map[string]outputDefinition{}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !slices.Contains(sections, name) {
			return nil, validation("Invalid template property or properties [%s]", name)
		}
	}
	if all["Transform"] != nil {
		return nil, validation("The local cloud does not offer transforms: %s", canonical(all["Transform"]))
	}
	if v, ok := all["AWSTemplateFormatVersion"]; ok && v != "2010-09-09" {
		return nil, templateError("Template version is not a date (2010-09-09).")
	}
	t.description, _ = all["Description"].(string)
	for _, section := range []struct {
		name string
		into *map[string]any
	}{{"Mappings", &t.mappings}, {"Conditions", &t.conditions}, {"Rules", &t.rules}} {
		if v, ok := all[section.name]; ok {
			if *section.into, ok = v.(map[string]any); !ok {
				return nil, templateError("[/%s] is not an object.", section.name)
			}
		}
	}
	if err := entries(all, "Parameters", maxParameters, t.parameters); err != nil {
		return nil, err
	}
	if err := entries(all, "Resources", maxResources, t.resources); err != nil {
		return nil, err
	}
	if err := entries(all, "Outputs", maxOutputs, t.outputs); err != nil {
		return nil, err
	}
	if len(t.mappings) > maxMappings {
		return nil, templateError("Number of mappings, %d, is greater than maximum allowed, %d", len(t.mappings), maxMappings)
	}
	if len(t.resources) == 0 {
		return nil, templateError("At least one Resources member must be defined.")
	}
	return t, t.check()
}

// entries decodes the entries of a section of the template.
func entries[T any](all map[string]any, section string, most int, into map[string]T) error {
	v, ok := all[section]
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return templateError("[/%s] is not an object.", section)
	}
	if len(m) > most {
		return templateError("Number of %s, %d, is greater than maximum allowed, %d", strings.ToLower(section), len(m), most)
	}
	for name, v := range m {
		if !logicalID.MatchString(name) {
			return templateError("%s name %s is non alphanumeric.", strings.TrimSuffix(section, "s"), name)
		}
		var entry T
		if err := decode(v, &entry, "/"+section+"/"+name); err != nil {
			return templateError("%s", err)
		}
		into[name] = entry
	}
	return nil
}

// check finds what is wrong with the template whatever the parameters' values are.
func (t *template) check() error {
	for _, name := range slices.Sorted(maps.Keys(t.parameters)) {
		p := t.parameters[name]
		if p.Type == "" {
			return templateError("Every Parameters object must contain a Type member.")
		}
		if _, err := p.kind(); err != nil {
			return err
		}
	}
	unresolved := map[string]bool{}
	refs := func(v any) {
		walk(v, func(name, _ string) {
			if _, isParameter := t.parameters[name]; !isParameter && !strings.HasPrefix(name, "AWS::") {
				if _, ok := t.resources[name]; !ok {
					unresolved[name] = true
				}
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(t.resources)) {
		d := t.resources[name]
		if d.Type == "" {
			return templateError("[/Resources/%s] Every Resources object must contain a Type member.", name)
		}
		if d.Condition != "" && t.conditions[d.Condition] == nil {
			return templateError("Unresolved condition dependency %s in the Resources block of the template", d.Condition)
		}
		for _, policy := range []string{d.DeletionPolicy, d.UpdateReplacePolicy} {
			if policy != "" && policy != "Delete" && policy != "Retain" && policy != "RetainExceptOnCreate" {
				return templateError("The local cloud does not offer the policy %s of resource %s: it knows Delete, Retain and RetainExceptOnCreate.", policy, name)
			}
		}
		if d.CreationPolicy != nil || d.UpdatePolicy != nil {
			return templateError("The local cloud does not offer CreationPolicy and UpdatePolicy, which resource %s has.", name)
		}
		for _, on := range d.DependsOn {
			if _, ok := t.resources[on]; !ok {
				unresolved[on] = true
			}
		}
		refs(d.Properties)
	}
	if len(unresolved) > 0 {
		return templateError("Unresolved resource dependencies [%s] in the Resources block of the template", strings.Join(slices.Sorted(maps.Keys(unresolved)), ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(t.outputs)) {
		o := t.outputs[name]
		if o.Value == nil {
			return templateError("Every Outputs member must contain a Value object")
		}
		if o.Condition != "" && t.conditions[o.Condition] == nil {
			return templateError("Unresolved condition dependency %s in the Outputs block of the template", o.Condition)
		}
		refs(o.Value)
	}
	if len(unresolved) > 0 {
		return templateError("Unresolved resource dependencies [%s] in the Outputs block of the template", strings.Join(slices.Sorted(maps.Keys(unresolved)), ", "))
	}
	_, err := t.order()
	return err
}

// walk calls f with what v refers to by Ref, Fn::GetAtt and Fn::Sub; attribute is empty for a Ref.
func walk(v any, f func(name, attribute string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			walk(e, f)
		}
	case map[string]any:
		if len(v) == 1 {
			if name, ok := v["Ref"].(string); ok {
				f(name, "")
				return
			}
			if get, ok := v["Fn::GetAtt"]; ok {
				if name, attribute, ok := getAtt(get); ok {
					f(name, attribute)
					return
				}
			}
			if sub, ok := v["Fn::Sub"]; ok {
				text, variables := subParts(sub)
				for _, name := range subNames(text) {
					if _, local := variables[name]; !local {
						resource, attribute, _ := strings.Cut(name, ".")
						f(resource, attribute)
					}
				}
				walk(variables, f)
				return
			}
		}
		for _, e := range v {
			walk(e, f)
		}
	}
}

// needs returns the resources that one depends on, sorted.
func (t *template) needs(name string) []string {
	d := t.resources[name]
	on := map[string]bool{}
	for _, n := range d.DependsOn {
		on[n] = true
	}
	walk(d.Properties, func(n, _ string) {
		if _, ok := t.resources[n]; ok {
			on[n] = true
		}
	})
	return slices.Sorted(maps.Keys(on))
}

// order returns the resources so that each comes after what it depends on, and otherwise by name.
func (t *template) order() ([]string, error) {
	var order []string
	const visiting, done = 1, 2
	state := map[string]int{}
	var path []string
	var visit func(name string) error
	visit = func(name string) error {
		switch state[name] {
		case done:
			return nil
		case visiting:
			i := slices.Index(path, name)
			cycle := slices.Clone(path[i:])
			slices.Sort(cycle)
			return validation("Circular dependency between resources: [%s]", strings.Join(cycle, ", "))
		}
		state[name] = visiting
		path = append(path, name)
		for _, on := range t.needs(name) {
			if err := visit(on); err != nil {
				return err
			}
		}
		path = path[:len(path)-1]
		state[name] = done
		order = append(order, name)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(t.resources)) {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// capabilities returns what a client must acknowledge for the template, and why.
func (t *template) capabilities() (need []string, reason string) {
	var types []string
	for _, name := range slices.Sorted(maps.Keys(t.resources)) {
		d := t.resources[name]
		if strings.HasPrefix(d.Type, "AWS::IAM::") {
			types = append(types, d.Type)
			capability := "CAPABILITY_IAM"
			for _, p := range []string{"RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"} {
				if d.Properties[p] != nil {
					capability = "CAPABILITY_NAMED_IAM"
				}
			}
			if len(need) == 0 || capability == "CAPABILITY_NAMED_IAM" {
				need = []string{capability}
			}
		}
	}
	if len(types) > 0 {
		slices.Sort(types)
		reason = fmt.Sprintf("The following resource(s) require capabilities: [%s]", strings.Join(slices.Compact(types), ", "))
	}
	return need, reason
}

// UnmarshalJSON takes one name or a list of them.
func (l *stringOrList) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = []string{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}
