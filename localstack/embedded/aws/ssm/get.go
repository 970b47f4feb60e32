package ssm

import (
	"slices"
	"strconv"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

const (
	maxNames     = 10 // of GetParameters and DeleteParameters
	maxByPath    = 10
	maxDescribed = 50
)

type parameterShape struct {
	Name, Type, Value string
	Version           int
	Selector          string `json:",omitempty"`
	LastModifiedDate  api.Timestamp
	ARN, DataType     string
}

func (s *Service) shape(c *api.Call, p *parameter, v *version, selector string, decrypt bool) (parameterShape, error) {
	value, err := s.reveal(c, p, v, decrypt)
	return parameterShape{p.name, v.kind, value, v.number, selector, api.At(v.modified), p.arn(p.name), "text"}, err
}

type getInput struct {
	Name           string
	WithDecryption bool
}

type getOutput struct{ Parameter parameterShape }

func (s *Service) getParameter(c *api.Call, in *getInput) (*getOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, v, selector, err := s.find(at(c), in.Name)
	if err != nil {
		return nil, err
	}
	shape, err := s.shape(c, p, v, selector, in.WithDecryption)
	if err != nil {
		return nil, err
	}
	return &getOutput{shape}, nil
}

type namesInput struct {
	Names          []string
	WithDecryption bool
}

func (in *namesInput) check() error {
	if len(in.Names) < 1 || len(in.Names) > maxNames {
		return constraint("names", "["+strings.Join(in.Names, ", ")+"]", "have length between 1 and 10")
	}
	return nil
}

type getManyOutput struct {
	Parameters        []parameterShape
	InvalidParameters []string
}

func (s *Service) getParameters(c *api.Call, in *namesInput) (*getManyOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &getManyOutput{[]parameterShape{}, []string{}}
	for _, name := range in.Names {
		p, v, selector, err := s.find(at(c), name)
		if err != nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		shape, err := s.shape(c, p, v, selector, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, shape)
	}
	return out, nil
}

// filter is a condition of GetParametersByPath and DescribeParameters.
type filter struct {
	Key, Option string
	Values      []string
}

// options are what a filter's Option may be, by its key; the first is the default. Source: API Reference, ParameterStringFilter.
var options = map[string][]string{
	"Name": {"Equals", "BeginsWith", "Contains"}, "Type": {"Equals", "BeginsWith"}, "KeyId": {"Equals", "BeginsWith"},
	"Tier": {"Equals"}, "DataType": {"Equals", "BeginsWith"}, "Path": {"OneLevel", "Recursive"}, "Label": {"Equals"}, "tag": {"Equals", "BeginsWith"},
}

func (f *filter) check(keys ...string) error {
	kind := f.Key
	if strings.HasPrefix(kind, "tag:") {
		kind = "tag"
	}
	if !slices.Contains(keys, kind) {
		return api.Errorf("InvalidFilterKey", "The following filter key is not valid: %s. Valid filter keys include: [%s].", f.Key, strings.Join(keys, ", "))
	}
	if f.Option == "" {
		f.Option = options[kind][0]
	}
	if !slices.Contains(options[kind], f.Option) {
		return api.Errorf("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: [%s].", f.Option, strings.Join(options[kind], ", "))
	}
	if len(f.Values) == 0 && kind != "tag" {
		return api.Errorf("InvalidFilterValue", "The following filter values are missing : null for filter key %s.", f.Key)
	}
	return nil
}

func (f *filter) accepts(p *parameter, v *version) bool {
	var values []string
	switch {
	case f.Key == "Name":
		values = []string{p.name, strings.TrimPrefix(p.name, "/")}
	case f.Key == "Type":
		values = []string{v.kind}
	case f.Key == "KeyId":
		values = []string{v.keyID}
	case f.Key == "Tier":
		values = []string{v.tier}
	case f.Key == "DataType":
		values = []string{"text"}
	case f.Key == "Label":
		values = v.labels
	case f.Key == "Path":
		return slices.ContainsFunc(f.Values, func(path string) bool { return below(path, p.name, f.Option == "Recursive") })
	default:
		for _, t := range p.tags {
			if "tag:"+t.Key == f.Key {
				if len(f.Values) == 0 {
					return true
				}
				values = append(values, t.Value)
			}
		}
	}
	return slices.ContainsFunc(f.Values, func(want string) bool {
		return slices.ContainsFunc(values, func(got string) bool {
			switch f.Option {
			case "BeginsWith":
				return strings.HasPrefix(got, want)
			case "Contains":
				return strings.Contains(got, want)
			}
			return got == want
		})
	})
}

// below tells whether a parameter is in a path, directly or somewhere.
func below(path, name string, recursive bool) bool {
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(path, "/")+"/")
	return ok && (recursive || !strings.Contains(rest, "/"))
}

// cut returns a page of items, which are in order of name.
func cut[T any](items []T, name func(T) string, maxResults *int, token string, most int) ([]T, string, error) {
	limit := most
	if maxResults != nil {
		if limit = *maxResults; limit < 1 {
			return nil, "", constraint("maxResults", strconv.Itoa(limit), "have value greater than or equal to 1")
		}
		if limit > most {
			return nil, "", constraint("maxResults", strconv.Itoa(limit), "have value less than or equal to "+strconv.Itoa(most))
		}
	}
	items = slices.DeleteFunc(items, func(item T) bool { return token != "" && name(item) <= token })
	if len(items) <= limit {
		return items, "", nil
	}
	return items[:limit], name(items[limit-1]), nil
}

// sorted returns the parameters of an account and region in order of name. The caller holds mu.
func (s *Service) sorted(p place) []*parameter {
	all := make([]*parameter, 0, len(s.parameters[p]))
	for _, found := range s.parameters[p] {
		all = append(all, found)
	}
	slices.SortFunc(all, func(a, b *parameter) int { return strings.Compare(a.name, b.name) })
	return all
}

func parameterName(p *parameter) string { return p.name }

type byPathInput struct {
	Path                      string
	Recursive, WithDecryption bool
	ParameterFilters          []filter
	MaxResults                *int
	NextToken                 string
}

type byPathOutput struct {
	Parameters []parameterShape
	NextToken  string `json:",omitempty"`
}

func (s *Service) getParametersByPath(c *api.Call, in *byPathInput) (*byPathOutput, error) {
	if !strings.HasPrefix(in.Path, "/") || !namePattern.MatchString(in.Path) {
		return nil, validation(`The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". ` +
			`It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). ` +
			`Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.`)
	}
	for i := range in.ParameterFilters {
		if err := in.ParameterFilters[i].check("Type", "KeyId", "Label"); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*parameter
	versions := map[*parameter]*version{}
	for _, p := range s.sorted(at(c)) {
		if v := p.chosen(in.ParameterFilters); v != nil && below(in.Path, p.name, in.Recursive) {
			found, versions[p] = append(found, p), v
		}
	}
	found, next, err := cut(found, parameterName, in.MaxResults, in.NextToken, maxByPath)
	if err != nil {
		return nil, err
	}
	out := &byPathOutput{Parameters: []parameterShape{}, NextToken: next}
	for _, p := range found {
		shape, err := s.shape(c, p, versions[p], "", in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, shape)
	}
	return out, nil
}

// chosen returns the version that passes the filters: the newest, or the one with the label that they ask for.
func (p *parameter) chosen(filters []filter) *version {
	for _, v := range slices.Backward(p.versions) {
		passes := !slices.ContainsFunc(filters, func(f filter) bool { return !f.accepts(p, v) })
		if passes {
			return v
		}
		if !slices.ContainsFunc(filters, func(f filter) bool { return f.Key == "Label" }) {
			return nil
		}
	}
	return nil
}

type describeInput struct {
	Filters          []filter
	ParameterFilters []filter
	MaxResults       *int
	NextToken        string
	Shared           bool
}

type metadata struct {
	Name, ARN, Type  string
	KeyID            string `json:"KeyId,omitempty"`
	LastModifiedDate api.Timestamp
	LastModifiedUser string
	Description      string `json:",omitempty"`
	AllowedPattern   string `json:",omitempty"`
	Version          int
	Tier, DataType   string
	Policies         []struct{}
}

type describeOutput struct {
	Parameters []metadata
	NextToken  string `json:",omitempty"`
}

func (s *Service) describeParameters(c *api.Call, in *describeInput) (*describeOutput, error) {
	if in.Shared {
		return nil, validation("The local cloud does not offer Shared.")
	}
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, validation("You can use either Filters or ParameterFilters in a single request.")
	}
	filters := slices.Concat(in.Filters, in.ParameterFilters)
	for i := range in.Filters {
		filters[i].Option = "BeginsWith" // of the old kind; Type and KeyId have no other values that begin alike
	}
	for i := range filters {
		if err := filters[i].check("Path", "Name", "Tier", "Type", "KeyId", "DataType", "tag"); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := slices.DeleteFunc(s.sorted(at(c)), func(p *parameter) bool { return p.chosen(filters) == nil })
	found, next, err := cut(found, parameterName, in.MaxResults, in.NextToken, maxDescribed)
	if err != nil {
		return nil, err
	}
	out := &describeOutput{Parameters: []metadata{}, NextToken: next}
	for _, p := range found {
		v := p.latest()
		out.Parameters = append(out.Parameters, metadata{
			p.name, p.arn(p.name), v.kind, v.keyID, api.At(v.modified), v.user, v.text, v.pattern, v.number, v.tier, "text", []struct{}{},
		})
	}
	return out, nil
}

func (s *Service) deleteParameter(c *api.Call, in *getInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parameters[at(c)][in.Name] == nil {
		return nil, errNotFound
	}
	delete(s.parameters[at(c)], in.Name)
	return &struct{}{}, nil
}

type deleteManyOutput struct{ DeletedParameters, InvalidParameters []string }

func (s *Service) deleteParameters(c *api.Call, in *namesInput) (*deleteManyOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &deleteManyOutput{[]string{}, []string{}}
	for _, name := range in.Names {
		if s.parameters[at(c)][name] == nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		delete(s.parameters[at(c)], name)
		out.DeletedParameters = append(out.DeletedParameters, name)
	}
	return out, nil
}
