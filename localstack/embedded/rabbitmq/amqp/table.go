package amqp

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// A Table holds named values. A value is a bool, an int8, uint8, int16, uint16, int32, uint32, int64, float32, float64,
// Decimal, string, []byte, time.Time (in whole seconds), Table, []any of these, or nil.
type Table map[string]any

// Decimal is Value divided by 10 to the power of Scale.
type Decimal struct {
	Scale uint8
	Value int32
}

// maxDepth is how deep tables and arrays may be nested.
const maxDepth = 32

// decoder reads fields off the front of b. After the first failure it reads zeros and keeps err.
type decoder struct {
	b     []byte
	err   error
	depth int
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = malformed(format, args...)
	}
	d.b = nil
}

func (d *decoder) take(n uint64) []byte {
	if uint64(len(d.b)) < n {
		d.fail("a field of %d bytes where %d are left", n, len(d.b))
		return nil
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) octet() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) short() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) long() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) longlong() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) shortstr() string { return string(d.take(uint64(d.octet()))) }

func (d *decoder) longstr() string { return string(d.take(uint64(d.long()))) }

func (d *decoder) timestamp() time.Time { return time.Unix(int64(d.longlong()), 0).UTC() }

func (d *decoder) table() Table {
	inner := decoder{b: d.take(uint64(d.long())), depth: d.depth + 1}
	if d.err != nil {
		return nil
	}
	if inner.depth > maxDepth {
		d.fail("tables nested deeper than %d", maxDepth)
		return nil
	}
	t := Table{}
	for len(inner.b) > 0 {
		name := inner.shortstr()
		t[name] = inner.value()
	}
	if inner.err != nil {
		d.err, d.b = inner.err, nil
		return nil
	}
	return t
}

func (d *decoder) array() []any {
	inner := decoder{b: d.take(uint64(d.long())), depth: d.depth + 1}
	if d.err != nil {
		return nil
	}
	if inner.depth > maxDepth {
		d.fail("arrays nested deeper than %d", maxDepth)
		return nil
	}
	list := []any{}
	for len(inner.b) > 0 {
		list = append(list, inner.value())
	}
	if inner.err != nil {
		d.err, d.b = inner.err, nil
		return nil
	}
	return list
}

func (d *decoder) value() any {
	switch kind := d.octet(); kind {
	case 't':
		return d.octet() != 0
	case 'b':
		return int8(d.octet())
	case 'B':
		return d.octet()
	case 's':
		return int16(d.short())
	case 'u':
		return d.short()
	case 'I':
		return int32(d.long())
	case 'i':
		return d.long()
	case 'l':
		return int64(d.longlong())
	case 'f':
		return math.Float32frombits(d.long())
	case 'd':
		return math.Float64frombits(d.longlong())
	case 'D':
		return Decimal{d.octet(), int32(d.long())}
	case 'S':
		return d.longstr()
	case 'A':
		return d.array()
	case 'T':
		return d.timestamp()
	case 'F':
		return d.table()
	case 'V':
		return nil
	case 'x':
		return slices.Clone(d.take(uint64(d.long())))
	default:
		d.fail("a field value of the unknown type %q", kind)
		return nil
	}
}

func appendShortstr(b []byte, s string) ([]byte, error) {
	if len(s) > math.MaxUint8 {
		return b, fmt.Errorf("amqp: a short string of %d bytes: it may have 255", len(s))
	}
	return append(append(b, byte(len(s))), s...), nil
}

func appendLongstr(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// sized appends what fill appends, with its size before it.
func sized(b []byte, fill func([]byte) ([]byte, error)) ([]byte, error) {
	start := len(b)
	b, err := fill(append(b, 0, 0, 0, 0))
	if err == nil {
		binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	}
	return b, err
}

// append writes the table's entries in the order of their names, so that the same table has the same bytes.
func (t Table) append(b []byte) ([]byte, error) {
	return sized(b, func(b []byte) (_ []byte, err error) {
		for _, name := range slices.Sorted(maps.Keys(t)) {
			if b, err = appendShortstr(b, name); err != nil {
				return b, err
			}
			if b, err = appendValue(b, t[name]); err != nil {
				return b, fmt.Errorf("%s: %w", name, err)
			}
		}
		return b, nil
	})
}

func appendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, 'V'), nil
	case bool:
		if v {
			return append(b, 't', 1), nil
		}
		return append(b, 't', 0), nil
	case int8:
		return append(b, 'b', byte(v)), nil
	case uint8:
		return append(b, 'B', v), nil
	case int16:
		return binary.BigEndian.AppendUint16(append(b, 's'), uint16(v)), nil
	case uint16:
		return binary.BigEndian.AppendUint16(append(b, 'u'), v), nil
	case int32:
		return binary.BigEndian.AppendUint32(append(b, 'I'), uint32(v)), nil
	case uint32:
		return binary.BigEndian.AppendUint32(append(b, 'i'), v), nil
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 'l'), uint64(v)), nil
	case float32:
		return binary.BigEndian.AppendUint32(append(b, 'f'), math.Float32bits(v)), nil
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 'd'), math.Float64bits(v)), nil
	case Decimal:
		return binary.BigEndian.AppendUint32(append(b, 'D', v.Scale), uint32(v.Value)), nil
	case string:
		return appendLongstr(append(b, 'S'), v), nil
	case []byte:
		b = binary.BigEndian.AppendUint32(append(b, 'x'), uint32(len(v)))
		return append(b, v...), nil
	case time.Time:
		return binary.BigEndian.AppendUint64(append(b, 'T'), uint64(v.Unix())), nil
	case Table:
		return v.append(append(b, 'F'))
	case []any:
		return sized(append(b, 'A'), func(b []byte) (_ []byte, err error) {
			for _, e := range v {
				if b, err = appendValue(b, e); err != nil {
					return b, err
				}
			}
			return b, nil
		})
	default:
		return b, fmt.Errorf("amqp: no field value can hold a %T", v)
	}
}

// ParseTable reads a table's entries, without the size before them: the response of SASL mechanism AMQPLAIN.
func ParseTable(entries []byte) (Table, error) {
	d := decoder{b: binary.BigEndian.AppendUint32(nil, uint32(len(entries)))}
	d.b = append(d.b, entries...)
	t := d.table()
	return t, d.err
}
