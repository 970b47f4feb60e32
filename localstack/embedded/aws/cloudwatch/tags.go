package cloudwatch

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// maxTags is how many tags an alarm may have.
const maxTags = 50

// addTags returns kept with tags added.
func addTags(kept map[string]string, tags []tag) (map[string]string, error) {
	all := maps.Clone(kept)
	for _, t := range tags {
		switch {
		case t.Key == "" || utf8.RuneCountInString(t.Key) > 128 || utf8.RuneCountInString(t.Value) > 256:
			return nil, invalidValue("The tag key must have 1 to 128 characters, its value up to 256.")
		case strings.HasPrefix(t.Key, "aws:"):
			return nil, invalidValue("The tag key %s is reserved.", t.Key)
		}
		all[t.Key] = t.Value
	}
	if len(all) > maxTags {
		return nil, invalidValue("A resource can have up to %d tags.", maxTags)
	}
	return all, nil
}

// tagged finds the alarm of an ARN. The caller holds mu.
func (s *Service) tagged(c *api.Call, arn string) (*alarm, error) {
	if arn == "" {
		return nil, missing("ResourceARN")
	}
	prefix := "arn:aws:cloudwatch:" + c.Region + ":" + c.Account + ":"
	rest, ok := strings.CutPrefix(arn, prefix)
	if !ok {
		return nil, invalidValue("The ARN %s is not one of CloudWatch in this account and region.", arn)
	}
	name, ok := strings.CutPrefix(rest, "alarm:")
	if !ok {
		return nil, notOfferedHere("A tag of " + arn)
	}
	a := s.alarms[placeOf(c)][name]
	if a == nil {
		return nil, notFound("Unknown")
	}
	return a, nil
}

type tagResourceInput struct {
	ResourceARN string
	Tags        []tag
}

func (s *Service) tagResource(c *api.Call, in *tagResourceInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.tagged(c, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	all, err := addTags(a.tags, in.Tags)
	if err != nil {
		return nil, err
	}
	a.tags = all
	return &struct{}{}, nil
}

type untagResourceInput struct {
	ResourceARN string
	TagKeys     []string
}

func (s *Service) untagResource(c *api.Call, in *untagResourceInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.tagged(c, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(a.tags, key)
	}
	return &struct{}{}, nil
}

type listTagsForResourceInput struct{ ResourceARN string }

type listTagsForResourceOutput struct{ Tags []tag }

func (s *Service) listTagsForResource(c *api.Call, in *listTagsForResourceInput) (*listTagsForResourceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.tagged(c, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	out := &listTagsForResourceOutput{Tags: []tag{}}
	for _, key := range slices.Sorted(maps.Keys(a.tags)) {
		out.Tags = append(out.Tags, tag{key, a.tags[key]})
	}
	return out, nil
}
