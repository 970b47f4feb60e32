package ssm_test

import (
	"context"
	"errors"
	"testing"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/ssm"
)

// FuzzName puts a parameter of any name: what is taken is found under its name and its ARN, and what is not is an error of the service.
func FuzzName(f *testing.F) {
	for _, name := range []string{"plain", "/a/b", "a/b", "arn:aws:ssm:us-east-1:000000000000:parameter/a", "a:1", "/aws/x", "", "/", "//", "/a/"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s := ssm.New(ssm.Options{})
		defer s.Close()
		call := func(action string) *api.Call {
			return &api.Call{Context: context.Background(), Account: "000000000000", Region: "us-east-1", Action: action}
		}
		err := s.API().Invoke(call("PutParameter"), map[string]string{"Name": name, "Value": "v", "Type": "String"}, nil)
		var e *api.Error
		if err != nil {
			if !errors.As(err, &e) || e.Code == "InternalFailure" {
				t.Fatalf("%q: %v", name, err)
			}
			return
		}
		var out struct{ Parameter struct{ Name, ARN string } }
		for _, by := range []string{name, ""} {
			if by == "" {
				by = out.Parameter.ARN
			}
			if err := s.API().Invoke(call("GetParameter"), map[string]string{"Name": by}, &out); err != nil || out.Parameter.Name != name {
				t.Fatalf("%q by %q: %q, %v", name, by, out.Parameter.Name, err)
			}
		}
	})
}
