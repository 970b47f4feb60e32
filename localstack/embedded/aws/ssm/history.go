package ssm

import (
	"slices"
	"strconv"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

const maxLabels = 10 // of a version

func (v *version) labelled(label string) bool { return slices.Contains(v.labels, label) }

type historyInput struct {
	Name           string
	WithDecryption bool
	MaxResults     *int
	NextToken      string
}

type historyEntry struct {
	Name, Type       string
	KeyID            string `json:"KeyId,omitempty"`
	LastModifiedDate api.Timestamp
	LastModifiedUser string
	Description      string `json:",omitempty"`
	Value            string
	AllowedPattern   string `json:",omitempty"`
	Version          int
	Labels           []string
	Tier, DataType   string
	Policies         []struct{}
}

type historyOutput struct {
	Parameters []historyEntry
	NextToken  string `json:",omitempty"`
}

func (s *Service) getParameterHistory(c *api.Call, in *historyInput) (*historyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, _, _, err := s.find(at(c), in.Name)
	if err != nil {
		return nil, err
	}
	position := func(v *version) string { return strconv.Itoa(1_000_000_000 + v.number) } // of one length, so that texts are in order
	versions, next, err := cut(slices.Clone(p.versions), position, in.MaxResults, in.NextToken, maxDescribed)
	if err != nil {
		return nil, err
	}
	out := &historyOutput{Parameters: []historyEntry{}, NextToken: next}
	for _, v := range versions {
		value, err := s.reveal(c, p, v, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, historyEntry{
			p.name, v.kind, v.keyID, api.At(v.modified), v.user, v.text, value, v.pattern, v.number, slices.Clone(v.labels), v.tier, "text", []struct{}{},
		})
	}
	return out, nil
}

type labelInput struct {
	Name             string
	ParameterVersion *int
	Labels           []string
}

type labelOutput struct {
	InvalidLabels    []string
	ParameterVersion int
}

// labelling returns the parameter and the version that a request is to label. The caller holds mu.
func (s *Service) labelling(c *api.Call, in *labelInput) (*parameter, *version, error) {
	if len(in.Labels) < 1 || len(in.Labels) > maxLabels {
		return nil, nil, constraint("labels", "["+strings.Join(in.Labels, ", ")+"]", "have length between 1 and 10")
	}
	name := in.Name
	if in.ParameterVersion != nil {
		name += ":" + strconv.Itoa(*in.ParameterVersion)
	}
	p, v, _, err := s.find(at(c), name)
	return p, v, err
}

// validLabel tells whether a label has its form.
// Source: User Guide, "Working with parameter labels", requirements and restrictions (checked 2026-12-01).
func validLabel(label string) bool {
	lower := strings.ToLower(label)
	return labelPattern.MatchString(label) && (label[0] < '0' || label[0] > '9') && !strings.HasPrefix(lower, "aws") && !strings.HasPrefix(lower, "ssm")
}

// labelParameterVersion attaches labels. A label is at one version only: it moves.
func (s *Service) labelParameterVersion(c *api.Call, in *labelInput) (*labelOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, v, err := s.labelling(c, in)
	if err != nil {
		return nil, err
	}
	out := &labelOutput{[]string{}, v.number}
	var valid []string
	for _, label := range in.Labels {
		switch {
		case !validLabel(label):
			out.InvalidLabels = append(out.InvalidLabels, label)
		case !v.labelled(label) && !slices.Contains(valid, label):
			valid = append(valid, label)
		}
	}
	if len(v.labels)+len(valid) > maxLabels {
		return nil, api.Errorf("ParameterVersionLabelLimitExceeded", "A parameter version can have maximum %d labels. "+
			"Move one or more labels to another version and try again.", maxLabels)
	}
	for _, other := range p.versions {
		other.labels = slices.DeleteFunc(other.labels, func(label string) bool { return slices.Contains(valid, label) })
	}
	v.labels = append(v.labels, valid...)
	return out, nil
}

type unlabelOutput struct{ RemovedLabels, InvalidLabels []string }

func (s *Service) unlabelParameterVersion(c *api.Call, in *labelInput) (*unlabelOutput, error) {
	if in.ParameterVersion == nil {
		return nil, validation("1 validation error detected: Value null at 'parameterVersion' failed to satisfy constraint: Member must not be null")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, v, err := s.labelling(c, in)
	if err != nil {
		return nil, err
	}
	out := &unlabelOutput{[]string{}, []string{}}
	for _, label := range in.Labels {
		if i := slices.Index(v.labels, label); i >= 0 {
			v.labels = slices.Delete(v.labels, i, i+1)
			out.RemovedLabels = append(out.RemovedLabels, label)
		} else {
			out.InvalidLabels = append(out.InvalidLabels, label)
		}
	}
	return out, nil
}
