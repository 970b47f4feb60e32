package cloudformation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A value of a template is a map[string]any, []any, string, json.Number, bool or nil.

// parseText reads JSON or YAML. Of YAML the short forms of functions (!Ref) become the long ones.
func parseText(text string) (any, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err == nil {
			if _, err := d.Token(); !errors.Is(err, io.EOF) {
				return nil, errors.New("there is more after the end of the JSON")
			}
			return v, nil
		} // it may be YAML in flow style
	}
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return nil, errors.New(strings.TrimSpace(err.Error()))
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, errors.New("not one document")
	}
	y := yamlReader{anchors: map[string]any{}}
	return y.value(file.Docs[0].Body)
}

type yamlReader struct {
	anchors map[string]any
	nodes   int
}

// maxNodes is how many values a template may have, aliases counted as often as they are used: many times over what fits 1 MB.
const maxNodes = 1 << 20

func (y *yamlReader) value(n ast.Node) (any, error) {
	if y.nodes++; y.nodes > maxNodes {
		return nil, errors.New("too many values")
	}
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return nil, nil
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode:
		return json.Number(fmt.Sprint(n.Value)), nil
	case *ast.FloatNode:
		return json.Number(n.GetToken().Value), nil
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.MappingNode:
		return y.object(n.Values)
	case *ast.MappingValueNode:
		return y.object([]*ast.MappingValueNode{n})
	case *ast.SequenceNode:
		list := []any{}
		for _, e := range n.Values {
			v, err := y.value(e)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case *ast.AnchorNode:
		v, err := y.value(n.Value)
		y.anchors[n.Name.GetToken().Value] = v
		return v, err
	case *ast.AliasNode:
		v, ok := y.anchors[n.Value.GetToken().Value]
		if !ok {
			return nil, fmt.Errorf("no anchor is called %s", n.Value.GetToken().Value)
		}
		y.nodes += size(v)
		return v, nil
	case *ast.TagNode:
		return y.tagged(n)
	}
	return nil, fmt.Errorf("line %d: %s is not supported", n.GetToken().Position.Line, n.Type())
}

func size(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n += size(e)
		}
	case []any:
		for _, e := range v {
			n += size(e)
		}
	}
	return n
}

func (y *yamlReader) object(entries []*ast.MappingValueNode) (any, error) {
	m := map[string]any{}
	for _, e := range entries {
		key := e.Key.GetToken().Value
		if _, merge := e.Key.(*ast.MergeKeyNode); merge {
			return nil, fmt.Errorf("line %d: merge keys are not supported", e.Key.GetToken().Position.Line)
		}
		if _, ok := m[key]; ok {
			return nil, fmt.Errorf("line %d: duplicate key %s", e.Key.GetToken().Position.Line, key)
		}
		v, err := y.value(e.Value)
		if err != nil {
			return nil, err
		}
		m[key] = v
	}
	return m, nil
}

// tagged reads !Ref x, !GetAtt a.b, !Sub and so on, and the standard tags such as !!str.
func (y *yamlReader) tagged(n *ast.TagNode) (any, error) {
	tag := n.Start.Value
	v, err := y.value(n.Value)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(tag, "!!") {
		if tag == "!!str" {
			return fmt.Sprint(v), nil
		}
		return v, nil
	}
	name := strings.TrimPrefix(tag, "!")
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	if !slices.Contains(functions, name) {
		return nil, fmt.Errorf("line %d: unknown tag %s", n.Start.Position.Line, tag)
	}
	if dotted, ok := v.(string); ok && name == "Fn::GetAtt" {
		resource, attribute, _ := strings.Cut(dotted, ".")
		v = []any{resource, attribute}
	}
	return map[string]any{name: v}, nil
}

// canonical is v as JSON with sorted keys: equal values have equal texts.
func canonical(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("cloudformation: a value that is no JSON: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
