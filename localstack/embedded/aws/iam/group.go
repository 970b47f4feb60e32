package iam

import (
	"slices"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

const maxGroups = 10 // that a user is in: IAM User Guide, "IAM and AWS STS quotas"

// groupsOf returns the groups that a user is in. The caller holds mu.
func (s *Service) groupsOf(e *entity) []*entity {
	if e.kind != user {
		return nil
	}
	var in []*entity
	for _, g := range s.accounts[e.account].entities[group] {
		if slices.Contains(g.members, e) {
			in = append(in, g)
		}
	}
	return in
}

type createGroupInput struct{ Path, GroupName string }

type groupShape struct {
	Path, GroupName string
	GroupID         string `json:"GroupId" query:"GroupId"`
	Arn             string
	CreateDate      api.Timestamp
}

func (e *entity) groupShape() groupShape {
	return groupShape{e.path, e.name, e.id, e.arn, api.At(e.created)}
}

type oneGroup struct{ Group groupShape }

func (s *Service) createGroup(c *api.Call, in *createGroupInput) (*oneGroup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.create(c, group, in.Path, in.GroupName, nil, "")
	if err != nil {
		return nil, err
	}
	s.add(e)
	return &oneGroup{e.groupShape()}, nil
}

type membershipInput struct {
	GroupName, UserName, Marker string
	MaxItems                    *int
}

type getGroupOutput struct {
	Group       groupShape
	Users       []userShape
	IsTruncated bool
	Marker      string
}

func (s *Service) getGroup(c *api.Call, in *membershipInput) (*getGroupOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(c, group, in.GroupName)
	if err != nil {
		return nil, err
	}
	members, end, err := cut(slices.Clone(e.members), func(u *entity) string { return u.name }, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return &getGroupOutput{e.groupShape(), shapes(members), end.IsTruncated, end.Marker}, nil
}

type listGroupsOutput struct {
	Groups      []groupShape
	IsTruncated bool
	Marker      string
}

func (s *Service) listGroups(c *api.Call, in *listInput) (*listGroupsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, end, err := s.list(c, group, in.PathPrefix, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return groupsOutput(found, end), nil
}

func groupsOutput(groups []*entity, end pageOutput) *listGroupsOutput {
	out := &listGroupsOutput{IsTruncated: end.IsTruncated, Marker: end.Marker}
	for _, g := range groups {
		out.Groups = append(out.Groups, g.groupShape())
	}
	return out
}

// member finds a group and a user. The caller holds mu.
func (s *Service) member(c *api.Call, in *membershipInput) (g, u *entity, err error) {
	if g, err = s.find(c, group, in.GroupName); err != nil {
		return nil, nil, err
	}
	u, err = s.find(c, user, in.UserName)
	return g, u, err
}

func (s *Service) addUserToGroup(c *api.Call, in *membershipInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, u, err := s.member(c, in)
	if err != nil {
		return nil, err
	}
	if slices.Contains(g.members, u) {
		return &struct{}{}, nil
	}
	if len(s.groupsOf(u)) >= maxGroups {
		return nil, limitExceeded("Cannot exceed quota for GroupsPerUser: %d", maxGroups)
	}
	g.members = append(g.members, u)
	return &struct{}{}, nil
}

func (s *Service) removeUserFromGroup(c *api.Call, in *membershipInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, u, err := s.member(c, in)
	if err != nil {
		return nil, err
	}
	g.members = slices.DeleteFunc(g.members, func(other *entity) bool { return other == u })
	return &struct{}{}, nil
}

func (s *Service) listGroupsForUser(c *api.Call, in *userInput) (*listGroupsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.find(c, user, in.UserName)
	if err != nil {
		return nil, err
	}
	found, end, err := cut(s.groupsOf(u), func(g *entity) string { return g.name }, page{in.Marker, in.MaxItems})
	if err != nil {
		return nil, err
	}
	return groupsOutput(found, end), nil
}
