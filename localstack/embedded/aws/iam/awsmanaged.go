package iam

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

// awsmanaged.json has the policies that AWS manages and the local cloud offers: what CDK and the course attach. Documents, versions
// and dates are those that iam:GetPolicyVersion gave (github.com/zoph-io/MAMIP, a recording of all of them, read 2026-12-01), but
// for ReadOnlyAccess: of its thousands of actions, as of 2022, there are those of services that this cloud has or will have.
//
//go:embed awsmanaged.json
var awsManaged []byte

// awsPolicies returns them by ARN. They are the same in every account and do not change.
var awsPolicies = sync.OnceValue(func() map[string]*managed {
	var list []struct {
		Name, Path string
		Version    int
		Date       time.Time
		Document   json.RawMessage
	}
	if err := json.Unmarshal(awsManaged, &list); err != nil {
		panic("iam: awsmanaged.json: " + err.Error())
	}
	policies := make(map[string]*managed, len(list))
	for _, p := range list {
		text := string(p.Document)
		parsed, err := policy.Parse(policy.Identity, text)
		if err != nil {
			panic("iam: awsmanaged.json: " + p.Name + ": " + err.Error())
		}
		m := &managed{
			name: p.Name, path: orRoot(p.Path), id: "ANPA" + awsID(p.Name), created: p.Date, updated: p.Date, standard: p.Version, last: p.Version,
			versions: []version{{document{text, parsed}, p.Version, p.Date}},
		}
		m.arn = "arn:aws:iam::aws:policy" + m.path + m.name
		policies[m.arn] = m
	}
	return policies
})

// awsID returns an id that is the same each time. The real ones are not known.
func awsID(name string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // it does not fail
	return strings.ToUpper(fmt.Sprintf("J%016x", h.Sum64()))
}
