package logs

import (
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// maxTags is how many tags a log group may have.
const maxTags = 50

// checkTags checks tags to be added to those that are there.
func checkTags(present, added map[string]string) error {
	all := maps.Clone(added)
	for k, v := range added {
		switch {
		case k == "" || utf8.RuneCountInString(k) > 128 || utf8.RuneCountInString(v) > 256:
			return invalid("The tag key must have 1 to 128 characters, its value up to 256.")
		case strings.HasPrefix(k, "aws:"):
			return invalid("The tag key %s is reserved.", k)
		}
	}
	n := len(all)
	for k := range present {
		if _, again := all[k]; !again {
			n++
		}
	}
	if n > maxTags {
		return api.Errorf("TooManyTagsException", "The maximum number of tags per resource is %d.", maxTags)
	}
	return nil
}

type tagsInput struct {
	ResourceArn, LogGroupName string
	Tags                      map[string]string
	TagKeys                   []string
}

type untagLogGroupInput struct {
	LogGroupName string
	Tags         []string
}

type tagsOutput struct {
	Tags map[string]string `json:"tags"`
}

// tagged returns the group of an ARN or, in the older operations, of a name. The caller holds mu.
func (s *Service) tagged(c *api.Call, in *tagsInput) (*group, error) {
	if in.ResourceArn != "" && !strings.HasPrefix(in.ResourceArn, "arn:") {
		return nil, invalid("The ARN %s is not valid.", in.ResourceArn)
	}
	return s.named(c, in.LogGroupName, in.ResourceArn)
}

func (s *Service) tagResource(c *api.Call, in *tagsInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(c, in)
	if err != nil {
		return nil, err
	}
	if err := checkTags(g.tags, in.Tags); err != nil {
		return nil, err
	}
	maps.Copy(g.tags, in.Tags)
	return &struct{}{}, nil
}

func (s *Service) untagResource(c *api.Call, in *tagsInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(c, in)
	if err != nil {
		return nil, err
	}
	for _, k := range in.TagKeys {
		delete(g.tags, k)
	}
	return &struct{}{}, nil
}

func (s *Service) listTagsForResource(c *api.Call, in *tagsInput) (*tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(c, in)
	if err != nil {
		return nil, err
	}
	return &tagsOutput{maps.Clone(g.tags)}, nil
}

// The older operations, which take the group's name.

func (s *Service) tagLogGroup(c *api.Call, in *tagsInput) (*struct{}, error) {
	return s.tagResource(c, in)
}

func (s *Service) untagLogGroup(c *api.Call, in *untagLogGroupInput) (*struct{}, error) {
	return s.untagResource(c, &tagsInput{LogGroupName: in.LogGroupName, TagKeys: in.Tags})
}

func (s *Service) listTagsLogGroup(c *api.Call, in *tagsInput) (*tagsOutput, error) {
	return s.listTagsForResource(c, in)
}
