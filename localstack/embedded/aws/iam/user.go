package iam

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

const maxAccessKeys = 2 // of a user: IAM User Guide, "IAM and AWS STS quotas"

// accessKey is one access key of a user.
type accessKey struct {
	owner   *entity
	id      string
	active  bool
	created time.Time
}

func (k *accessKey) status() string {
	if k.active {
		return "Active"
	}
	return "Inactive"
}

type createUserInput struct {
	Path, UserName, PermissionsBoundary string
	Tags                                []tag
}

type userShape struct {
	Path, UserName      string
	UserID              string `json:"UserId" query:"UserId"`
	Arn                 string
	CreateDate          api.Timestamp
	PermissionsBoundary *boundaryOutput
	Tags                []tag
}

func (e *entity) userShape() userShape {
	return userShape{Path: e.path, UserName: e.name, UserID: e.id, Arn: e.arn, CreateDate: api.At(e.created)}
}

func (e *entity) fullUser() userShape {
	u := e.userShape()
	u.PermissionsBoundary, u.Tags = e.boundaryOutput(), e.tags
	return u
}

type oneUser struct{ User userShape }

func (s *Service) createUser(c *api.Call, in *createUserInput) (*oneUser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.create(c, user, in.Path, in.UserName, in.Tags, in.PermissionsBoundary)
	if err != nil {
		return nil, err
	}
	s.add(e)
	return &oneUser{e.fullUser()}, nil
}

type userInput struct {
	UserName    string
	AccessKeyID string `json:"AccessKeyId" query:"AccessKeyId"`
	Status      string
	Marker      string
	MaxItems    *int
}

// userOf returns the user that a request names, or else the one that makes it. The caller holds mu.
func (s *Service) userOf(c *api.Call, name string) (*entity, error) {
	if name != "" {
		return s.find(c, user, name)
	}
	if k := s.keys[c.AccessKeyID]; k != nil {
		return k.owner, nil
	}
	return nil, validation("Must specify userName when calling with non-User credentials")
}

func (s *Service) getUser(c *api.Call, in *userInput) (*oneUser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.UserName == "" && s.keys[c.AccessKeyID] == nil && !strings.HasPrefix(c.AccessKeyID, "ASIA") {
		return &oneUser{userShape{UserID: c.Account, Arn: "arn:aws:iam::" + c.Account + ":root", CreateDate: api.At(time.Unix(0, 0))}}, nil
	}
	e, err := s.userOf(c, in.UserName)
	if err != nil {
		return nil, err
	}
	return &oneUser{e.fullUser()}, nil
}

type listUsersOutput struct {
	Users       []userShape
	IsTruncated bool
	Marker      string
}

func (s *Service) listUsers(c *api.Call, in *listInput) (*listUsersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, end, err := s.list(c, user, in.PathPrefix, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &listUsersOutput{shapes(found), end.IsTruncated, end.Marker}, nil
}

func shapes(users []*entity) []userShape {
	list := make([]userShape, len(users))
	for i, e := range users {
		list[i] = e.userShape()
	}
	return list
}

type accessKeyShape struct {
	UserName        string
	AccessKeyID     string `json:"AccessKeyId" query:"AccessKeyId"`
	Status          string
	SecretAccessKey string
	CreateDate      api.Timestamp
}

type createAccessKeyOutput struct{ AccessKey accessKeyShape }

func (s *Service) createAccessKey(c *api.Call, in *userInput) (*createAccessKeyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.userOf(c, in.UserName)
	if err != nil {
		return nil, err
	}
	if len(e.keys) >= maxAccessKeys {
		return nil, limitExceeded("Cannot exceed quota for AccessKeysPerUser: %d", maxAccessKeys)
	}
	k := &accessKey{owner: e, id: uniqueID("AKIA", 20), active: true, created: time.Now().Truncate(time.Second)}
	e.keys = append(e.keys, k)
	s.keys[k.id] = k
	return &createAccessKeyOutput{accessKeyShape{e.name, k.id, k.status(), secret(), api.At(k.created)}}, nil
}

// secret returns a secret access key. It is not kept: no signature is verified.
func secret() string {
	var b [30]byte
	_, _ = rand.Read(b[:]) // it does not fail
	return base64.StdEncoding.EncodeToString(b[:])
}

// key finds an access key of a user. The caller holds mu.
func (s *Service) key(c *api.Call, in *userInput) (*accessKey, error) {
	if in.AccessKeyID == "" {
		return nil, constraint("accessKeyId", "", "not be null")
	}
	e, err := s.userOf(c, in.UserName)
	if err != nil {
		return nil, err
	}
	if k := s.keys[in.AccessKeyID]; k != nil && k.owner == e {
		return k, nil
	}
	return nil, noSuchEntity("The Access Key with id %s cannot be found.", in.AccessKeyID)
}

func (s *Service) updateAccessKey(c *api.Call, in *userInput) (*struct{}, error) {
	if in.Status != "Active" && in.Status != "Inactive" {
		return nil, constraint("status", in.Status, "satisfy enum value set: [Active, Inactive]")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.key(c, in)
	if err != nil {
		return nil, err
	}
	k.active = in.Status == "Active"
	return &struct{}{}, nil
}

func (s *Service) deleteAccessKey(c *api.Call, in *userInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.key(c, in)
	if err != nil {
		return nil, err
	}
	delete(s.keys, k.id)
	k.owner.keys = slices.DeleteFunc(k.owner.keys, func(other *accessKey) bool { return other == k })
	return &struct{}{}, nil
}

type listAccessKeysOutput struct {
	AccessKeyMetadata []accessKeyShape
	IsTruncated       bool
	Marker            string
}

func (s *Service) listAccessKeys(c *api.Call, in *userInput) (*listAccessKeysOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.userOf(c, in.UserName)
	if err != nil {
		return nil, err
	}
	var list []accessKeyShape
	for _, k := range e.keys {
		list = append(list, accessKeyShape{UserName: e.name, AccessKeyID: k.id, Status: k.status(), CreateDate: api.At(k.created)})
	}
	list, end, err := cut(list, func(k accessKeyShape) string { return k.AccessKeyID }, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &listAccessKeysOutput{list, end.IsTruncated, end.Marker}, nil
}
