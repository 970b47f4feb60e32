package ssm

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

const (
	maxName   = 1011 // characters, of the ARN's last part
	maxLevels = 15
)

var (
	namePattern  = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)
	labelPattern = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,100}$`)
)

const namesText = "If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, " +
	"numbers and the following 3 symbols .-_"

// checkName checks the name of a new parameter.
// Source: User Guide, "Creating Parameter Store parameters", requirements and constraints for parameter names (checked 2026-12-01).
func checkName(name string) error {
	lower := strings.TrimLeft(strings.ToLower(name), "/")
	path := strings.Contains(strings.TrimPrefix(name, "/"), "/")
	switch {
	case name == "":
		return constraint("name", "", "have length greater than or equal to 1")
	case len(name) > maxName:
		return constraint("name", name, "have length less than or equal to 1011")
	case strings.HasPrefix(strings.ToLower(name), "/aws/"):
		return &api.Error{Code: "AccessDeniedException", Message: "No access to reserved parameter name: " + name + "."}
	case strings.HasPrefix(lower, "aws") && !path, strings.HasPrefix(lower, "ssm") && !path:
		return validation(`Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive).`)
	case strings.HasPrefix(lower, "aws"), strings.HasPrefix(lower, "ssm"), !namePattern.MatchString(name), strings.HasSuffix(name, "/"), strings.Contains(name, "//"):
		return validation(`Parameter name: can't be prefixed with "ssm" (case-insensitive). ` + namesText)
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return validation("Parameter name must be a fully qualified name.")
	case strings.Count(name, "/") > maxLevels:
		return api.Errorf("HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of %d levels.", maxLevels)
	}
	return nil
}

// reference is how a request names a parameter: its name or ARN, and perhaps one version of it, by number or label.
type reference struct {
	place
	name, selector string
}

func parse(p place, text string) (reference, error) {
	r := reference{place: p, name: text}
	if strings.HasPrefix(text, "arn:") {
		parts := strings.SplitN(text, ":", 6)
		if len(parts) < 6 || parts[2] != "ssm" || !strings.HasPrefix(parts[5], "parameter/") {
			return r, validation("Invalid parameter ARN: %s", text)
		}
		r.region, r.account, r.name = parts[3], parts[4], strings.TrimPrefix(parts[5], "parameter")
	}
	r.name, r.selector, _ = strings.Cut(r.name, ":")
	if strings.Contains(r.selector, ":") {
		return r, validation("Parameter name: can't contain more than one selector: %s", text)
	}
	return r, nil
}

// find returns the parameter and the version that a request names. The caller holds mu.
func (s *Service) find(p place, text string) (*parameter, *version, string, error) {
	r, err := parse(p, text)
	if err != nil {
		return nil, nil, "", err
	}
	found := s.parameters[r.place][r.name]
	if found == nil && strings.HasPrefix(text, "arn:") { // a name that is no path lost its slash in the ARN
		found = s.parameters[r.place][strings.TrimPrefix(r.name, "/")]
	}
	if found == nil {
		if strings.HasPrefix(r.name, "/aws/") {
			s.log.Warn("the local cloud has no public parameters of AWS", "service", "ssm", "parameter", r.name)
		}
		return nil, nil, "", errNotFound
	}
	if r.selector == "" {
		return found, found.latest(), "", nil
	}
	number, isNumber := 0, false
	if n, err := strconv.Atoi(r.selector); err == nil {
		number, isNumber = n, true
	}
	for _, v := range found.versions {
		if isNumber && v.number == number || !isNumber && v.labelled(r.selector) {
			return found, v, ":" + r.selector, nil
		}
	}
	what := "label"
	if isNumber {
		what = "version"
	}
	return nil, nil, "", api.Errorf("ParameterVersionNotFound", "Systems Manager could not find %s %s of %s. Verify the %s and try again.",
		what, r.selector, found.name, what)
}
