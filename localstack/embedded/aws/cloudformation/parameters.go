package cloudformation

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is what a parameter's type comes down to.
type kind struct {
	list   bool // the value is split at commas
	number bool
	ssm    bool // the value is the name of an SSM parameter
	name   bool // the value is the name of an SSM parameter, and stays it
}

func (p parameter) kind() (kind, error) {
	switch p.Type {
	case "String":
		return kind{}, nil
	case "Number":
		return kind{number: true}, nil
	case "List<Number>":
		return kind{list: true, number: true}, nil
	case "CommaDelimitedList":
		return kind{list: true}, nil
	case "AWS::SSM::Parameter::Name":
		return kind{name: true}, nil
	case "AWS::SSM::Parameter::Value<String>":
		return kind{ssm: true}, nil
	case "AWS::SSM::Parameter::Value<List<String>>", "AWS::SSM::Parameter::Value<CommaDelimitedList>":
		return kind{ssm: true, list: true}, nil
	}
	return kind{}, templateError("Unrecognized parameter type: %s. The local cloud knows String, Number, their lists and those of AWS::SSM::Parameter.", p.Type)
}

// A given is a parameter as clients give it and as stacks show it.
type given struct {
	ParameterKey     string
	ParameterValue   *string
	UsePreviousValue bool
	ResolvedValue    string // of an SSM parameter: in answers only
}

const hidden = "****" // a value with NoEcho

// bind gives the template's parameters their values. ssm reads a parameter of SSM.
func (t *template) bind(values []given, previous map[string]string, ssm func(name string) (string, error)) (raw map[string]string, bound map[string]any, err error) {
	raw = map[string]string{}
	var strangers []string
	for _, g := range values {
		if _, ok := t.parameters[g.ParameterKey]; !ok {
			strangers = append(strangers, g.ParameterKey)
			continue
		}
		switch old, had := previous[g.ParameterKey]; {
		case g.UsePreviousValue && had:
			raw[g.ParameterKey] = old
		case g.UsePreviousValue:
			return nil, nil, validation("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", g.ParameterKey)
		case g.ParameterValue != nil:
			raw[g.ParameterKey] = *g.ParameterValue
		}
	}
	if len(strangers) > 0 {
		return nil, nil, validation("Parameters: [%s] do not exist in the template", strings.Join(strangers, ", "))
	}
	bound = map[string]any{}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(t.parameters)) {
		p := t.parameters[name]
		v, ok := raw[name]
		if !ok {
			if p.Default == nil {
				missing = append(missing, name)
				continue
			}
			v = *p.Default
			raw[name] = v
		}
		k, err := p.kind()
		if err != nil {
			return nil, nil, err
		}
		if err := p.check(name, v, k); err != nil {
			return nil, nil, err
		}
		if k.ssm || k.name {
			got, err := ssm(v)
			if err != nil {
				return nil, nil, validation("Unable to fetch parameters [%s] from parameter store for this account.", v)
			}
			if k.ssm {
				v = got
			}
		}
		if !k.list {
			bound[name] = v
			continue
		}
		list := []any{}
		for e := range strings.SplitSeq(v, ",") {
			if e = strings.TrimSpace(e); e != "" || v != "" {
				list = append(list, e)
			}
		}
		bound[name] = list
	}
	if len(missing) > 0 {
		return nil, nil, validation("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	return raw, bound, nil
}

func (p parameter) check(name, v string, k kind) error {
	broken := func(format string, args ...any) error {
		if p.ConstraintDescription != "" {
			return validation("Parameter %s failed to satisfy constraint: %s", name, p.ConstraintDescription)
		}
		return validation("Parameter '%s' %s", name, fmt.Sprintf(format, args...))
	}
	each := []string{v}
	if k.list {
		each = strings.Split(v, ",")
	}
	for _, e := range each {
		if k.list {
			e = strings.TrimSpace(e)
		}
		if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, e) {
			return broken("must be one of AllowedValues")
		}
		if k.number {
			n, err := strconv.ParseFloat(e, 64)
			if err != nil {
				return validation("Parameter '%s' must be a number.", name)
			}
			if p.MinValue != nil && n < *p.MinValue {
				return broken("must be a number not less than %v", *p.MinValue)
			}
			if p.MaxValue != nil && n > *p.MaxValue {
				return broken("must be a number not greater than %v", *p.MaxValue)
			}
		}
		if p.AllowedPattern != "" {
			re, err := regexp.Compile(`^(?:` + p.AllowedPattern + `)$`)
			if err != nil {
				return templateError("the pattern of parameter %s is not valid: %s", name, err)
			}
			if !re.MatchString(e) {
				return broken("must match pattern %s", p.AllowedPattern)
			}
		}
		if n := utf8.RuneCountInString(e); p.MinLength != nil && n < *p.MinLength {
			return broken("must contain at least %d characters", *p.MinLength)
		} else if p.MaxLength != nil && n > *p.MaxLength {
			return broken("must contain at most %d characters", *p.MaxLength)
		}
	}
	return nil
}
