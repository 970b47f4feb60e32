package cloudformation

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decode reads a template's value into a Go value whose fields have the names of the template's keys. Scalars may come as text,
// as CloudFormation takes them: "true", "30". A key that the Go type does not have is an error that names it.
// A struct's field that must be there has the tag `cfn:"required"`.
func decode(v any, into any, path string) error {
	return decodeValue(v, reflect.ValueOf(into).Elem(), path)
}

var listType = reflect.TypeFor[stringOrList]()

func decodeValue(v any, to reflect.Value, path string) error {
	if v == nil {
		return nil
	}
	if to.Type() == listType {
		if s, ok := v.(string); ok {
			v = []any{s}
		}
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		return decodeValue(v, to.Elem(), path)
	case reflect.Interface:
		to.Set(reflect.ValueOf(v))
		return nil
	case reflect.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: expected type: JSONObject, found: %s", path, kindOf(v))
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			f, ok := to.Type().FieldByName(key)
			if !ok || !f.IsExported() {
				return fmt.Errorf("%s: extraneous key [%s] is not permitted", path, key)
			}
			if err := decodeValue(m[key], to.FieldByIndex(f.Index), path+"/"+key); err != nil {
				return err
			}
		}
		for i := range to.NumField() {
			if f := to.Type().Field(i); f.Tag.Get("cfn") == "required" && m[f.Name] == nil {
				return fmt.Errorf("%s: required key [%s] not found", path, f.Name)
			}
		}
		return nil
	case reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s: expected type: JSONArray, found: %s", path, kindOf(v))
		}
		to.Set(reflect.MakeSlice(to.Type(), len(list), len(list)))
		for i, e := range list {
			if err := decodeValue(e, to.Index(i), path+"/"+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: expected type: JSONObject, found: %s", path, kindOf(v))
		}
		to.Set(reflect.MakeMap(to.Type()))
		for key, v := range m {
			e := reflect.New(to.Type().Elem()).Elem()
			if err := decodeValue(v, e, path+"/"+key); err != nil {
				return err
			}
			to.SetMapIndex(reflect.ValueOf(key), e)
		}
		return nil
	}
	text, ok := scalar(v)
	if !ok {
		return fmt.Errorf("%s: expected type: %s, found: %s", path, scalarName(to.Kind()), kindOf(v))
	}
	var err error
	switch to.Kind() {
	case reflect.String:
		to.SetString(text)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(strings.ToLower(text))
		to.SetBool(b)
	case reflect.Int:
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		to.SetInt(n)
	case reflect.Float64:
		var n float64
		n, err = strconv.ParseFloat(text, 64)
		to.SetFloat(n)
	default:
		panic("cloudformation: a property of type " + to.Type().String())
	}
	if err != nil {
		return fmt.Errorf("%s: expected type: %s, found: %s", path, scalarName(to.Kind()), kindOf(v))
	}
	return nil
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func kindOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "JSONObject"
	case []any:
		return "JSONArray"
	case json.Number:
		return "Number"
	case bool:
		return "Boolean"
	}
	return "String"
}

func scalarName(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "Boolean"
	case reflect.Int:
		return "Integer"
	case reflect.Float64:
		return "Number"
	}
	return "String"
}
