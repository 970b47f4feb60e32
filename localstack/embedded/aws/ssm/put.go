package ssm

import (
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

const (
	standard      = "Standard"
	advanced      = "Advanced"
	intelligent   = "Intelligent-Tiering"
	secure        = "SecureString"
	standardSize  = 4096 // characters
	advancedSize  = 8192
	maxVersions   = 100
	maxStandard   = 10000 // parameters of an account and region
	maxText       = 1024
	defaultKey    = "alias/aws/ssm"
	moreOnTiers   = "For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
	tagsOverwrite = "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. " +
		"To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource."
)

var kinds = []string{"String", "StringList", secure}

type putInput struct {
	Name, Value, Type, Description, AllowedPattern, Tier, DataType, Policies string
	KeyID                                                                    string `json:"KeyId"`
	Overwrite                                                                bool
	Tags                                                                     []tag
}

type putOutput struct {
	Version int
	Tier    string
}

// check checks what of a request does not depend on the parameter that may be there.
func (in *putInput) check() error {
	if err := checkName(in.Name); err != nil {
		return err
	}
	switch {
	case in.Value == "":
		return constraint("value", "", "have length greater than or equal to 1")
	case in.Type != "" && !slices.Contains(kinds, in.Type):
		return constraint("type", in.Type, "satisfy enum value set: [SecureString, StringList, String]")
	case !slices.Contains([]string{"", standard, advanced, intelligent}, in.Tier):
		return constraint("tier", in.Tier, "satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]")
	case utf8.RuneCountInString(in.Description) > maxText:
		return constraint("description", in.Description, "have length less than or equal to 1024")
	case len(in.AllowedPattern) > maxText:
		return constraint("allowedPattern", in.AllowedPattern, "have length less than or equal to 1024")
	case in.Overwrite && len(in.Tags) > 0:
		return validation(tagsOverwrite)
	case in.Policies != "" && in.Policies != "[]" && in.Policies != "[{}]":
		return validation("The local cloud does not offer Policies.")
	case in.DataType != "" && in.DataType != "text":
		return validation("The local cloud does not offer the DataType %s.", in.DataType)
	case strings.Contains(in.Value, "{{"):
		return validation("Parameter value can't nest another parameter. Do not use {{}} in the value.")
	}
	return nil
}

func (s *Service) putParameter(c *api.Call, in *putInput) (*putOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	tags, err := setTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := at(c)
	old := s.parameters[p][in.Name]
	v := &version{number: 1, kind: in.Type, value: in.Value, pattern: in.AllowedPattern, text: in.Description, modified: time.Now(), user: s.caller(c)}
	var was *version
	switch {
	case old == nil && in.Type == "":
		return nil, validation("A parameter type is required when you create a parameter.")
	case old == nil && len(s.parameters[p]) >= maxStandard:
		return nil, api.Errorf("ParameterLimitExceeded", "You have exceeded the number of parameters for this AWS account. "+
			"Delete one or more parameters and try again.")
	case old != nil && !in.Overwrite:
		return nil, api.Errorf("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case old != nil:
		was = old.latest()
		if in.Type != "" && in.Type != was.kind {
			return nil, api.Errorf("HierarchyTypeMismatchException", "Parameter Store doesn't support changing a parameter type in a hierarchy. "+
				"For example, you can't change a parameter from a String type to a SecureString type. You must create a new, unique parameter.")
		}
		v.number, v.kind = was.number+1, was.kind
		if v.text == "" {
			v.text = was.text
		}
		if v.pattern == "" {
			v.pattern = was.pattern
		}
		if first := old.versions[0]; len(old.versions) == maxVersions && len(first.labels) > 0 {
			return nil, api.Errorf("ParameterMaxVersionLimitExceeded", "You attempted to create a new version of %s by calling the PutParameter API "+
				"with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. "+
				"Move the label to another version of the parameter, and try again.", in.Name, first.number)
		}
	}
	if v.tier, err = tierOf(in, was); err != nil {
		return nil, err
	}
	if v.pattern != "" {
		pattern, err := regexp.Compile(v.pattern)
		if err != nil {
			return nil, api.Errorf("InvalidAllowedPatternException", "The request doesn't meet the regular expression requirement: %v", err)
		}
		if !pattern.MatchString(in.Value) {
			return nil, api.Errorf("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", v.pattern)
		}
	}
	if err := s.seal(c, in, was, v); err != nil {
		return nil, err
	}
	if old == nil {
		old = &parameter{place: p, name: in.Name, tags: tags}
		if s.parameters[p] == nil {
			s.parameters[p] = map[string]*parameter{}
		}
		s.parameters[p][in.Name] = old
	}
	if old.versions = append(old.versions, v); len(old.versions) > maxVersions {
		old.versions = old.versions[1:]
	}
	return &putOutput{v.number, v.tier}, nil
}

// tierOf decides the tier of a new version, and checks the value's size. An advanced parameter stays one.
func tierOf(in *putInput, was *version) (string, error) {
	size, tier := utf8.RuneCountInString(in.Value), in.Tier
	switch {
	case was != nil && was.tier == advanced && tier == standard:
		return "", validation("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier " +
			"to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
	case was != nil && was.tier == advanced:
		tier = advanced
	case tier == intelligent && size > standardSize:
		tier = advanced
	case tier == intelligent, tier == "":
		tier = standard
	}
	switch {
	case tier == standard && size > standardSize:
		return "", validation("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, "+
			"upgrade the parameter to use the advanced-parameter tier. %s", standardSize, moreOnTiers)
	case size > advancedSize:
		return "", validation("Advanced tier parameters support a maximum parameter value of %d characters. %s", advancedSize, moreOnTiers)
	}
	return tier, nil
}

// maxSealed is what KMS encrypts at once, in bytes; of an advanced parameter longer ones are encrypted piece by piece.
const maxSealed = 4096

// seal encrypts the value of a SecureString.
func (s *Service) seal(c *api.Call, in *putInput, was, v *version) error {
	if v.kind != secure {
		if in.KeyID != "" {
			return validation("KeyId is required for SecureString type parameter only.")
		}
		return nil
	}
	if v.keyID = in.KeyID; v.keyID == "" {
		v.keyID = defaultKey
		if was != nil {
			v.keyID = was.keyID
		}
	}
	var sealed []string
	for piece := range slices.Chunk([]byte(in.Value), maxSealed) {
		blob, err := s.keys.Encrypt(c, v.keyID, piece, encryptionContext(at(c), in.Name))
		if err != nil {
			var e *api.Error
			if errors.As(err, &e) && e.Code == "NotFoundException" {
				return api.Errorf("InvalidKeyId", "%s", e.Message)
			}
			return err
		}
		sealed = append(sealed, base64.StdEncoding.EncodeToString(blob))
	}
	v.value = strings.Join(sealed, ".")
	return nil
}

// encryptionContext binds a ciphertext to its parameter.
// Source: AWS KMS Developer Guide, "How Parameter Store uses AWS KMS", encryption context (checked 2026-12-01).
func encryptionContext(p place, name string) map[string]string {
	return map[string]string{"PARAMETER_ARN": p.arn(name)}
}

// reveal returns a version's value, of a SecureString the ciphertext unless it is to be decrypted.
func (s *Service) reveal(c *api.Call, p *parameter, v *version, decrypt bool) (string, error) {
	if v.kind != secure || !decrypt {
		return v.value, nil
	}
	var b strings.Builder
	for piece := range strings.SplitSeq(v.value, ".") {
		blob, err := base64.StdEncoding.DecodeString(piece)
		if err != nil {
			return "", err
		}
		plaintext, err := s.keys.Decrypt(c, blob, encryptionContext(p.place, p.name))
		if err != nil {
			var e *api.Error
			if errors.As(err, &e) && strings.HasSuffix(e.Code, "Exception") && e.Code != "AccessDeniedException" {
				return "", api.Errorf("InvalidKeyId", "%s (Service: AWSKMS; Error Code: %s)", e.Message, e.Code)
			}
			return "", err
		}
		b.Write(plaintext)
	}
	return b.String(), nil
}

type tag struct{ Key, Value string }

const maxTags = 50

// setTags returns tags with more added or overwritten.
func setTags(tags, more []tag) ([]tag, error) {
	tags = slices.Clone(tags)
	for i, t := range more {
		if t.Key == "" || utf8.RuneCountInString(t.Key) > 128 {
			return nil, constraint("tags."+strconv.Itoa(i+1)+".member.key", t.Key, "have length between 1 and 128")
		}
		if utf8.RuneCountInString(t.Value) > 256 {
			return nil, constraint("tags."+strconv.Itoa(i+1)+".member.value", t.Value, "have length less than or equal to 256")
		}
		if i := slices.IndexFunc(tags, func(old tag) bool { return old.Key == t.Key }); i >= 0 {
			tags[i] = t
		} else {
			tags = append(tags, t)
		}
	}
	if len(tags) > maxTags {
		return nil, api.Errorf("TooManyTagsError", "")
	}
	return tags, nil
}

type resourceInput struct {
	ResourceType string
	ResourceID   string `json:"ResourceId"`
	Tags         []tag
	TagKeys      []string
}

// tagged returns the parameter that a request about tags names. The caller holds mu.
func (s *Service) tagged(c *api.Call, in *resourceInput) (*parameter, error) {
	if in.ResourceType != "Parameter" {
		return nil, api.Errorf("InvalidResourceType", "The local cloud tags resources of type Parameter only, not %s.", in.ResourceType)
	}
	if p := s.parameters[at(c)][in.ResourceID]; p != nil {
		return p, nil
	}
	return nil, api.Errorf("InvalidResourceId", "")
}

func (s *Service) addTagsToResource(c *api.Call, in *resourceInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(c, in)
	if err != nil {
		return nil, err
	}
	tags, err := setTags(p.tags, in.Tags)
	if err != nil {
		return nil, err
	}
	p.tags = tags
	return &struct{}{}, nil
}

func (s *Service) removeTagsFromResource(c *api.Call, in *resourceInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(c, in)
	if err != nil {
		return nil, err
	}
	p.tags = slices.DeleteFunc(slices.Clone(p.tags), func(t tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return &struct{}{}, nil
}

type tagsOutput struct{ TagList []tag }

func (s *Service) listTagsForResource(c *api.Call, in *resourceInput) (*tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(c, in)
	if err != nil {
		return nil, err
	}
	return &tagsOutput{p.tags}, nil
}
