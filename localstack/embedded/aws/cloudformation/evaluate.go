package cloudformation

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// functions are those of templates that are evaluated here. Any other is an error that names it.
var functions = []string{
	"Ref", "Condition", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::FindInMap", "Fn::If", "Fn::Equals", "Fn::And", "Fn::Or",
	"Fn::Not", "Fn::Base64", "Fn::ImportValue", "Fn::GetAZs", "Fn::Contains", "Fn::EachMemberIn", "Fn::EachMemberEquals",
}

// noValue is what Ref AWS::NoValue gives: the property or the list's element is left out.
type noValue struct{}

// unknown is a value that will only be known when a resource is made. Change sets compare it as different from all others.
type unknown struct{ of string }

// A scope is what a template's functions are evaluated in.
type scope struct {
	template   *template
	pseudo     map[string]any // AWS::Region and so on
	parameters map[string]any
	conditions map[string]bool // those that were evaluated
	ref        func(logical string) (any, error)
	attribute  func(logical, name string) (any, error)
	imported   func(name string) (any, error)
	dynamic    func(reference string) (string, error) // {{resolve:...}}
	evaluating []string                               // conditions, to find a circle
}

func (s *scope) evaluate(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		list := make([]any, 0, len(v))
		for _, e := range v {
			e, err := s.evaluate(e)
			if err != nil {
				return nil, err
			}
			if _, none := e.(noValue); !none {
				list = append(list, e)
			}
		}
		return list, nil
	case map[string]any:
		if len(v) == 1 {
			for name, arg := range v {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") {
					return s.call(name, arg)
				}
				if condition, ok := arg.(string); ok && name == "Condition" && s.template.conditions[condition] != nil {
					return s.condition(condition)
				}
			}
		}
		m := make(map[string]any, len(v))
		for key, e := range v {
			e, err := s.evaluate(e)
			if err != nil {
				return nil, err
			}
			if _, none := e.(noValue); !none {
				m[key] = e
			}
		}
		return m, nil
	case string:
		return s.resolve(v)
	}
	return v, nil
}

var dynamicReference = regexp.MustCompile(`\{\{resolve:[^}]*\}\}`)

func (s *scope) resolve(text string) (any, error) {
	if !strings.Contains(text, "{{resolve:") || s.dynamic == nil {
		return text, nil
	}
	var failure error
	text = dynamicReference.ReplaceAllStringFunc(text, func(reference string) string {
		value, err := s.dynamic(strings.TrimSuffix(strings.TrimPrefix(reference, "{{resolve:"), "}}"))
		if err != nil {
			failure = err
		}
		return value
	})
	return text, failure
}

func (s *scope) call(name string, arg any) (any, error) {
	switch name {
	case "Ref":
		return s.reference(arg)
	case "Fn::GetAtt":
		if list, ok := arg.([]any); ok && len(list) == 2 { // the attribute's name may be a Ref
			attribute, err := s.evaluate(list[1])
			if err != nil {
				return nil, err
			}
			arg = []any{list[0], attribute}
		}
		resource, attribute, ok := getAtt(arg)
		if !ok {
			return nil, templateError("Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute")
		}
		return s.attribute(resource, attribute)
	case "Fn::Sub":
		return s.substitute(arg)
	case "Fn::If":
		list, ok := arg.([]any)
		if !ok || len(list) != 3 {
			return nil, templateError("Fn::If requires a list argument with three elements")
		}
		condition, ok := list[0].(string)
		if !ok {
			return nil, templateError("Fn::If requires the name of a condition as its first argument")
		}
		yes, err := s.condition(condition)
		if err != nil {
			return nil, err
		}
		if yes {
			return s.evaluate(list[1])
		}
		return s.evaluate(list[2])
	}
	if !slices.Contains(functions, name) {
		return nil, templateError("Template contains an unsupported function: %s. The local cloud knows %s.", name, strings.Join(functions, ", "))
	}
	arg, err := s.evaluate(arg)
	if err != nil {
		return nil, err
	}
	if u, ok := findUnknown(arg); ok {
		return u, nil
	}
	if name == "Fn::Base64" || name == "Fn::ImportValue" || name == "Fn::GetAZs" {
		text, ok := scalar(arg)
		if !ok {
			return nil, templateError("%s requires a string", name)
		}
		switch name {
		case "Fn::Base64":
			return base64.StdEncoding.EncodeToString([]byte(text)), nil
		case "Fn::ImportValue":
			return s.imported(text)
		}
		if text == "" {
			text = fmt.Sprint(s.pseudo["AWS::Region"])
		}
		return []any{text + "a", text + "b", text + "c"}, nil
	}
	list, ok := arg.([]any)
	if !ok {
		return nil, templateError("%s requires a list argument", name)
	}
	return apply(name, list, s.template.mappings)
}

// apply calls a function whose arguments are evaluated.
func apply(name string, args []any, mappings map[string]any) (any, error) {
	want := map[string]int{"Fn::Join": 2, "Fn::Select": 2, "Fn::Split": 2, "Fn::FindInMap": 3, "Fn::Equals": 2, "Fn::Not": 1, "Fn::Contains": 2, "Fn::EachMemberIn": 2, "Fn::EachMemberEquals": 2}
	if n, ok := want[name]; ok && len(args) != n {
		return nil, templateError("%s requires a list argument with %d elements", name, n)
	}
	texts := func(v any) ([]string, bool) {
		list, ok := v.([]any)
		if !ok {
			return nil, false
		}
		var out []string
		for _, e := range list {
			t, ok := scalar(e)
			if !ok {
				return nil, false
			}
			out = append(out, t)
		}
		return out, true
	}
	switch name {
	case "Fn::Equals":
		return equal(args[0], args[1]), nil
	case "Fn::Not", "Fn::And", "Fn::Or":
		if name != "Fn::Not" && (len(args) < 2 || len(args) > 10) {
			return nil, templateError("every %s object requires a list of at least 2 and at most 10 boolean parameters.", name)
		}
		all, some := true, false
		for _, a := range args {
			b, err := truth(a)
			if err != nil {
				return nil, err
			}
			all, some = all && b, some || b
		}
		switch name {
		case "Fn::Not":
			return !all, nil
		case "Fn::And":
			return all, nil
		}
		return some, nil
	case "Fn::Join":
		delimiter, ok := scalar(args[0])
		list, ok2 := texts(args[1])
		if !ok || !ok2 {
			return nil, templateError("every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.")
		}
		return strings.Join(list, delimiter), nil
	case "Fn::Split":
		delimiter, ok := scalar(args[0])
		text, ok2 := scalar(args[1])
		if !ok || !ok2 || delimiter == "" {
			return nil, templateError("every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split.")
		}
		list := []any{}
		for part := range strings.SplitSeq(text, delimiter) {
			list = append(list, part)
		}
		return list, nil
	case "Fn::Select":
		text, _ := scalar(args[0])
		i, err := strconv.Atoi(text)
		list, ok := args[1].([]any)
		if err != nil || !ok {
			return nil, templateError("Fn::Select requires a list argument with two elements: an integer index and a list")
		}
		if i < 0 || i >= len(list) {
			return nil, templateError("Fn::Select cannot select nonexistent value at index %d", i)
		}
		return list[i], nil
	case "Fn::FindInMap":
		v := any(mappings)
		for _, a := range args {
			key, ok := scalar(a)
			m, ok2 := v.(map[string]any)
			if !ok || !ok2 || m[key] == nil {
				return nil, templateError("Unable to get mapping for %s", fmt.Sprintf("%v::%v::%v", args[0], args[1], args[2]))
			}
			v = m[key]
		}
		return v, nil
	case "Fn::Contains", "Fn::EachMemberIn", "Fn::EachMemberEquals":
		list, ok := texts(args[0])
		if !ok {
			return nil, templateError("%s requires a list of strings as its first argument", name)
		}
		if name == "Fn::EachMemberIn" {
			in, ok := texts(args[1])
			if !ok {
				return nil, templateError("%s requires two lists of strings", name)
			}
			return !slices.ContainsFunc(list, func(e string) bool { return !slices.Contains(in, e) }), nil
		}
		value, ok := scalar(args[1])
		if !ok {
			return nil, templateError("%s requires a string as its second argument", name)
		}
		if name == "Fn::Contains" {
			return slices.Contains(list, value), nil
		}
		return !slices.ContainsFunc(list, func(e string) bool { return e != value }), nil
	}
	return nil, templateError("%s cannot be used here", name)
}

func equal(a, b any) bool {
	x, ok := scalar(a)
	y, ok2 := scalar(b)
	if ok && ok2 {
		return x == y
	}
	return canonical(a) == canonical(b)
}

func truth(v any) (bool, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	if t, ok := v.(string); ok && (t == "true" || t == "false") {
		return t == "true", nil
	}
	return false, templateError("a condition must be true or false, not %s", canonical(v))
}

func findUnknown(v any) (unknown, bool) {
	switch v := v.(type) {
	case unknown:
		return v, true
	case []any:
		for _, e := range v {
			if u, ok := findUnknown(e); ok {
				return u, true
			}
		}
	case map[string]any:
		for _, e := range v {
			if u, ok := findUnknown(e); ok {
				return u, true
			}
		}
	}
	return unknown{}, false
}

func (s *scope) reference(arg any) (any, error) {
	name, ok := arg.(string)
	if !ok {
		return nil, templateError("Ref requires the name of a parameter or a resource")
	}
	if name == "AWS::NoValue" {
		return noValue{}, nil
	}
	if v, ok := s.pseudo[name]; ok {
		return v, nil
	}
	if v, ok := s.parameters[name]; ok {
		return v, nil
	}
	if _, ok := s.template.resources[name]; ok {
		return s.ref(name)
	}
	return nil, templateError("Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", name)
}

func getAtt(arg any) (resource, attribute string, ok bool) {
	switch arg := arg.(type) {
	case string:
		resource, attribute, ok = strings.Cut(arg, ".")
	case []any:
		if len(arg) == 2 {
			r, ok1 := arg[0].(string)
			a, ok2 := arg[1].(string)
			resource, attribute, ok = r, a, ok1 && ok2
		}
	}
	return resource, attribute, ok && resource != "" && attribute != ""
}

var substitution = regexp.MustCompile(`\$\{[^}]*\}`)

// subParts returns the text of a Fn::Sub and its own variables.
func subParts(arg any) (text string, variables map[string]any) {
	if list, ok := arg.([]any); ok && len(list) == 2 {
		text, _ = list[0].(string)
		variables, _ = list[1].(map[string]any)
		return text, variables
	}
	text, _ = arg.(string)
	return text, nil
}

// subNames returns the names in a text of Fn::Sub: ${A} and ${B.Arn}, but not ${!Literal}.
func subNames(text string) (names []string) {
	for _, m := range substitution.FindAllString(text, -1) {
		if name := strings.TrimSpace(m[2 : len(m)-1]); !strings.HasPrefix(name, "!") {
			names = append(names, name)
		}
	}
	return names
}

func (s *scope) substitute(arg any) (any, error) {
	text, variables := subParts(arg)
	if list, isList := arg.([]any); isList && (len(list) != 2 || variables == nil) || !isList && text == "" && arg != "" {
		return nil, templateError("One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string")
	}
	var failure error
	var open *unknown
	text = substitution.ReplaceAllStringFunc(text, func(m string) string {
		name := strings.TrimSpace(m[2 : len(m)-1])
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		var v any
		var err error
		if local, ok := variables[name]; ok {
			v, err = s.evaluate(local)
		} else if resource, attribute, ok := strings.Cut(name, "."); ok {
			v, err = s.attribute(resource, attribute)
		} else {
			v, err = s.reference(name)
		}
		if err != nil {
			failure = err
			return ""
		}
		if u, ok := v.(unknown); ok {
			open = &u
			return ""
		}
		t, ok := scalar(v)
		if !ok {
			failure = templateError("Fn::Sub: %s is not a string", name)
		}
		return t
	})
	if failure != nil {
		return nil, failure
	}
	if open != nil {
		return *open, nil
	}
	return s.resolve(text)
}

func (s *scope) condition(name string) (bool, error) {
	if v, ok := s.conditions[name]; ok {
		return v, nil
	}
	definition, ok := s.template.conditions[name]
	if !ok {
		return false, templateError("Unresolved condition dependency %s", name)
	}
	if slices.Contains(s.evaluating, name) {
		return false, templateError("Circular dependency between conditions: [%s]", strings.Join(s.evaluating, ", "))
	}
	s.evaluating = append(s.evaluating, name)
	v, err := s.evaluate(definition)
	s.evaluating = s.evaluating[:len(s.evaluating)-1]
	if err != nil {
		return false, err
	}
	b, err := truth(v)
	if err == nil {
		s.conditions[name] = b
	}
	return b, err
}

// exists tells whether something with that condition (empty: none) is part of the stack.
func (s *scope) exists(condition string) (bool, error) {
	if condition == "" {
		return true, nil
	}
	return s.condition(condition)
}

// assert checks the template's rules. Each assertion that does not hold is an error.
func (s *scope) assert() error {
	for _, name := range slices.Sorted(maps.Keys(s.template.rules)) {
		var rule struct {
			RuleCondition any
			Assertions    []struct {
				Assert            any
				AssertDescription string
			}
		}
		if err := decode(s.template.rules[name], &rule, "/Rules/"+name); err != nil {
			return templateError("%s", err)
		}
		if rule.RuleCondition != nil {
			v, err := s.evaluate(rule.RuleCondition)
			if err != nil {
				return err
			}
			if yes, err := truth(v); err != nil || !yes {
				if err != nil {
					return err
				}
				continue
			}
		}
		for _, a := range rule.Assertions {
			v, err := s.evaluate(a.Assert)
			if err != nil {
				return err
			}
			if holds, err := truth(v); err != nil {
				return err
			} else if !holds {
				return validation("Template error: Rule %s: %s", name, a.AssertDescription)
			}
		}
	}
	return nil
}

// MarshalJSON shows the value as change sets do.
func (u unknown) MarshalJSON() ([]byte, error) {
	return json.Marshal("{{changeSet:KNOWN_AFTER_APPLY}}")
}
