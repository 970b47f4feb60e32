package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// A resourceType is how the resources of one type are made.
type resourceType struct {
	replacing []string // the properties whose change needs a new resource
	named     string   // the property that is the resource's name, if it has one
	tags      tagStyle

	create func(c *call, properties map[string]any) (physical string, attributes map[string]any, err error)
	// update changes a resource in place. It returns a physical id only if that is another now, and attributes only if they may be.
	update func(c *call, physical string, properties, old map[string]any) (newPhysical string, attributes map[string]any, err error)
	remove func(c *call, physical string, properties map[string]any) error
}

// tagStyle is how a type's property Tags is written, if it has one.
type tagStyle int

const (
	noTags  tagStyle = iota
	tagList          // [{"Key": "k", "Value": "v"}]
	tagMap           // {"k": "v"}
)

// addTags adds the stack's tags; those of the resource win.
func (t *resourceType) addTags(properties map[string]any, tags []tag) {
	if len(tags) == 0 {
		return
	}
	switch t.tags {
	case tagMap:
		m, _ := properties["Tags"].(map[string]any)
		all := map[string]any{}
		for _, t := range tags {
			all[t.Key] = t.Value
		}
		maps.Copy(all, m)
		properties["Tags"] = all
	case tagList:
		list, _ := properties["Tags"].([]any)
		has := func(key string) bool {
			return slices.ContainsFunc(list, func(e any) bool { m, _ := e.(map[string]any); return m["Key"] == key })
		}
		all := slices.Clone(list)
		for _, t := range tags {
			if !has(t.Key) {
				all = append(all, map[string]any{"Key": t.Key, "Value": t.Value})
			}
		}
		properties["Tags"] = all
	}
}

// replaces tells whether the change of properties needs a new resource.
func (t *resourceType) replaces(old, new map[string]any) bool {
	return t.update == nil && len(changedProperties(old, new)) > 0 || slices.ContainsFunc(t.replacing, func(name string) bool {
		return canonical(old[name]) != canonical(new[name])
	})
}

// define makes a type whose properties are those of P. A property that P does not have fails the resource by its name.
func define[P any](t resourceType,
	create func(c *call, p *P) (physical string, attributes map[string]any, err error),
	update func(c *call, physical string, p, old *P) (attributes map[string]any, err error),
	remove func(c *call, physical string, p *P) error,
) *resourceType {
	read := func(c *call, properties map[string]any) (*P, error) {
		p := new(P)
		if err := decode(properties, p, "#"); err != nil {
			return nil, reasonf("Properties validation failed for resource %s with message:\n%v", c.logical, err)
		}
		return p, nil
	}
	t.create = func(c *call, properties map[string]any) (string, map[string]any, error) {
		p, err := read(c, properties)
		if err != nil {
			return "", nil, err
		}
		return create(c, p)
	}
	if update != nil {
		t.update = func(c *call, physical string, properties, old map[string]any) (string, map[string]any, error) {
			p, err := read(c, properties)
			if err != nil {
				return "", nil, err
			}
			before, err := read(c, old)
			if err != nil {
				return "", nil, err
			}
			attributes, err := update(c, physical, p, before)
			return "", attributes, err
		}
	}
	t.remove = func(c *call, physical string, properties map[string]any) error {
		p, err := read(c, properties)
		if err != nil {
			return nil // it was never made
		}
		return remove(c, physical, p)
	}
	return &t
}

// types are the types of resources, by name: a file a service.
var types = func() map[string]*resourceType {
	all := map[string]*resourceType{}
	for _, of := range []map[string]*resourceType{
		cloudFormationTypes(), cloudWatchTypes(), iamTypes(), kmsTypes(), lambdaTypes(), logsTypes(), s3Types(), snsTypes(), sqsTypes(), ssmTypes(),
	} {
		maps.Copy(all, of)
	}
	return all
}()

func typeOf(name string) (*resourceType, bool) {
	if isCustom(name) {
		return customResource, true
	}
	t, ok := types[name]
	return t, ok
}

func isCustom(name string) bool {
	return name == "AWS::CloudFormation::CustomResource" || strings.HasPrefix(name, "Custom::")
}

// A call is the making, changing or removing of one resource.
type call struct {
	ctx     context.Context
	s       *Service
	from    api.Caller
	stack   *stack
	logical string
	kind    string // the resource's type
}

// A serviceError is an error of the service that a resource belongs to.
type serviceError struct {
	service string
	err     error
}

func (e *serviceError) Error() string { return e.err.Error() }
func (e *serviceError) Unwrap() error { return e.err }

var serviceNames = map[string]string{
	"sqs": "Sqs", "sns": "Sns", "lambda": "Lambda", "iam": "Iam", "logs": "CloudWatchLogs", "monitoring": "CloudWatch", "ssm": "Ssm", "kms": "Kms", "s3": "S3",
}

// invoke runs an operation of a service.
func (c *call) invoke(service, action string, in, out any) error {
	if err := c.s.invoke(c.ctx, c.from, service, action, in, out); err != nil {
		return &serviceError{serviceNames[service], err}
	}
	return nil
}

// generated is a name for a resource that the template gives none: STACK-LOGICAL-RANDOM, at most so many characters long.
func (c *call) generated(most int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz"
	random := make([]byte, 12)
	for i := range random {
		random[i] = letters[rand.IntN(len(letters))]
	}
	name := c.stack.name + "-" + c.logical
	if n := most - len(random) - 1; len(name) > n {
		logical := c.logical[:min(len(c.logical), n*2/3)]
		name = c.stack.name[:min(len(c.stack.name), n-len(logical)-1)] + "-" + logical
	}
	return name + "-" + string(random)
}

// orGenerated is the name that the template gives, or a generated one.
func (c *call) orGenerated(name string, most int) string {
	if name != "" {
		return name
	}
	return c.generated(most)
}

func (c *call) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + c.from.Region + ":" + c.from.Account + ":" + resource
}

func asError(err error, e **api.Error) bool { return errors.As(err, e) }

// A reason is a text of CloudFormation's own.
type reason string

func (r reason) Error() string { return string(r) }

func reasonf(format string, args ...any) error { return reason(fmt.Sprintf(format, args...)) }

// isGone tells whether an error says that the resource is not there any more.
func isGone(err error) bool {
	var e *api.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, part := range []string{"NotFound", "NoSuch", "NonExistent", "DoesNotExist"} {
		if strings.Contains(e.Code, part) {
			return true
		}
	}
	return false
}

// asMap is a list of tags as a map.
func asMap(tags []tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

// missing returns the keys of old that are not in new, sorted.
func missing[V any](old, new map[string]V) []string {
	keys := []string{}
	for k := range old {
		if _, ok := new[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// made is what a type's create returns: of a resource whose making failed there is nothing to remove later.
func made(physical string, attributes map[string]any, err error) (string, map[string]any, error) {
	if err != nil {
		return "", nil, err
	}
	return physical, attributes, nil
}

// document is a policy document as text.
func document(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	return canonical(v)
}
