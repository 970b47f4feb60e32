package sns

import (
	"maps"
	"net/http"
	"slices"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// maxTags is how many tags a topic may have.
// Source: Amazon SNS Developer Guide, "Amazon SNS topic tagging" (checked 2026-12-01).
const maxTags = 50

var errTagLimit = api.Errorf("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")

type tag struct{ Key, Value string }

type tagResourceInput struct {
	ResourceArn string
	Tags        []tag
}

type untagResourceInput struct {
	ResourceArn string
	TagKeys     []string
}

// result is the output of an operation that answers with an empty result element, where others have none.
type result struct{}

type resourceInput struct{ ResourceArn string }

type listTagsForResourceOutput struct{ Tags []tag }

// resource returns the topic that is tagged or protected. The caller holds mu.
func (s *Service) resource(c *api.Call, arn string) (*topic, error) {
	if _, err := checkARN(c, "ResourceArn", arn); err != nil {
		return nil, err
	}
	t, ok := s.topics[arn]
	if !ok {
		return nil, &api.Error{Code: "ResourceNotFound", Message: "Resource does not exist", Status: http.StatusNotFound}
	}
	return t, nil
}

func (s *Service) tagResource(c *api.Call, in *tagResourceInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.resource(c, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, added := maps.Clone(t.tags), map[string]bool{}
	for _, tag := range in.Tags {
		if added[tag.Key] {
			return nil, invalid("Duplicated keys are not allowed.")
		}
		tags[tag.Key], added[tag.Key] = tag.Value, true
	}
	if len(tags) > maxTags {
		return nil, errTagLimit
	}
	t.tags = tags
	return &result{}, nil
}

func (s *Service) untagResource(c *api.Call, in *untagResourceInput) (*result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.resource(c, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(t.tags, key)
	}
	return &result{}, nil
}

func (s *Service) listTagsForResource(c *api.Call, in *resourceInput) (*listTagsForResourceOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.resource(c, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &listTagsForResourceOutput{Tags: []tag{}}
	for _, key := range slices.Sorted(maps.Keys(t.tags)) {
		out.Tags = append(out.Tags, tag{key, t.tags[key]})
	}
	return out, nil
}
