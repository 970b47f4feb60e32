package amqp_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// The bytes were worked out by hand from the specification, so that a mistake in reading does not hide one in writing.
func TestMethodsOnTheWire(t *testing.T) {
	for name, tc := range map[string]struct {
		method amqp.Method
		bytes  string // of the payload
	}{
		"numbers":                  {amqp.ConnectionTune{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}, "000a 001e 07ff 00020000 003c"},
		"no arguments":             {amqp.ConnectionCloseOk{}, "000a 0033"},
		"bits share an octet":      {amqp.QueueDelete{Queue: "q", IfUnused: true, NoWait: true}, "0032 0028 0000 0171 05"},
		"five bits":                {amqp.QueueDeclare{Queue: "q", Durable: true, AutoDelete: true}, "0032 000a 0000 0171 0a 00000000"},
		"a publication":            {amqp.BasicPublish{Exchange: "ex", RoutingKey: "k", Mandatory: true}, "003c 0028 0000 026578 016b 01"},
		"a delivery":               {amqp.BasicDeliver{ConsumerTag: "c", DeliveryTag: 1, Redelivered: true, RoutingKey: "k"}, "003c 003c 0163 0000000000000001 01 00 016b"},
		"an acknowledgement":       {amqp.BasicAck{DeliveryTag: 258, Multiple: true}, "003c 0050 0000000000000102 01"},
		"long strings":             {amqp.ConnectionSecureOk{Response: "ab"}, "000a 0015 00000002 6162"},
		"a table":                  {amqp.ExchangeDeclare{Exchange: "e", Type: "t", Arguments: amqp.Table{"a": true}}, "0028 000a 0000 0165 0174 00 00000004 0161 74 01"},
		"exchange.unbind-ok is 51": {amqp.ExchangeUnbindOk{}, "0028 0033"},
		"a rejection with requeue": {amqp.BasicNack{DeliveryTag: 1, Requeue: true}, "003c 0078 0000000000000001 02"},
	} {
		t.Run(name, func(t *testing.T) {
			frame, err := amqp.AppendMethod(nil, 3, tc.method)
			if err != nil {
				t.Fatal(err)
			}
			want := unhex(tc.bytes)
			if got := frame[7 : len(frame)-1]; !bytes.Equal(got, want) {
				t.Errorf("written %x\n   want %x", got, want)
			}
			read := tc.method
			switch m := read.(type) { // an empty table is there on the wire
			case amqp.QueueDeclare:
				m.Arguments = amqp.Table{}
				read = m
			}
			m, err := amqp.ParseMethod(want)
			if err != nil || cmp.Diff(read, m) != "" {
				t.Errorf("read %+v, %v", m, err)
			}
		})
	}
}

func TestFieldValuesOnTheWire(t *testing.T) {
	for name, tc := range map[string]struct {
		value any
		bytes string
	}{
		"bool": {true, "74 01"}, "int8": {int8(-2), "62 fe"}, "uint8": {uint8(254), "42 fe"},
		"int16": {int16(-2), "73 fffe"}, "uint16": {uint16(258), "75 0102"},
		"int32": {int32(-2), "49 fffffffe"}, "uint32": {uint32(258), "69 00000102"}, "int64": {int64(-2), "6c fffffffffffffffe"},
		"float32": {float32(1), "66 3f800000"}, "float64": {float64(1), "64 3ff0000000000000"},
		"decimal": {amqp.Decimal{Scale: 2, Value: 314}, "44 02 0000013a"},
		"string":  {"hé", "53 00000003 68c3a9"}, "bytes": {[]byte{0, 1}, "78 00000002 0001"},
		"time": {time.Unix(258, 0).UTC(), "54 0000000000000102"}, "nothing": {nil, "56"},
		"table": {amqp.Table{"b": nil, "a": int8(1)}, "46 00000007 0161 6201 0162 56"},
		"array": {[]any{"a", true}, "41 00000008 53 00000001 61 7401"},
	} {
		t.Run(name, func(t *testing.T) {
			m := amqp.ExchangeDeclare{Arguments: amqp.Table{"v": tc.value}}
			frame, err := amqp.AppendMethod(nil, 1, m)
			if err != nil {
				t.Fatal(err)
			}
			table := frame[7+4+2+1+1+1 : len(frame)-1]
			if want := append([]byte{0, 0, 0, byte(len(unhex(tc.bytes)) + 2), 1, 'v'}, unhex(tc.bytes)...); !bytes.Equal(table, want) {
				t.Errorf("written %x\n   want %x", table, want)
			}
			got, err := amqp.ParseMethod(frame[7 : len(frame)-1])
			if err != nil || cmp.Diff(m, got) != "" {
				t.Errorf("read %+v, %v", got, err)
			}
		})
	}
	t.Run("what no type fits is an error", func(t *testing.T) {
		if _, err := amqp.AppendMethod(nil, 1, amqp.ExchangeDeclare{Arguments: amqp.Table{"v": struct{}{}}}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a short string of over 255 bytes is an error", func(t *testing.T) {
		if _, err := amqp.AppendMethod(nil, 1, amqp.BasicCancel{ConsumerTag: strings.Repeat("x", 256)}); err == nil {
			t.Error("no error")
		}
	})
}

func TestContent(t *testing.T) {
	high, at := uint8(0), time.Unix(1764570000, 0).UTC()
	full := amqp.Properties{
		ContentType: "text/plain", ContentEncoding: "gzip", Headers: amqp.Table{"x": int32(1)}, DeliveryMode: 2, Priority: &high, CorrelationID: "c", ReplyTo: "r",
		Expiration: "60000", MessageID: "m", Timestamp: &at, Type: "t", UserID: "guest", AppID: "a", ClusterID: "k",
	}
	for name, tc := range map[string]struct {
		properties amqp.Properties
		body       string
		max        uint32
		pieces     int
	}{
		"every property":             {full, "hello", 4096, 1},
		"none":                       {amqp.Properties{}, "hello", 4096, 1},
		"an empty body has no frame": {amqp.Properties{}, "", 4096, 0},
		"a body that just fits":      {amqp.Properties{}, strings.Repeat("x", 4088), 4096, 1},
		"a body that just does not":  {amqp.Properties{}, strings.Repeat("x", 4089), 4096, 2},
		"no limit":                   {amqp.Properties{}, strings.Repeat("x", 1<<20), 0, 1},
		"a reader's buffer grows with what comes": {amqp.Properties{}, strings.Repeat("x", 5<<20), 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := amqp.AppendContent(nil, 7, tc.properties, []byte(tc.body), tc.max)
			if err != nil {
				t.Fatal(err)
			}
			r := amqp.NewReader(iotest.HalfReader(bytes.NewReader(b)), tc.max)
			head, err := r.Next()
			if err != nil || head.Type != amqp.FrameHeader || head.Channel != 7 {
				t.Fatal(head, err)
			}
			p, size, err := amqp.ParseHeader(head.Payload)
			if err != nil || size != uint64(len(tc.body)) || cmp.Diff(tc.properties, p) != "" {
				t.Errorf("read %+v, %d, %v", p, size, err)
			}
			var body []byte
			for range tc.pieces {
				f, err := r.Next()
				if err != nil || f.Type != amqp.FrameBody {
					t.Fatal(f.Type, err)
				}
				body = append(body, f.Payload...)
			}
			if string(body) != tc.body {
				t.Errorf("a body of %d bytes came as %d", len(tc.body), len(body))
			}
			if _, err := r.Next(); err != io.EOF {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func TestMalformedFrames(t *testing.T) {
	for name, tc := range map[string]struct {
		bytes string
		want  string
	}{
		"an unknown type":                  {"04 0000 00000000 ce", "unknown frame type 4"},
		"another end":                      {"08 0000 00000000 cd", "ends with 0xcd"},
		"too large":                        {"03 0001 00001000 00", "larger than negotiated"},
		"the largest size there is":        {"03 0001 ffffffff 00", "larger than negotiated"},
		"cut off in its head":              {"08 0000", "unexpected EOF"},
		"cut off in its payload":           {"03 0001 00000004 00", "unexpected EOF"},
		"cut off before its end":           {"03 0001 00000001 00", "unexpected EOF"},
		"what a client of HTTP would send": {hex.EncodeToString([]byte("GET / HTTP/1.1\r\n")), "unknown frame type 71"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := amqp.NewReader(bytes.NewReader(unhex(tc.bytes)), 4096).Next()
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
	t.Run("an announced size alone takes no memory", func(t *testing.T) {
		allocated := testing.AllocsPerRun(1, func() {
			_, _ = amqp.NewReader(bytes.NewReader(unhex("03 0001 f0000000 00")), 0).Next()
		})
		if allocated > 20 {
			t.Errorf("%v allocations", allocated)
		}
	})
}

func TestMalformedMethods(t *testing.T) {
	deep := strings.Repeat("\x00\x00\x00\xff\x01aF", 100)
	for name, payload := range map[string]string{
		"nothing":                        "",
		"half an id":                     "\x00\x0a",
		"no arguments where some belong": "\x00\x0a\x00\x1e",
		"more bytes than arguments":      "\x00\x0a\x00\x33\x00",
		"a string longer than the rest":  "\x00\x3c\x00\x1e\xffabc",
		"a table longer than the rest":   "\x00\x0a\x00\x0b\x00\x00\xff\xff",
		"an unknown type of value":       "\x00\x0a\x00\x0b\x00\x00\x00\x03\x01a?",
		"tables nested without end":      "\x00\x0a\x00\x0b" + deep,
	} {
		t.Run(name, func(t *testing.T) {
			m, err := amqp.ParseMethod([]byte(payload))
			var syntax *amqp.SyntaxError
			if !errors.As(err, &syntax) {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
	t.Run("an unknown method says which", func(t *testing.T) {
		var unknown *amqp.UnknownMethodError
		if _, err := amqp.ParseMethod([]byte("\x00\x3c\x00\xff")); !errors.As(err, &unknown) || unknown.ID != (amqp.ID{Class: 60, Method: 255}) {
			t.Error(err)
		}
	})
}

func TestTablesSurviveTheWire(t *testing.T) {
	var values *rapid.Generator[any]
	leaf := rapid.OneOf(
		rapid.Bool().AsAny(), rapid.Int8().AsAny(), rapid.Uint8().AsAny(), rapid.Int16().AsAny(), rapid.Uint16().AsAny(), rapid.Int32().AsAny(), rapid.Uint32().AsAny(),
		rapid.Int64().AsAny(), rapid.Float32().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny(), rapid.Just[any](nil),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) []byte { return append([]byte{}, b...) }).AsAny(),
		rapid.Map(rapid.Int64Range(-1<<40, 1<<40), func(s int64) time.Time { return time.Unix(s, 0).UTC() }).AsAny(),
	)
	values = rapid.OneOf(leaf, rapid.Map(rapid.MapOfN(rapid.StringN(0, 20, 60), leaf, 0, 4), func(m map[string]any) amqp.Table { return m }).AsAny(),
		rapid.Map(rapid.SliceOfN(leaf, 0, 4), func(s []any) []any { return append([]any{}, s...) }).AsAny())
	rapid.Check(t, func(t *rapid.T) {
		table := amqp.Table(rapid.MapOfN(rapid.StringN(0, 20, 60), values, 0, 6).Draw(t, "table"))
		frame, err := amqp.AppendMethod(nil, 1, amqp.QueueBind{Arguments: table})
		if err != nil {
			t.Fatal(err)
		}
		m, err := amqp.ParseMethod(frame[7 : len(frame)-1])
		if err != nil {
			t.Fatal(err)
		}
		equal := cmp.Comparer(func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
		equal32 := cmp.Comparer(func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
		if d := cmp.Diff(amqp.QueueBind{Arguments: table}, m, equal, equal32); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzFrames(f *testing.F) {
	for _, m := range []amqp.Method{
		amqp.ConnectionStartOk{ClientProperties: amqp.Table{"capabilities": amqp.Table{"basic.nack": true}}, Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"},
		amqp.QueueDeclare{Queue: "q", Arguments: amqp.Table{"x-max-length": int64(5), "x-list": []any{"a", nil, amqp.Decimal{Scale: 1, Value: 2}}}},
		amqp.BasicPublish{Exchange: "e", RoutingKey: "k"},
	} {
		b, err := amqp.AppendMethod(nil, 1, m)
		if err != nil {
			f.Fatal(err)
		}
		b, err = amqp.AppendContent(b, 1, amqp.Properties{ContentType: "a", Headers: amqp.Table{"t": time.Unix(1, 0)}}, []byte("body"), 4096)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(amqp.AppendHeartbeat(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := amqp.NewReader(bytes.NewReader(b), 1<<16)
		for {
			frame, err := r.Next()
			if err != nil {
				return
			}
			switch frame.Type {
			case amqp.FrameMethod:
				m, err := amqp.ParseMethod(frame.Payload)
				if err != nil {
					continue
				}
				again, err := amqp.AppendMethod(nil, frame.Channel, m)
				if err != nil {
					t.Fatalf("%+v was read and cannot be written: %v", m, err)
				}
				if _, err := amqp.ParseMethod(again[7 : len(again)-1]); err != nil {
					t.Fatalf("%+v was written and cannot be read: %v", m, err)
				}
			case amqp.FrameHeader:
				p, size, err := amqp.ParseHeader(frame.Payload)
				if err == nil && size < 1<<10 {
					if _, err := amqp.AppendContent(nil, frame.Channel, p, make([]byte, size), 4096); err != nil {
						t.Fatalf("%+v was read and cannot be written: %v", p, err)
					}
				}
			}
		}
	})
}
