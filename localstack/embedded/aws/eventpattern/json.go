package eventpattern

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

type kind int

const (
	null kind = iota
	boolean
	number
	text
	array
	object
)

// value is any JSON value. An object keeps the order of its entries; of entries with the same key the last one counts.
type value struct {
	Value
	elements []value
	entries  []entry
}

type entry struct {
	key   string
	value value
}

// maxDepth is how deep objects and arrays may be nested: no message of at most 1 MiB needs more.
const maxDepth = 1000

var errDepth = errors.New("objects and arrays are nested too deep")

func decode(s string) (value, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	v, err := next(d, 0)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return value{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return value{}, errors.New("more follows after the value")
	}
	return v, nil
}

func next(d *json.Decoder, depth int) (value, error) {
	t, err := d.Token()
	if err != nil {
		return value{}, err
	}
	switch t := t.(type) {
	case json.Delim:
		if depth == maxDepth {
			return value{}, errDepth
		}
		if t == '[' {
			return nextArray(d, depth+1)
		}
		return nextObject(d, depth+1)
	case string:
		return value{Value: String(t)}, nil
	case json.Number:
		f, err := t.Float64()
		return value{Value: Number(f)}, err
	case bool:
		return value{Value: Value{kind: boolean, truth: t}}, nil
	}
	return value{}, nil
}

func nextArray(d *json.Decoder, depth int) (value, error) {
	v := value{Value: Value{kind: array}}
	for d.More() {
		e, err := next(d, depth)
		if err != nil {
			return value{}, err
		}
		v.elements = append(v.elements, e)
	}
	_, err := d.Token()
	return v, err
}

func nextObject(d *json.Decoder, depth int) (value, error) {
	v := value{Value: Value{kind: object}}
	index := map[string]int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return value{}, err
		}
		key := t.(string) // the decoder allows nothing else here
		e, err := next(d, depth)
		if err != nil {
			return value{}, err
		}
		if i, ok := index[key]; ok {
			v.entries[i].value = e
			continue
		}
		index[key] = len(v.entries)
		v.entries = append(v.entries, entry{key, e})
	}
	_, err := d.Token()
	return v, err
}
