package api_test

import (
	"encoding/xml"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

type value struct {
	StringValue *string
	BinaryValue []byte
}

type bareOutput struct{} // of an operation that has an output, without members

type entry struct {
	Id    string
	Delay *int32
}

type input struct {
	Name    string
	Wait    int32
	Strict  bool
	Labels  map[string]string `query:"Label,key=Name,value=Value"`
	Values  map[string]value  `query:"Value,key=Name,value=Value"`
	Names   []string          `query:"Item"`
	Entries []entry           `query:"Entry"`
	Nested  *entry
}

// echo is a service that answers with what it was asked, so that a test sees what was decoded and how it is encoded.
func echo(got *input, flat bool) *api.Service {
	return &api.Service{
		Name: "echo", TargetPrefix: "Echo", ShapePrefix: "com.example.echo", Version: "2026-01-01", Namespace: "http://echo.example/", FlatLists: flat,
		Log: slog.New(slog.DiscardHandler),
		Operations: api.Operations{
			"Echo": api.Op(func(_ *api.Call, in *input) (*input, error) { *got = *in; return in, nil }),
			"Gone": api.Op(func(_ *api.Call, _ *struct{}) (*struct{}, error) {
				return nil, &api.Error{Code: "QueueDoesNotExist", QueryCode: "AWS.NonExistentQueue", Message: `no <queue> "here"`}
			}),
			"Fail": api.Op(func(_ *api.Call, _ *struct{}) (*struct{}, error) { return nil, errors.New("disk on fire") }),
			"Void": api.Op(func(_ *api.Call, _ *struct{}) (*struct{}, error) { return &struct{}{}, nil }),
			"Bare": api.Op(func(_ *api.Call, _ *struct{}) (*bareOutput, error) { return &bareOutput{}, nil }),
		},
	}
}

func ask(t *testing.T, s *api.Service, action string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeQuery(w, &api.Call{Context: t.Context(), Action: action, RequestID: "r-1", Protocol: api.Query}, form)
	return w
}

func ptr[T any](v T) *T { return &v }

func TestQueryRequestsAreDecoded(t *testing.T) {
	for name, test := range map[string]struct {
		flat bool
		form string
		want input
	}{
		"scalars": {
			form: "Name=orders&Wait=20&Strict=true",
			want: input{Name: "orders", Wait: 20, Strict: true},
		},
		"wrapped lists and maps": {
			form: "Item.member.1=a&Item.member.2=b&Label.entry.1.Name=k&Label.entry.1.Value=v&Entry.member.1.Id=x&Entry.member.1.Delay=0",
			want: input{Names: []string{"a", "b"}, Labels: map[string]string{"k": "v"}, Entries: []entry{{Id: "x", Delay: ptr(int32(0))}}},
		},
		"flat lists and maps": {
			flat: true,
			form: "Item.1=a&Item.2=b&Label.1.Name=k&Label.1.Value=v&Value.1.Name=n&Value.1.Value.BinaryValue=YQ%3D%3D",
			want: input{Names: []string{"a", "b"}, Labels: map[string]string{"k": "v"}, Values: map[string]value{"n": {BinaryValue: []byte("a")}}},
		},
		"more than nine entries keep their order": {
			flat: true,
			form: "Item.10=j&Item.1=a&Item.2=b&Item.3=c&Item.4=d&Item.5=e&Item.6=f&Item.7=g&Item.8=h&Item.9=i",
			want: input{Names: strings.Split("abcdefghij", "")},
		},
		"an absent structure stays nil":               {form: "Name=x", want: input{Name: "x"}},
		"a structure is there when one member is":     {form: "Nested.Id=y", want: input{Nested: &entry{Id: "y"}}},
		"an empty string is not an absent one":        {flat: true, form: "Value.1.Name=n&Value.1.Value.StringValue=", want: input{Values: map[string]value{"n": {StringValue: ptr("")}}}},
		"keys that the operation lacks are ignored":   {form: "Name=x&Colour=red", want: input{Name: "x"}},
		"a list that does not start at 1 is empty":    {flat: true, form: "Item.2=b", want: input{}},
		"a huge index costs nothing and means little": {flat: true, form: "Item.999999999999=b", want: input{}},
	} {
		t.Run(name, func(t *testing.T) {
			form, err := url.ParseQuery(test.form)
			if err != nil {
				t.Fatal(err)
			}
			var got input
			if w := ask(t, echo(&got, test.flat), "Echo", form); w.Code != http.StatusOK {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQueryRequestsThatCannotBeReadAreTheSendersFault(t *testing.T) {
	for name, form := range map[string]string{
		"a word for a number":    "Wait=soon",
		"a number that overruns": "Wait=3000000000",
		"a word for a bool":      "Strict=perhaps",
		"broken base64":          "Value.1.Name=n&Value.1.Value.BinaryValue=%25%25",
	} {
		t.Run(name, func(t *testing.T) {
			values, err := url.ParseQuery(form)
			if err != nil {
				t.Fatal(err)
			}
			var got input
			w := ask(t, echo(&got, true), "Echo", values)
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "<Code>MalformedInput</Code>") {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
		})
	}
}

func TestQueryAnswersAreXML(t *testing.T) {
	in := input{Name: "a<b>&\"c\"", Names: []string{"x", "y"}, Labels: map[string]string{"k2": "v2", "k1": "v1"}, Entries: []entry{{Id: "1"}}}
	encode := func(flat bool) string {
		s := echo(&input{}, flat)
		s.Operations["Echo"] = api.Op(func(*api.Call, *struct{}) (*input, error) { return &in, nil })
		return ask(t, s, "Echo", nil).Body.String()
	}
	wrapped, flat := encode(false), encode(true)
	for text, want := range map[string]string{
		wrapped: "<Item><member>x</member><member>y</member></Item>",
		flat:    "<Item>x</Item><Item>y</Item>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %s in %s", want, text)
		}
		if err := xml.Unmarshal([]byte(text), &struct{}{}); err != nil {
			t.Errorf("not XML: %v in %s", err, text)
		}
	}
	if want := "<Label><Name>k1</Name><Value>v1</Value></Label><Label><Name>k2</Name>"; !strings.Contains(flat, want) {
		t.Errorf("want %s in %s", want, flat)
	}
	if want := "<Label><entry><Name>k1</Name><Value>v1</Value></entry>"; !strings.Contains(wrapped, want) {
		t.Errorf("want %s in %s", want, wrapped)
	}
	if got := ask(t, echo(&input{}, false), "Void", nil).Body.String(); strings.Contains(got, "VoidResult") || !strings.Contains(got, "<RequestId>r-1</RequestId>") {
		t.Errorf("an operation without output answered %s", got)
	}
	if got := ask(t, echo(&input{}, false), "Bare", nil).Body.String(); !strings.Contains(got, "<BareResult></BareResult>") {
		t.Errorf("an operation whose output has no members answered %s", got)
	}
}

func TestErrorsCarryTheServicesCodeInBothProtocols(t *testing.T) {
	s := echo(&input{}, true)
	w := ask(t, s, "Gone", nil)
	if got := w.Body.String(); w.Code != 400 || !strings.Contains(got, "<Type>Sender</Type><Code>AWS.NonExistentQueue</Code><Message>no &lt;queue&gt;") {
		t.Errorf("query: %d %s", w.Code, got)
	}
	w = httptest.NewRecorder()
	s.ServeJSON(w, &api.Call{Context: t.Context(), Action: "Gone"}, nil)
	if got := w.Body.String(); w.Code != 400 || !strings.Contains(got, `"__type":"com.example.echo#QueueDoesNotExist"`) || w.Header().Get("X-Amzn-Query-Error") != "AWS.NonExistentQueue;Sender" {
		t.Errorf("JSON: %d %s %v", w.Code, got, w.Header())
	}
}

func TestAFailureOfOursShowsNoInnerText(t *testing.T) {
	var log strings.Builder
	s := echo(&input{}, true)
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	w := ask(t, s, "Fail", nil)
	if w.Code != 500 || strings.Contains(w.Body.String(), "fire") || !strings.Contains(w.Body.String(), "<Code>InternalFailure</Code>") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "disk on fire") {
		t.Errorf("the log has only %q", log.String())
	}
}

func TestUnknownOperationsAreAnErrorAndAreLogged(t *testing.T) {
	var log strings.Builder
	s := echo(&input{}, true)
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	if w := ask(t, s, "Dance", nil); w.Code != 400 || !strings.Contains(w.Body.String(), "<Code>InvalidAction</Code>") {
		t.Errorf("query: %d %s", w.Code, w.Body)
	}
	w := httptest.NewRecorder()
	s.ServeJSON(w, &api.Call{Context: t.Context(), Action: "Dance"}, nil)
	if w.Code != 404 || !strings.Contains(w.Body.String(), "UnknownOperationException") {
		t.Errorf("JSON: %d %s", w.Code, w.Body)
	}
	if n := strings.Count(log.String(), "operation=Dance"); n != 2 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("Name=orders&Item.1=a&Label.1.Name=k&Label.1.Value=v", true)
	f.Add("Item.member.1=a&Entry.member.1.Delay=1&Nested.Id=x&Value.entry.1.Name=n", false)
	f.Fuzz(func(t *testing.T, text string, flat bool) {
		form, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		var got input
		w := ask(t, echo(&got, flat), "Echo", form)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("status %d for %q", w.Code, text)
		}
	})
}
