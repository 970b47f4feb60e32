package kms

import (
	"regexp"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

const maxAliases = 50 // of a key: Developer Guide, "Resource quotas"

var aliasName = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]+$`)

type aliasInput struct {
	AliasName   string
	TargetKeyID string `json:"TargetKeyId"`
}

func (in *aliasInput) check() error {
	switch {
	case !strings.HasPrefix(in.AliasName, "alias/"):
		return validation("Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	case strings.HasPrefix(in.AliasName, managedPrefix):
		return api.Errorf("NotAuthorizedException", "")
	case !aliasName.MatchString(in.AliasName), len(in.AliasName) > 256:
		return constraint("aliasName", in.AliasName, "satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$")
	}
	return nil
}

// target returns the key that an alias is to name. The caller holds mu.
func (s *Service) target(c *api.Call, in *aliasInput) (*key, error) {
	if strings.HasPrefix(in.TargetKeyID, "alias/") || strings.Contains(in.TargetKeyID, ":alias/") {
		return nil, validation("Aliases must refer to keys. Not aliases")
	}
	k, err := s.own(c, in.TargetKeyID)
	if err != nil {
		return nil, err
	}
	if !k.deletion.IsZero() {
		return nil, invalidState(k, "pending deletion")
	}
	if s.count(k) >= maxAliases {
		return nil, api.Errorf("LimitExceededException", "A key can have %d aliases.", maxAliases)
	}
	return k, nil
}

func (s *Service) count(k *key) (n int) {
	for _, a := range s.aliases[k.place] {
		if a.target == k {
			n++
		}
	}
	return n
}

func (s *Service) createAlias(c *api.Call, in *aliasInput) (*struct{}, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.target(c, in)
	if err != nil {
		return nil, err
	}
	if s.aliases[at(c)][in.AliasName] != nil {
		return nil, api.Errorf("AlreadyExistsException", "An alias with the name %s already exists", at(c).arn(in.AliasName))
	}
	s.name(k, in.AliasName)
	return &struct{}{}, nil
}

func (s *Service) updateAlias(c *api.Call, in *aliasInput) (*struct{}, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.aliases[at(c)][in.AliasName]
	if a == nil {
		return nil, notFound("Alias %s is not found.", at(c).arn(in.AliasName))
	}
	k, err := s.target(c, in)
	if err != nil {
		return nil, err
	}
	a.target, a.updated = k, time.Now()
	return &struct{}{}, nil
}

func (s *Service) deleteAlias(c *api.Call, in *aliasInput) (*struct{}, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aliases[at(c)][in.AliasName] == nil {
		return nil, notFound("Alias %s is not found.", at(c).arn(in.AliasName))
	}
	delete(s.aliases[at(c)], in.AliasName)
	return &struct{}{}, nil
}

type listAliasesInput struct {
	KeyID  string `json:"KeyId"`
	Limit  *int
	Marker string
}

type aliasEntry struct {
	AliasName, AliasArn string
	TargetKeyID         string        `json:"TargetKeyId,omitempty"`
	CreationDate        api.Timestamp `json:",omitzero"`
	LastUpdatedDate     api.Timestamp `json:",omitzero"`
}

type listAliasesOutput struct {
	Aliases    []aliasEntry
	Truncated  bool
	NextMarker string `json:",omitempty"`
}

// listAliases tells also the names of the keys that AWS manages and has not made yet.
func (s *Service) listAliases(c *api.Call, in *listAliasesInput) (*listAliasesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	p := at(c)
	var of *key
	if in.KeyID != "" {
		k, err := s.find(p, in.KeyID)
		if err != nil {
			return nil, err
		}
		of = k
	}
	list := []aliasEntry{}
	for name, a := range s.aliases[p] {
		if of == nil || a.target == of {
			list = append(list, aliasEntry{name, p.arn(name), a.target.id, api.At(a.created), api.At(a.updated)})
		}
	}
	for _, service := range managedAliases {
		if name := managedPrefix + service; of == nil && s.aliases[p][name] == nil {
			list = append(list, aliasEntry{AliasName: name, AliasArn: p.arn(name)})
		}
	}
	list, truncated, next, err := cut(list, func(a aliasEntry) string { return a.AliasName }, page{in.Limit, in.Marker}, 50)
	if err != nil {
		return nil, err
	}
	return &listAliasesOutput{list, truncated, next}, nil
}
