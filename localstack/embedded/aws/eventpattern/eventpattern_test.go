package eventpattern_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/eventpattern"
)

func TestPatternMatchesBody(t *testing.T) {
	tests := []struct {
		name, pattern string
		match, differ []string
	}{
		{"an empty pattern matches everything", `{}`, []string{`{}`, `{"a":1}`}, nil},
		{"a string matches exactly and by case", `{"a":["red","blue"]}`, []string{`{"a":"red"}`, `{"a":"blue","b":1}`}, []string{`{"a":"Red"}`, `{"a":"re"}`, `{}`}},
		{"a number matches a number, however it is written", `{"a":[301.5]}`, []string{`{"a":3.015e2}`, `{"a":301.50}`}, []string{`{"a":"301.5"}`, `{"a":301.6}`}},
		{"numbers are told apart to five digits after the point", `{"a":[1]}`, []string{`{"a":1.000001}`}, []string{`{"a":1.00001}`}},
		{"true, false and null match themselves only", `{"a":[true,null]}`, []string{`{"a":true}`, `{"a":null}`}, []string{`{"a":false}`, `{"a":"true"}`, `{}`}},
		{"all fields must match", `{"a":["x"],"b":["y"]}`, []string{`{"a":"x","b":"y"}`}, []string{`{"a":"x"}`, `{"a":"x","b":"z"}`}},
		{"one element of an array is enough", `{"a":["x"]}`, []string{`{"a":["w","x"]}`, `{"a":[["x"]]}`}, []string{`{"a":[]}`, `{"a":["w"]}`}},
		{"prefix", `{"a":[{"prefix":"auto-"}]}`, []string{`{"a":"auto-1"}`, `{"a":"auto-"}`}, []string{`{"a":"Auto-1"}`, `{"a":"1-auto-"}`, `{"a":1}`, `{}`}},
		{"suffix", `{"a":[{"suffix":".png"}]}`, []string{`{"a":"x.png"}`}, []string{`{"a":"x.PNG"}`, `{"a":".png.gif"}`}},
		{"equals-ignore-case", `{"a":[{"equals-ignore-case":"Tennis"}]}`, []string{`{"a":"TENNIS"}`, `{"a":"tennis"}`}, []string{`{"a":"tenni"}`}},
		{"anything-but rules one value out", `{"a":[{"anything-but":"x"}]}`, []string{`{"a":"y"}`, `{"a":1}`, `{"a":null}`, `{"a":["x","y"]}`}, []string{`{"a":"x"}`, `{"a":["x"]}`}},
		{"anything-but does not match a missing field", `{"a":[{"anything-but":"x"}]}`, nil, []string{`{}`, `{"b":"y"}`, `{"a":[]}`}},
		{"anything-but rules out a list of numbers", `{"a":[{"anything-but":[100,500]}]}`, []string{`{"a":101}`, `{"a":100.1}`}, []string{`{"a":100}`, `{"a":5e2}`}},
		{"anything-but rules out a prefix", `{"a":[{"anything-but":{"prefix":"order-"}}]}`, []string{`{"a":"data-1"}`}, []string{`{"a":"order-1"}`, `{}`}},
		{"anything-but or missing", `{"a":[{"anything-but":"x"},{"exists":false}]}`, []string{`{}`, `{"a":"y"}`}, []string{`{"a":"x"}`}},
		{"numeric equality", `{"a":[{"numeric":["=",301.5]}]}`, []string{`{"a":301.5}`}, []string{`{"a":301}`, `{"a":"301.5"}`}},
		{"numeric range, open below and closed above", `{"a":[{"numeric":[">",0,"<=",150]}]}`, []string{`{"a":150}`, `{"a":0.5}`}, []string{`{"a":0}`, `{"a":150.1}`, `{"a":-1}`}},
		{"numeric with one bound", `{"a":[{"numeric":["<",10]}]}`, []string{`{"a":9}`, `{"a":-1e9}`}, []string{`{"a":10}`}},
		{"exists wants a value that is neither null nor empty", `{"a":[{"exists":true}]}`, []string{`{"a":"x"}`, `{"a":0}`, `{"a":false}`, `{"a":[null,1]}`}, []string{`{}`, `{"a":null}`, `{"a":""}`, `{"a":[]}`}},
		{"exists works on leaves only", `{"a":[{"exists":true}]}`, nil, []string{`{"a":{"b":1}}`}},
		{"exists false wants the field to be absent", `{"a":[{"exists":false}]}`, []string{`{}`, `{"b":1}`, `{"a":{"b":1}}`}, []string{`{"a":"x"}`, `{"a":null}`}},
		{"cidr of IPv4", `{"ip":[{"cidr":"10.0.0.0/24"}]}`, []string{`{"ip":"10.0.0.255"}`}, []string{`{"ip":"10.0.1.0"}`, `{"ip":"no address"}`, `{}`}},
		{"cidr of IPv6", `{"ip":[{"cidr":"2001:db8::/32"}]}`, []string{`{"ip":"2001:db8::1"}`}, []string{`{"ip":"2001:db9::1"}`, `{"ip":"10.0.0.1"}`}},
		{"nested fields", `{"o":{"k":[{"prefix":"a-"}],"n":[{"exists":false}]},"t":[{"exists":false}]}`, []string{`{"o":{"k":"a-1"}}`}, []string{`{"o":{"k":"b"}}`, `{"o":{"k":"a-1","n":1}}`, `{"o":{"k":"a-1"},"t":1}`, `{"k":"a-1"}`}},
		{"a dot in a name is the same as nesting", `{"a.b.c":["x"]}`, []string{`{"a":{"b":{"c":"x"}}}`, `{"a.b":{"c":"x"}}`, `{"a":{"b.c":"x"}}`}, []string{`{"a":{"b":"x"}}`}},
		{"fields within an array of objects", `{"Records":{"s3":{"key":[{"prefix":"a-"}]},"name":["Put"]}}`, []string{`{"Records":[{"name":"Put","s3":[[{"key":"a-1"}]]},{"name":"Delete","s3":{"key":"b"}}]}`}, []string{`{"Records":[{"name":"Delete","s3":{"key":"a-1"}}]}`}},
		{"$or takes one of its objects", `{"s":["x"],"$or":[{"m":[1,2]},{"n":["y"]}]}`, []string{`{"s":"x","m":2}`, `{"s":"x","n":"y"}`}, []string{`{"s":"x"}`, `{"m":1}`, `{"s":"x","m":3,"n":"z"}`}},
		{"$or within an object and within an $or", `{"d":{"$or":[{"a":[1]},{"b":[2],"$or":[{"c":[3]},{"e":[4]}]}]}}`, []string{`{"d":{"a":1}}`, `{"d":{"b":2,"e":4}}`}, []string{`{"d":{"b":2}}`, `{"a":1}`, `{"d":{"c":3}}`}},
		{"$or is a field's name if its value is no list of objects", `{"$or":["x","y"]}`, []string{`{"$or":"x"}`}, []string{`{}`}},
		{"$or is a field's name if its objects use operators", `{"$or":[{"prefix":"x"},{"suffix":"y"}]}`, []string{`{"$or":"x1"}`, `{"$or":"1y"}`}, []string{`{"$or":"z"}`}},
		{"of keys that repeat the last one counts", `{"a":["x"],"a":["y"]}`, []string{`{"a":"y"}`}, []string{`{"a":"x"}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := eventpattern.Parse(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			check := func(body string, want bool) {
				f, ok := eventpattern.Body(body)
				if !ok {
					t.Fatalf("%s is no body", body)
				}
				if got := p.Match(f); got != want {
					t.Errorf("%s on %s: match is %t, want %t", tt.pattern, body, got, want)
				}
			}
			for _, body := range tt.match {
				check(body, true)
			}
			for _, body := range tt.differ {
				check(body, false)
			}
		})
	}
}

func TestBodyIsAnObject(t *testing.T) {
	for _, s := range []string{``, `text`, `"text"`, `1`, `[{"a":1}]`, `null`, `{"a":1} x`, `{"a":`, `{"a":1}{"b":2}`, strings.Repeat(`{"a":`, 2000) + `1` + strings.Repeat(`}`, 2000)} {
		if _, ok := eventpattern.Body(s); ok {
			t.Errorf("%.40q is taken for a body", s)
		}
	}
}

func TestAttributeArrayPassesAnythingButOnlyAsAWhole(t *testing.T) {
	p, err := eventpattern.Parse(`{"a":[{"anything-but":["rugby","tennis"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for array, want := range map[string]bool{`["baseball"]`: true, `["rugby","baseball"]`: false, `["rugby"]`: false, `[]`: false} {
		list, ok := eventpattern.Elements(array)
		if !ok {
			t.Fatalf("%s is no array", array)
		}
		if got := p.Match(eventpattern.Fields{"a": {List: list, Attribute: true}}); got != want {
			t.Errorf("attribute %s: match is %t, want %t", array, got, want)
		}
	}
}

// The messages are those of recordings of the service of 2024-05-14.
func TestParseRefuses(t *testing.T) {
	tests := []struct{ pattern, want string }{
		{`{"key":"value"}`, `"key" must be an object or an array`},
		{`{"key":{"suffix":"value"}}`, `"suffix" must be an object or an array`},
		{`{"key":[]}`, `Empty arrays are not allowed`},
		{`{"key":{}}`, `Empty objects are not allowed`},
		{`{"key":[["value"]]}`, `Match value must be String, number, true, false, or null`},
		{`{"key":[{"wrong-operator":true}]}`, `Unrecognized match type wrong-operator`},
		{`{"$or":[{"key":["alone"]}]}`, `Unrecognized match type key`},
		{`{"key":[{"wildcard":"*"}]}`, `Unrecognized match type wildcard`},
		{`{"key":[{"suffix":"value","prefix":"value2"}]}`, `Only one key allowed in match expression`},
		{`{"key":[{"suffix":100}]}`, `suffix match pattern must be a string`},
		{`{"key":[{"suffix":["test"]}]}`, `suffix match pattern must be a string`},
		{`{"key":[{"equals-ignore-case":null}]}`, `equals-ignore-case match pattern must be a string`},
		{`{"key":[{"exists":null}]}`, `exists match pattern must be either true or false.`},
		{`{"key":[{"anything-but":{"wrong-operator":null}}]}`, `Unsupported anything-but pattern: wrong-operator`},
		{`{"key":[{"anything-but":{"suffix":"test"}}]}`, `Unsupported anything-but pattern: suffix`},
		{`{"key":[{"anything-but":{"prefix":false}}]}`, `prefix match pattern must be a string`},
		{`{"key":[{"anything-but":["a",1]}]}`, `Inside anything but list, either all values are number or string, mixed type is not supported`},
		{`{"key":[{"anything-but":null}]}`, `Value of anything-but must be an array or single string/number value.`},
		{`{"key":[{"numeric":[]}]}`, `Invalid member in numeric match: ]`},
		{`{"key":[{"numeric":["operator"]}]}`, `Unrecognized numeric range operator: operator`},
		{`{"key":[{"numeric":[1,"<="]}]}`, `Invalid member in numeric match: 1`},
		{`{"key":[{"numeric":["=","000"]}]}`, `Value of equals must be numeric`},
		{`{"key":[{"numeric":[">="]}]}`, `Value of >= must be numeric`},
		{`{"key":[{"numeric":["<",100,">",10]}]}`, `Too many elements in numeric expression`},
		{`{"key":[{"numeric":[">=",1,">",2]}]}`, `Bad numeric range operator: >`},
		{`{"key":[{"numeric":[">",3,"<",1]}]}`, `Bottom must be less than top`},
		{`{"key":[{"numeric":[">",20,"<="]}]}`, `Value of <= must be numeric`},
		{`{"key":[{"numeric":[">",20,30]}]}`, `Bad value in numeric range: 30`},
		{`{"key":[{"numeric":[">",20,"test"]}]}`, `Bad numeric range operator: test`},
		{`{"key":[{"numeric":[">",20,"<","30"]}]}`, `Value of < must be numeric`},
		{`{"key":[{"numeric":[">",20,"<",30,"<",50]}]}`, `Too many terms in numeric range expression`},
		{`{"key":[{"cidr":"10.0.0.1"}]}`, `Malformed CIDR, one '/' required`},
		{`{"key":[{"cidr":"10.0.0.1/x"}]}`, `Malformed CIDR, mask bits must be an integer`},
		{`{"key":[{"cidr":"10.0.0/8"}]}`, `Nonstandard IP address: 10.0.0`},
		{`{"key":[{"cidr":8}]}`, `prefix match pattern must be a string`},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			_, err := eventpattern.Parse(tt.pattern)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error is %v, want %s", err, tt.want)
			}
		})
	}
	for _, text := range []string{``, `{`, `[]`, `"a"`, `{"a":["x"]} trailing`, `invalid`} {
		t.Run("no JSON object: "+text, func(t *testing.T) {
			_, err := eventpattern.Parse(text)
			var j *eventpattern.JSONError
			if !errors.As(err, &j) {
				t.Errorf("error is %v, want a JSONError", err)
			}
		})
	}
}

func TestComplexity(t *testing.T) {
	tests := []struct {
		name, pattern      string
		keys, combinations int
		nested             bool
	}{
		{"the lists of a flat pattern multiply", `{"a":[1,2,3],"b":[1],"c":[1,2]}`, 3, 6, false},
		{"a list counts times its depth", `{"a":{"b":{"c":[1,2,3,4]}},"d":{"e":[1,2,3]},"f":[1,2,3]}`, 3, 216, true},
		{"the alternatives of $or add up", `{"$or":[{"m":[1,2,3]},{"n":[1,2]}],"d":{"s":[1,2],"$or":[{"x":[1]},{"t":[1,2,3]}]}}`, 5, 160, true},
		{"$or within $or", `{"s":[1,2,3],"$or":[{"m":[1,2,3,4,5,6]},{"t":[1,2,3,4],"$or":[{"i":[1,2,3,4]},{"p":[1,2,3,4,5,6,7]}]}]}`, 5, 150, false},
		{"an empty pattern", `{}`, 0, 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := eventpattern.Parse(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if p.Keys() != tt.keys || p.Combinations() != tt.combinations || p.Nested() != tt.nested {
				t.Errorf("keys %d, combinations %d, nested %t; want %d, %d, %t", p.Keys(), p.Combinations(), p.Nested(), tt.keys, tt.combinations, tt.nested)
			}
		})
	}
}

func FuzzParseAndMatch(f *testing.F) {
	f.Add(`{"a":["x",1,true,null,{"prefix":"p"},{"numeric":[">",0,"<=",5]}]}`, `{"a":["x",{"b":1}]}`)
	f.Add(`{"$or":[{"a":[{"exists":false}]},{"b":{"c":[{"anything-but":["x"]}]}}]}`, `{"b":[{"c":"y"}]}`)
	f.Add(`{"ip":[{"cidr":"10.0.0.0/8"}],"n":[{"anything-but":{"prefix":"x"}}]}`, `{"ip":"10.1.1.1","n":null}`)
	f.Add(`{"a.b":[{"equals-ignore-case":"İ"}],"c":[{"suffix":""}]}`, `{"a":{"b":"i"},"c":""}`)
	f.Fuzz(func(t *testing.T, pattern, body string) {
		p, err := eventpattern.Parse(pattern)
		if err != nil {
			if p != nil {
				t.Error("a pattern beside an error")
			}
			return
		}
		if fields, ok := eventpattern.Body(body); ok {
			first := p.Match(fields)
			if second := p.Match(fields); second != first {
				t.Error("the same message matched once and once not")
			}
		}
		if list, ok := eventpattern.Elements(body); ok {
			p.Match(eventpattern.Fields{"a": {List: list, Attribute: true}})
		}
		if p.Combinations() < 1 || p.Combinations() > 1<<30 {
			t.Errorf("%d combinations", p.Combinations())
		}
	})
}

func BenchmarkMatchBody(b *testing.B) {
	p, err := eventpattern.Parse(`{"store":["example"],"price":[{"numeric":[">=",100]}],"$or":[{"city":["Kyiv"]},{"urgent":[true]}]}`)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f, _ := eventpattern.Body(`{"store":"example","price":120.5,"city":"Lviv","urgent":true,"items":[{"sku":"a","n":1},{"sku":"b","n":2}]}`)
		if !p.Match(f) {
			b.Fatal("no match")
		}
	}
}
