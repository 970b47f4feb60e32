// Package ssm is AWS Systems Manager's Parameter Store: parameters with types, tiers, versions, labels, tags and hierarchies.
//
// SecureString parameters are encrypted with a key of KMS, bound to the parameter's ARN, and their value is only decrypted when asked
// (see [Keys]). Changes hold at once, where the service is eventually consistent.
//
// Not offered: the public parameters of AWS (/aws/service/...), which are not found; parameter policies, and the data types
// aws:ec2:image and aws:ssm:integration, which are refused; sharing with other accounts; everything else of Systems Manager.
//
// Sources, where a comment names no other: AWS Systems Manager API Reference and User Guide ("AWS Systems Manager Parameter Store") as
// of 2026-12-01, and for messages github.com/getmoto/moto, moto/ssm (read 2026-12-01).
package ssm

import (
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Keys is KMS. The errors are those of its operations, of type *api.Error; whether the caller may use the key is for it to decide.
type Keys interface {
	Encrypt(c *api.Call, keyID string, plaintext []byte, context map[string]string) ([]byte, error)
	Decrypt(c *api.Call, blob []byte, context map[string]string) ([]byte, error)
}

// Options configure a Service.
type Options struct {
	Keys   Keys
	Caller func(c *api.Call) string // the ARN of who makes a call, for LastModifiedUser; nil: the account's root
	Log    *slog.Logger             // nil discards
}

// Service is Parameter Store in every region and account. It is safe for concurrent use.
type Service struct {
	keys   Keys
	caller func(c *api.Call) string
	log    *slog.Logger

	mu         sync.Mutex
	parameters map[place]map[string]*parameter // by name
}

// place is an account in a region.
type place struct{ account, region string }

func at(c *api.Call) place { return place{c.Account, c.Region} }

// arn is a parameter's ARN: a name that is a path has its slash already.
func (p place) arn(name string) string {
	return "arn:aws:ssm:" + p.region + ":" + p.account + ":parameter/" + strings.TrimPrefix(name, "/")
}

type parameter struct {
	place
	name     string
	versions []*version // oldest first, up to 100
	tags     []tag
}

func (p *parameter) latest() *version { return p.versions[len(p.versions)-1] }

type version struct {
	number                                        int
	kind, value, keyID, tier, pattern, text, user string // value is the ciphertext of a SecureString
	labels                                        []string
	modified                                      time.Time
}

// New returns a service without parameters.
func New(o Options) *Service {
	s := &Service{keys: o.Keys, caller: o.Caller, log: o.Log, parameters: map[place]map[string]*parameter{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.caller == nil {
		s.caller = func(c *api.Call) string { return "arn:aws:iam::" + c.Account + ":root" }
	}
	return s
}

// API returns the service's operations for the endpoint.
func (s *Service) API() *api.Service {
	return &api.Service{
		Name: "ssm", TargetPrefix: "AmazonSSM", JSONVersion: "1.1", ShapePrefix: "com.amazonaws.ssm", Log: s.log, Resources: s.resources,
		Operations: api.Operations{
			"AddTagsToResource":       api.Op(s.addTagsToResource),
			"DeleteParameter":         api.Op(s.deleteParameter),
			"DeleteParameters":        api.Op(s.deleteParameters),
			"DescribeParameters":      api.Op(s.describeParameters),
			"GetParameter":            api.Op(s.getParameter),
			"GetParameterHistory":     api.Op(s.getParameterHistory),
			"GetParameters":           api.Op(s.getParameters),
			"GetParametersByPath":     api.Op(s.getParametersByPath),
			"LabelParameterVersion":   api.Op(s.labelParameterVersion),
			"ListTagsForResource":     api.Op(s.listTagsForResource),
			"PutParameter":            api.Op(s.putParameter),
			"RemoveTagsFromResource":  api.Op(s.removeTagsFromResource),
			"UnlabelParameterVersion": api.Op(s.unlabelParameterVersion),
		},
	}
}

// Close forgets all parameters.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.parameters)
}

// resources returns the ARNs of the parameters that a request is about.
func (s *Service) resources(c *api.Call, in any) []string {
	v := reflect.ValueOf(in).Elem()
	var arns []string
	add := func(name string) {
		r, err := parse(at(c), name)
		if err == nil {
			arns = append(arns, r.place.arn(r.name))
		}
	}
	for _, field := range []string{"Name", "Path", "ResourceID"} {
		if f := v.FieldByName(field); f.IsValid() && f.String() != "" {
			add(f.String())
		}
	}
	if f := v.FieldByName("Names"); f.IsValid() {
		for i := range f.Len() {
			add(f.Index(i).String())
		}
	}
	return arns
}

func validation(format string, args ...any) error {
	return api.Errorf("ValidationException", format, args...)
}

// constraint is the validation error of one parameter of a request.
func constraint(field, value, must string) error {
	return validation("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, field, must)
}

// errNotFound has no message: so the service sends it.
var errNotFound = &api.Error{Code: "ParameterNotFound"}
