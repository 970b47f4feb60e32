package sts

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

// Limits of AssumeRole and GetSessionToken, in seconds and characters.
const (
	minDuration     = 900
	maxDuration     = 43200
	defaultDuration = 3600
	chained         = 3600 // of a role assumed with a role's credentials
	maxToken        = 129600
	defaultToken    = 43200
	maxRootToken    = 3600

	maxPolicy     = 2048 // of the session policy and the ARNs of managed ones together
	maxPolicyARNs = 10
	maxTags       = 50

	maxTokenSize = 4096 // bytes: MinimumSessionTokenSize
	usualToken   = 400  // the real size depends on what is in the token
)

var (
	sessionName = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
	roleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`)
	anyARN      = regexp.MustCompile(`^arn:[^:\s]+:[^:\s]+:[^:\s]*:[^:\s]*:.+$`)
	tagText     = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

type tag struct{ Key, Value string }

type policyDescriptor struct{ Arn string }

type providedContext struct{ ProviderArn, ContextAssertion string }

type assumeRoleInput struct {
	RoleArn, RoleSessionName string
	PolicyArns               []policyDescriptor
	Policy                   *string
	DurationSeconds          *int
	Tags                     []tag
	TransitiveTagKeys        []string
	ExternalID               *string `json:"ExternalId" query:"ExternalId"`
	SerialNumber, TokenCode  *string
	SourceIdentity           *string
	ProvidedContexts         []providedContext
	MinimumSessionTokenSize  *int
}

type assumedRoleUser struct {
	AssumedRoleID string `json:"AssumedRoleId" query:"AssumedRoleId"`
	Arn           string
}

type assumeRoleOutput struct {
	Credentials             Credentials
	AssumedRoleUser         assumedRoleUser
	PackedPolicySize        *int
	SessionTokenSize        int
	SessionTokenUtilization int
	SourceIdentity          string
}

// tokenSize returns the size of a session token that is to have at least minimum bytes, and that in percent of the most.
func tokenSize(minimum *int) (size, percent int, err error) {
	size = usualToken
	if minimum != nil {
		if *minimum < 0 || *minimum > maxTokenSize {
			return 0, 0, validation("minimumSessionTokenSize", strconv.Itoa(*minimum), "have value between 0 and 4096")
		}
		size = max(size, *minimum)
	}
	return size, (size*100 + maxTokenSize - 1) / maxTokenSize, nil
}

// invalidLength returns the validation error of a text that is too short or too long, or nil.
func invalidLength(field, value string, least, most int) error {
	switch n := utf8.RuneCountInString(value); {
	case n < least:
		return validation(field, value, "have length greater than or equal to "+strconv.Itoa(least))
	case n > most:
		return validation(field, value, "have length less than or equal to "+strconv.Itoa(most))
	}
	return nil
}

func validation(field, value, must string) error {
	return api.Errorf("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, field, must)
}

func required(field string) error {
	return api.Errorf("ValidationError", "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", field)
}

func (in *assumeRoleInput) check() error {
	switch {
	case in.RoleArn == "":
		return required("roleArn")
	case in.RoleSessionName == "":
		return required("roleSessionName")
	}
	for _, text := range []struct {
		field       string
		value       *string
		least, most int
		pattern     *regexp.Regexp
		shown       string
	}{
		{"roleArn", &in.RoleArn, 20, 2048, nil, ""},
		{"roleSessionName", &in.RoleSessionName, 2, 64, sessionName, `[\w+=,.@-]*`},
		{"externalId", in.ExternalID, 2, 1224, externalID, `[\w+=,.@:\/-]*`},
		{"sourceIdentity", in.SourceIdentity, 2, 64, sessionName, `[\w+=,.@-]*`},
	} {
		if text.value == nil {
			continue
		}
		if err := invalidLength(text.field, *text.value, text.least, text.most); err != nil {
			return err
		}
		if text.pattern != nil && !text.pattern.MatchString(*text.value) {
			return validation(text.field, *text.value, "satisfy regular expression pattern: "+text.shown)
		}
	}
	switch {
	case !anyARN.MatchString(in.RoleArn):
		return api.Errorf("ValidationError", "%s is invalid", in.RoleArn)
	case in.SerialNumber != nil || in.TokenCode != nil:
		return api.Errorf("ValidationError", "The local cloud has no MFA: SerialNumber and TokenCode are not offered.")
	case len(in.ProvidedContexts) > 0:
		return api.Errorf("ValidationError", "The local cloud does not offer ProvidedContexts.")
	}
	return checkDuration(in.DurationSeconds, maxDuration)
}

func checkDuration(seconds *int, most int) error {
	switch {
	case seconds == nil:
		return nil
	case *seconds < minDuration:
		return validation("durationSeconds", strconv.Itoa(*seconds), "have value greater than or equal to 900")
	case *seconds > most:
		return validation("durationSeconds", strconv.Itoa(*seconds), "have value less than or equal to "+strconv.Itoa(most))
	}
	return nil
}

func (s *Service) assumeRole(c *api.Call, in *assumeRoleInput) (*assumeRoleOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	arn, _, from := s.caller(c)
	r, ok := s.identities.Role(in.RoleArn)
	if !ok || !roleARN.MatchString(in.RoleArn) {
		return nil, accessDenied("User: " + arn + " is not authorized to perform: sts:AssumeRole on resource: " + in.RoleArn)
	}
	session := sessionOf(r, in.RoleSessionName)
	if err := in.tag(&session, from); err != nil {
		return nil, err
	}
	if err := s.ask(c, in, r, session); err != nil {
		return nil, err
	}
	packed, err := s.limit(in, &session)
	if err != nil {
		return nil, err
	}
	seconds := defaultDuration
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	switch {
	case seconds > r.MaxSession:
		return nil, api.Errorf("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	case from != nil && from.Role != "" && seconds > chained:
		return nil, api.Errorf("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	size, percent, err := tokenSize(in.MinimumSessionTokenSize)
	if err != nil {
		return nil, err
	}
	return &assumeRoleOutput{
		Credentials:     s.issue(session, time.Duration(seconds)*time.Second, size),
		AssumedRoleUser: assumedRoleUser{session.UserID(), session.ARN}, PackedPolicySize: packed, SourceIdentity: session.Source,
		SessionTokenSize: size, SessionTokenUtilization: percent,
	}, nil
}

// tag gives the session its tags, those that the calling session hands on, and the source identity.
// Source: IAM User Guide, "Pass session tags in AWS STS", chaining roles (checked 2026-12-01).
func (in *assumeRoleInput) tag(session, from *Session) error {
	if len(in.Tags) > maxTags {
		return api.Errorf("ValidationError", "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")
	}
	session.Tags = map[string]string{}
	seen := map[string]bool{}
	for i, t := range in.Tags {
		at := "tags." + strconv.Itoa(i+1) + ".member."
		for _, text := range []struct {
			field, value string
			least, most  int
		}{{"key", t.Key, 1, 128}, {"value", t.Value, 0, 256}} {
			if err := invalidLength(at+text.field, text.value, text.least, text.most); err != nil {
				return err
			}
			if !tagText.MatchString(text.value) {
				return validation(at+text.field, text.value, `satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+`)
			}
		}
		key := strings.ToLower(t.Key)
		if seen[key] {
			return api.Errorf("InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[key] = true
		session.Tags[t.Key] = t.Value
	}
	for _, key := range in.TransitiveTagKeys {
		if !seen[strings.ToLower(key)] {
			return api.Errorf("InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.")
		}
		session.Transitive = append(session.Transitive, key)
	}
	if from != nil {
		for _, key := range from.Transitive {
			if seen[strings.ToLower(key)] {
				return api.Errorf("InvalidParameterValue", "One of the specified transitive tag keys can't be set "+
					"because it conflicts with a transitive tag key from the calling session.")
			}
			session.Tags[key] = from.Tags[key]
			session.Transitive = append(session.Transitive, key)
		}
		session.Source = from.Source
	}
	if in.SourceIdentity != nil {
		if session.Source != "" && session.Source != *in.SourceIdentity {
			return accessDenied("SourceIdentity of the calling session cannot be changed.")
		}
		session.Source = *in.SourceIdentity
	}
	return nil
}

// ask asks the role's trust policy, where policies are enforced.
func (s *Service) ask(c *api.Call, in *assumeRoleInput, r Role, session Session) error {
	if s.trust == nil {
		return nil
	}
	context := map[string][]string{"sts:rolesessionname": {in.RoleSessionName}}
	if in.ExternalID != nil {
		context["sts:externalid"] = []string{*in.ExternalID}
	}
	if in.SourceIdentity != nil {
		context["sts:sourceidentity"] = []string{*in.SourceIdentity}
	}
	for _, t := range in.Tags {
		context["aws:requesttag/"+strings.ToLower(t.Key)] = []string{t.Value}
		context["aws:tagkeys"] = append(context["aws:tagkeys"], t.Key)
	}
	if len(session.Transitive) > 0 {
		context["sts:transitivetagkeys"] = session.Transitive
	}
	actions := []string{"sts:AssumeRole"}
	if len(in.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if in.SourceIdentity != nil {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, action := range actions {
		if err := s.trust(c, action, r, context); err != nil {
			return err
		}
	}
	return nil
}

// limit gives the session its policies. The packed size is in percent of what is allowed; the real one is compressed in a way that
// is not published, and smaller.
func (s *Service) limit(in *assumeRoleInput, session *Session) (packed *int, err error) {
	if in.Policy == nil && len(in.PolicyArns) == 0 {
		return nil, nil
	}
	session.Policies = []*policy.Document{}
	total := 0
	if in.Policy != nil {
		if err := invalidLength("policy", *in.Policy, 1, maxPolicy); err != nil {
			return nil, err
		}
		d, err := policy.Parse(policy.Identity, *in.Policy)
		var e *policy.Error
		if errors.As(err, &e) {
			return nil, api.Errorf("MalformedPolicyDocument", "%s", e.Message)
		}
		for _, key := range d.Keys() {
			if s.evaluable != nil && !s.evaluable(key) {
				return nil, api.Errorf("MalformedPolicyDocument", "The local cloud enforces policies and cannot evaluate the condition key %s.", key)
			}
		}
		session.Policies = append(session.Policies, d)
		total = len(*in.Policy)
	}
	if len(in.PolicyArns) > maxPolicyARNs {
		return nil, api.Errorf("ValidationError", "1 validation error detected: "+
			"Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10")
	}
	for _, p := range in.PolicyArns {
		d, ok := s.identities.ManagedPolicy(session.Account, p.Arn)
		if !ok {
			return nil, api.Errorf("ValidationError", "PolicyArn %s does not exist or is not attachable.", p.Arn)
		}
		session.Policies = append(session.Policies, d)
		total += len(p.Arn)
	}
	percent := (total*100 + maxPolicy - 1) / maxPolicy
	if percent > 100 {
		return nil, api.Errorf("PackedPolicyTooLarge", "Packed policy consumes %d%% of allotted space, please use smaller policy.", percent)
	}
	return &percent, nil
}

type getSessionTokenInput struct {
	DurationSeconds         *int
	SerialNumber, TokenCode *string
	MinimumSessionTokenSize *int
}

type getSessionTokenOutput struct {
	Credentials             Credentials
	SessionTokenSize        int
	SessionTokenUtilization int
}

func (s *Service) getSessionToken(c *api.Call, in *getSessionTokenInput) (*getSessionTokenOutput, error) {
	if err := checkDuration(in.DurationSeconds, maxToken); err != nil {
		return nil, err
	}
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, api.Errorf("ValidationError", "The local cloud has no MFA: SerialNumber and TokenCode are not offered.")
	}
	arn, id, from := s.caller(c)
	if from != nil {
		return nil, accessDenied("Cannot call GetSessionToken with session credentials")
	}
	seconds := defaultToken
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	if id == c.Account {
		seconds = min(seconds, maxRootToken)
	}
	size, percent, err := tokenSize(in.MinimumSessionTokenSize)
	if err != nil {
		return nil, err
	}
	return &getSessionTokenOutput{s.issue(Session{Account: c.Account, ARN: arn, RoleID: id}, time.Duration(seconds)*time.Second, size), size, percent}, nil
}

type getAccessKeyInfoInput struct {
	AccessKeyID string `json:"AccessKeyId" query:"AccessKeyId"`
}

type getAccessKeyInfoOutput struct{ Account string }

var accessKeyID = regexp.MustCompile(`^\w*$`)

// getAccessKeyInfo knows the keys that this cloud issued. The service reads the account of any other out of the key.
func (s *Service) getAccessKeyInfo(_ *api.Call, in *getAccessKeyInfoInput) (*getAccessKeyInfoOutput, error) {
	if err := invalidLength("accessKeyId", in.AccessKeyID, 16, 128); err != nil {
		return nil, err
	}
	if !accessKeyID.MatchString(in.AccessKeyID) {
		return nil, validation("accessKeyId", in.AccessKeyID, `satisfy regular expression pattern: [\w]*`)
	}
	if session, ok := s.Session(in.AccessKeyID); ok {
		return &getAccessKeyInfoOutput{session.Account}, nil
	}
	if u, ok := s.identities.User(in.AccessKeyID); ok {
		return &getAccessKeyInfoOutput{u.Account}, nil
	}
	return nil, api.Errorf("ValidationError", "The local cloud did not issue the access key %s.", in.AccessKeyID)
}
