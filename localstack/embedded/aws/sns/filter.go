package sns

import (
	"errors"
	"strconv"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/eventpattern"
)

// Limits of filter policies.
// Source: Amazon SNS Developer Guide, "Filter policy constraints" (checked 2026-12-01).
const (
	maxPolicySize    = 256 << 10 // bytes
	maxPolicyKeys    = 5         // with a list of values, on all levels
	maxCombinations  = 150
	maxTopicPolicies = 200
)

// The values of FilterPolicyScope.
const (
	scopeAttributes = "MessageAttributes"
	scopeBody       = "MessageBody"
)

var errFilterLimit = &api.Error{Code: "FilterPolicyLimitExceeded", Message: "The topic has 200 filter policies, which is the most", Status: 403}

// filter is a subscription's filter policy.
type filter struct {
	pattern *eventpattern.Pattern
	scope   string
}

// parseFilter compiles a filter policy. Its error is what follows "Invalid parameter: ".
func parseFilter(text, scope string) (*filter, error) {
	if len(text) > maxPolicySize {
		return nil, reason("FilterPolicy: Filter policy can not be larger than 256 KB")
	}
	p, err := eventpattern.Parse(text)
	if err != nil {
		var j *eventpattern.JSONError
		if errors.As(err, &j) {
			return nil, reason("FilterPolicy: %s", jsonReason(err))
		}
		return nil, reason("FilterPolicy: %s", err)
	}
	switch {
	case p.Nested() && scope == scopeAttributes:
		return nil, reason("Filter policy scope MessageAttributes does not support nested filter policy")
	case p.Keys() > maxPolicyKeys:
		return nil, reason("FilterPolicy: Filter policy can not have more than 5 keys")
	case p.Combinations() > maxCombinations:
		return nil, reason("FilterPolicy: Filter policy is too complex")
	}
	return &filter{p, scope}, nil
}

// accepts says whether the subscription gets the message. The caller holds mu, which guards what the message keeps of it.
func (f *filter) accepts(m *message) bool {
	if f == nil || f.pattern.Empty() {
		return true
	}
	if f.scope == scopeBody {
		if m.bodyFields == nil {
			m.bodyFields, m.bodyIsObject = eventpattern.Body(m.body)
		}
		return m.bodyIsObject && f.pattern.Match(m.bodyFields)
	}
	// Without any attribute no policy matches, not even one that asks for an attribute's absence.
	// Source: Amazon SNS Developer Guide, "Key matching" (checked 2026-12-01).
	if len(m.attributes) == 0 {
		return false
	}
	if m.attributeFields == nil {
		m.attributeFields = attributeFields(m.attributes)
	}
	return f.pattern.Match(m.attributeFields)
}

// attributeFields are message attributes as a filter policy sees them: those of type Binary do not exist.
func attributeFields(attributes map[string]MessageAttributeValue) eventpattern.Fields {
	fields := eventpattern.Fields{}
	for name, a := range attributes {
		base, _, _ := strings.Cut(a.DataType, ".")
		v := eventpattern.Values{Attribute: true}
		switch {
		case a.DataType == "String.Array":
			v.List, _ = eventpattern.Elements(a.StringValue) // what is no array has no elements
		case base == "String":
			v.List = []eventpattern.Value{eventpattern.String(a.StringValue)}
		case base == "Number":
			if n, err := strconv.ParseFloat(a.StringValue, 64); err == nil {
				v.List = []eventpattern.Value{eventpattern.Number(n)}
			}
		default:
			continue
		}
		fields[name] = v
	}
	return fields
}
