package api

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Timestamp is a moment as a member of an operation's input or output: seconds since 1970 in JSON and CBOR, with
// milliseconds as a fraction, and ISO 8601 in the query protocol. Give a field that may be missing the tag `json:",omitzero"`.
// Source: Smithy 2.0 specification, timestamp formats (checked 2026-12-01).
type Timestamp struct{ time.Time }

// At returns t as a Timestamp.
func At(t time.Time) Timestamp { return Timestamp{t} }

func (t Timestamp) seconds() float64 { return float64(t.UnixMilli()) / 1000 }

func fromSeconds(s float64) Timestamp {
	return Timestamp{time.UnixMilli(int64(math.Round(s * 1000))).UTC()}
}

// MarshalJSON implements json.Marshaler.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, t.seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler. It takes a text of ISO 8601 as well, which the AWS CLI sends to some services.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
	case float64:
		*t = fromSeconds(v)
	case string:
		return t.parse(v)
	default:
		return fmt.Errorf("%s is no timestamp", b)
	}
	return nil
}

// MarshalCBOR implements cbor.Marshaler.
func (t Timestamp) MarshalCBOR() ([]byte, error) {
	return cborEncoder.Marshal(cbor.Tag{Number: 1, Content: t.seconds()})
}

// UnmarshalCBOR implements cbor.Unmarshaler.
func (t *Timestamp) UnmarshalCBOR(b []byte) error {
	var tag cbor.RawTag
	if err := cborDecoder.Unmarshal(b, &tag); err != nil {
		return err
	}
	var s float64
	if err := cborDecoder.Unmarshal(tag.Content, &s); err != nil {
		return err
	}
	if tag.Number != 1 || math.IsNaN(s) || math.Abs(s) > 1e12 {
		return fmt.Errorf("no timestamp in seconds since 1970")
	}
	*t = fromSeconds(s)
	return nil
}

// parse reads the query protocol's form.
func (t *Timestamp) parse(s string) error {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		seconds, ferr := strconv.ParseFloat(s, 64)
		if ferr != nil || math.IsNaN(seconds) || math.Abs(seconds) > 1e12 {
			return fmt.Errorf("%q is no timestamp in ISO 8601", s)
		}
		*t = fromSeconds(seconds)
		return nil
	}
	t.Time = at.UTC()
	return nil
}

const iso8601 = "2006-01-02T15:04:05.000Z"
