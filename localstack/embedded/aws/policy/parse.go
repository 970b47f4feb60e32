package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

const syntax = "Syntax errors in policy."

func invalid(format string, args ...any) error { return &Error{Message: fmt.Sprintf(format, args...)} }

func malformed(format string, args ...any) error {
	return &Error{Message: syntax, Detail: fmt.Sprintf(format, args...)}
}

// stringOrList is a JSON string, or a list of them.
type stringOrList []string

func (l *stringOrList) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	*l = make([]string, 0, len(list))
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return fmt.Errorf("%v is no string", e)
		}
		*l = append(*l, s)
	}
	return nil
}

// scalars is the values of a condition: strings, numbers, booleans.
type scalars []string

func (l *scalars) UnmarshalJSON(b []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) != nil {
		list = []json.RawMessage{b}
	}
	for _, raw := range list {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		switch v := v.(type) {
		case string:
			*l = append(*l, v)
		case bool, float64:
			*l = append(*l, string(raw))
		default:
			return fmt.Errorf("%s is no value of a condition", raw)
		}
	}
	return nil
}

type rawDocument struct {
	Version   *string
	ID        *string `json:"Id"`
	Statement json.RawMessage
}

type rawStatement struct {
	Sid          string
	Effect       *string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Action       stringOrList
	NotAction    stringOrList
	Resource     stringOrList
	NotResource  stringOrList
	Condition    map[string]map[string]scalars
}

// strict decodes one JSON value with the members that to has, spelled as it has them.
func strict(b []byte, to any, members ...string) error {
	var names map[string]json.RawMessage
	if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	if names == nil {
		return errors.New("null is no object")
	}
	for name := range names {
		if !slices.Contains(members, name) {
			return fmt.Errorf("there is no element %s", name)
		}
	}
	return json.Unmarshal(b, to)
}

// Parse reads a document and checks it. Its error is an *Error.
func Parse(kind Kind, text string) (*Document, error) {
	var raw rawDocument
	if err := strict([]byte(text), &raw, "Version", "Id", "Statement"); err != nil {
		if kind == Trust && !json.Valid([]byte(text)) {
			return nil, invalid("This policy contains invalid Json")
		}
		return nil, malformed("%v", err)
	}
	d := &Document{variables: raw.Version != nil && *raw.Version == "2012-10-17"}
	if raw.Version != nil && !slices.Contains([]string{"2008-10-17", "2012-10-17"}, *raw.Version) {
		return nil, malformed("there is no version %s", *raw.Version)
	}
	statements, err := statementsOf(raw.Statement)
	if err != nil {
		return nil, malformed("%v", err)
	}
	if kind == Identity && !d.variables {
		return nil, invalid("Policy document must be version 2012-10-17 or greater.")
	}
	sids := map[string]bool{}
	for _, s := range statements {
		if kind != Trust && s.Sid != "" && sids[s.Sid] {
			return nil, invalid("Statement IDs (SID) in a single policy must be unique.")
		}
		sids[s.Sid] = true
	}
	for _, s := range statements {
		parsed, err := parseStatement(kind, s)
		if err != nil {
			return nil, err
		}
		d.statements = append(d.statements, parsed)
	}
	for _, key := range d.Keys() {
		if !keyPattern.MatchString(key) {
			return nil, invalid("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
		}
	}
	return d, nil
}

var keyPattern = regexp.MustCompile(`^[^\s:]+:\S+$`)

func statementsOf(raw json.RawMessage) ([]rawStatement, error) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	if len(list) == 0 {
		return nil, errors.New("there is no statement")
	}
	statements := make([]rawStatement, len(list))
	for i, b := range list {
		s := &statements[i]
		if err := strict(b, s, "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) || len(b) == 0 {
				err = errors.New("there is no statement")
			}
			return nil, err
		}
		switch {
		case s.Effect == nil || *s.Effect != "Allow" && *s.Effect != "Deny":
			return nil, errors.New("an effect is Allow or Deny")
		case s.Action != nil && s.NotAction != nil:
			return nil, errors.New("a statement has Action or NotAction")
		case s.Resource != nil && s.NotResource != nil:
			return nil, errors.New("a statement has Resource or NotResource")
		case s.Principal != nil && s.NotPrincipal != nil:
			return nil, errors.New("a statement has Principal or NotPrincipal")
		}
	}
	return statements, nil
}

func parseStatement(kind Kind, raw rawStatement) (statement, error) {
	s := statement{deny: *raw.Effect == "Deny"}
	named := raw.Principal != nil || raw.NotPrincipal != nil
	switch {
	case kind == Identity && named:
		return s, invalid("Policy document should not specify a principal.")
	case kind == Trust && (raw.Resource != nil || raw.NotResource != nil):
		return s, invalid("Has prohibited field Resource")
	case len(raw.Action)+len(raw.NotAction) == 0:
		return s, invalid("Policy statement must contain actions.")
	case kind == Identity && len(raw.Resource)+len(raw.NotResource) == 0:
		return s, invalid("Policy statement must contain resources.")
	case kind != Identity && !named:
		return s, invalid("Missing required field Principal")
	case raw.NotPrincipal != nil && !s.deny:
		return s, invalid("Allow with NotPrincipal is not allowed.")
	}
	s.actions = patterns{raw.Action, false}
	if raw.NotAction != nil {
		s.actions = patterns{raw.NotAction, true}
	}
	s.resources = patterns{raw.Resource, false}
	if raw.NotResource != nil {
		s.resources = patterns{raw.NotResource, true}
	}
	for _, r := range s.resources.list {
		if err := checkResource(kind, r); err != nil {
			return s, err
		}
	}
	for _, a := range s.actions.list {
		if err := checkAction(a); err != nil {
			return s, err
		}
		if prefix, _, _ := strings.Cut(a, ":"); kind == Trust && !strings.EqualFold(prefix, "sts") && a != "*" {
			return s, invalid("AssumeRole policy may only specify STS AssumeRole actions.")
		}
	}
	if named {
		p, err := parsePrincipals(raw)
		if err != nil {
			return s, err
		}
		s.principals = p
	}
	for operator, keys := range raw.Condition {
		for key, values := range keys {
			c, err := newCondition(operator, key, values)
			if err != nil {
				return s, err
			}
			s.conditions = append(s.conditions, c)
		}
		if _, err := newCondition(operator, "aws:username", nil); err != nil {
			return s, err
		}
	}
	return s, nil
}

var vendor = regexp.MustCompile(`^[a-zA-Z0-9.-]+$`)

func checkAction(action string) error {
	if action == "*" {
		return nil
	}
	prefix, name, ok := strings.Cut(action, ":")
	switch {
	case !ok:
		return invalid("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	case strings.Contains(name, ":"):
		return invalid("Actions/Condition can contain only one colon.")
	case !vendor.MatchString(prefix):
		return invalid("Vendor %s is not valid", prefix)
	}
	return nil
}

func checkResource(kind Kind, resource string) error {
	if resource == "*" || kind == Resource && !strings.HasPrefix(resource, "arn:") {
		return nil // a service says itself what it takes for the name of its own resource
	}
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) == 1 {
		return invalid("Resource %s must be in ARN format or \"*\".", resource)
	}
	if !slices.Contains([]string{"aws", "aws-cn", "aws-us-gov", "*", "aws*"}, parts[1]) && !strings.HasPrefix(parts[1], "${") {
		rest := parts[2:]
		for len(rest) < 4 {
			rest = append(rest, "*")
		}
		return invalid("Partition \"%s\" is not valid for resource \"arn:%s:%s\".", parts[1], parts[1], strings.Join(rest, ":"))
	}
	switch {
	case len(parts) == 2:
		return invalid("Resource vendor must be fully qualified and cannot contain regexes.")
	case parts[2] == "" || len(parts) < 6 && strings.Contains(resource, "::"):
		return invalid("The policy failed legacy parsing")
	case strings.ContainsAny(parts[2], "*?"):
		return invalid("Resource vendor must be fully qualified and cannot contain regexes.")
	case parts[2] == "iam" && len(parts) > 3 && parts[3] != "" && parts[3] != "*":
		return invalid("IAM resource %s cannot contain region information.", resource)
	case parts[2] == "s3" && len(parts) > 3 && parts[3] != "" && parts[3] != "*":
		return invalid("Resource %s can not contain region information.", resource)
	}
	return nil
}

var (
	accountID  = regexp.MustCompile(`^[0-9]{12}$`)
	accountARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):root$`)
	entityARN  = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/[^*?]+$`)
	sessionARN = regexp.MustCompile(`^arn:aws[a-z-]*:sts::[0-9]{12}:(assumed-role/[^/*?]+|federated-user)/[^/*?]+$`)
	uniqueID   = regexp.MustCompile(`^A(ROA|IDA)[A-Z0-9]{12,}$`)
	servicePr  = regexp.MustCompile(`^[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal)$`)
)

func parsePrincipals(raw rawStatement) (*principals, error) {
	p := &principals{not: raw.NotPrincipal != nil}
	text := raw.Principal
	if p.not {
		text = raw.NotPrincipal
	}
	var word string
	if json.Unmarshal(text, &word) == nil {
		if word != "*" {
			return nil, invalid("Invalid principal in policy: \"STAR\":%q", word)
		}
		p.anybody = true
		return p, nil
	}
	var kinds map[string]stringOrList
	if err := json.Unmarshal(text, &kinds); err != nil {
		return nil, malformed("principal: %v", err)
	}
	if len(kinds) == 0 {
		return nil, malformed("a principal is missing")
	}
	for kind, values := range kinds {
		for _, v := range values {
			ok := true
			switch kind {
			case "AWS":
				account := accountARN.FindStringSubmatch(v)
				switch {
				case v == "*":
					p.anybody = true
				case account != nil:
					p.aws = append(p.aws, account[1])
				case accountID.MatchString(v), entityARN.MatchString(v), sessionARN.MatchString(v), uniqueID.MatchString(v):
					p.aws = append(p.aws, v)
				default:
					ok = false
				}
			case "Service":
				if ok = servicePr.MatchString(v) || v == "*"; ok {
					p.service = append(p.service, v)
				}
			case "Federated":
				p.federate = append(p.federate, v)
			case "CanonicalUser":
				return nil, malformed("the local cloud has no canonical user ids; name the principal by its ARN")
			default:
				return nil, malformed("there is no principal of type %s", kind)
			}
			if !ok {
				return nil, invalid("Invalid principal in policy: %q:%q", strings.ToUpper(kind), v)
			}
		}
	}
	return p, nil
}
