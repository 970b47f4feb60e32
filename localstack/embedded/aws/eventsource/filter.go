package eventsource

import (
	"bytes"
	"encoding/json"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/eventpattern"
)

const maxPattern = 4096 // characters: FilterCriteria in the API Reference

// bodyFilter is one filter: a pattern of the message's body.
type bodyFilter struct {
	pattern *eventpattern.Pattern
	object  bool // the body must be a JSON object; else it is a plain string, and must not be JSON
}

// filters are those of a mapping: one must match. None let everything through.
type filters []bodyFilter

// parseFilter reads a pattern such as {"body": {"kind": ["order"]}} or {"body": [{"prefix": "order:"}]}. Only the key body is
// supported: "Using event filtering with an Amazon SQS event source".
func parseFilter(pattern *string) (f bodyFilter, err error) {
	if pattern == nil || *pattern == "" || len(*pattern) > maxPattern {
		return f, invalid("Invalid filter pattern definition.")
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(*pattern), &keys); err != nil || keys == nil {
		return f, invalid("Invalid filter pattern definition.")
	}
	for key := range keys {
		if key != "body" {
			return f, invalid("Invalid filter pattern definition. An Amazon SQS event source filters on the key body only, not on %s.", key)
		}
	}
	body := bytes.TrimSpace(keys["body"])
	switch {
	case len(keys) == 0: // {} matches everything
		f.pattern, err = eventpattern.ParseRecord("{}")
	case body[0] == '{':
		f.object = true
		f.pattern, err = eventpattern.ParseRecord(string(body))
	default:
		f.pattern, err = eventpattern.ParseRecord(*pattern)
	}
	if err != nil {
		return f, invalid("Invalid filter pattern definition. %s", err)
	}
	return f, nil
}

func (fs filters) match(body string) bool {
	if len(fs) == 0 {
		return true
	}
	fields, isObject := eventpattern.Body(body)
	for _, f := range fs {
		switch {
		case f.pattern.Empty() && !f.object:
			return true
		case f.object:
			if isObject && f.pattern.Match(fields) {
				return true
			}
		case !isObject: // a plain string: of a body in JSON the pattern is not even looked at
			if f.pattern.Match(eventpattern.Fields{"body": {List: []eventpattern.Value{eventpattern.String(body)}}}) {
				return true
			}
		}
	}
	return false
}
