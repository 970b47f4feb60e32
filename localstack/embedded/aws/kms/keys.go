package kms

import (
	"crypto/rand"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

const (
	maxDescription = 8192
	maxPolicy      = 32768
	maxTags        = 50
	minWindow      = 7 // days
	maxWindow      = 30
	minRotation    = 90 // days
	maxRotation    = 2560
	usualRotation  = 365
	day            = 24 * time.Hour
)

// managedAliases are the services that have a key which AWS manages, made when it is first used.
var managedAliases = []string{"dynamodb", "ebs", "kinesis", "lambda", "rds", "s3", "secretsmanager", "sns", "sqs", "ssm", "xray"}

const managedPrefix = "alias/aws/"

var keyID = regexp.MustCompile(`^(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

type tag struct{ TagKey, TagValue string }

// defaultPolicy is the policy of a key that was made without one: the account's own policies decide.
func defaultPolicy(account string) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::` + account + `:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
}

// managedPolicy is the policy of a key that AWS manages: whoever may use the service may use the key by it.
func managedPolicy(account, service string) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "auto-` + service + `-1",
  "Statement" : [ {
    "Sid" : "Allow access through ` + service + ` for all principals in the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "kms:CallerAccount" : "` + account + `",
        "kms:ViaService" : "` + service + `.amazonaws.com"
      }
    }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::` + account + `:root"
    },
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  } ]
}`
}

// add makes a key. The caller holds mu.
func (s *Service) add(p place, policy, description string) *key {
	k := &key{place: p, id: api.UUID(), description: description, created: time.Now(), policy: policy}
	_, _ = rand.Read(k.material[:]) // it does not fail
	s.keys[k.arn()] = k
	return k
}

// expire drops the keys whose waiting period is over, with their aliases. The caller holds mu.
func (s *Service) expire() {
	now := time.Now()
	for arn, k := range s.keys {
		if k.deletion.IsZero() || now.Before(k.deletion) {
			continue
		}
		delete(s.keys, arn)
		for name, a := range s.aliases[k.place] {
			if a.target == k {
				delete(s.aliases[k.place], name)
			}
		}
	}
}

// find returns the key that an id, an ARN, an alias or an alias's ARN names. The caller holds mu.
func (s *Service) find(p place, id string) (*key, error) {
	s.expire()
	if id == "" {
		return nil, validation("1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	name := id
	if strings.HasPrefix(id, "arn:") {
		parts := strings.SplitN(id, ":", 6)
		if len(parts) < 6 || parts[2] != "kms" {
			return nil, notFound("Invalid arn %s", id)
		}
		if parts[3] != p.region {
			return nil, notFound("Invalid arn %s", parts[3])
		}
		p.account, name = parts[4], strings.TrimPrefix(parts[5], "key/")
	}
	if strings.HasPrefix(name, "alias/") {
		if a := s.alias(p, name); a != nil {
			return a.target, nil
		}
		return nil, notFound("Alias %s is not found.", p.arn(name))
	}
	if !keyID.MatchString(name) {
		return nil, notFound("Invalid keyId '%s'", name)
	}
	if k := s.keys[p.arn("key/"+name)]; k != nil {
		return k, nil
	}
	return nil, notFound("Key '%s' does not exist", p.arn("key/"+name))
}

// alias returns an alias, or nil. The key of a service of AWS is made here. The caller holds mu.
func (s *Service) alias(p place, name string) *alias {
	if a := s.aliases[p][name]; a != nil {
		return a
	}
	service, ok := strings.CutPrefix(name, managedPrefix)
	if !ok || !slices.Contains(managedAliases, service) {
		return nil
	}
	k := s.add(p, managedPolicy(p.account, service+"."+p.region), "Default key that protects my "+service+" resources when no other key is defined")
	k.managed, k.rotationPeriod, k.rotationsStarted = true, usualRotation, k.created
	return s.name(k, name)
}

func (s *Service) name(k *key, name string) *alias {
	if s.aliases[k.place] == nil {
		s.aliases[k.place] = map[string]*alias{}
	}
	a := &alias{name, k, time.Now(), time.Now()}
	s.aliases[k.place][name] = a
	return a
}

// usable returns an error unless the key can encrypt and be changed.
func (k *key) usable() error {
	switch {
	case !k.deletion.IsZero():
		return invalidState(k, "pending deletion")
	case k.disabled:
		return api.Errorf("DisabledException", "%s is disabled.", k.arn())
	}
	return nil
}

// own returns a key that the account may change. The caller holds mu.
func (s *Service) own(c *api.Call, id string) (*key, error) {
	k, err := s.find(at(c), id)
	if err == nil && k.managed {
		err = api.Errorf("AccessDeniedException", "%s is a key that AWS manages: %s is not possible.", k.arn(), c.Action)
	}
	return k, err
}

type keyMetadata struct {
	AWSAccountID          string `json:"AWSAccountId"`
	KeyID                 string `json:"KeyId"`
	Arn                   string
	CreationDate          api.Timestamp
	Enabled               bool
	Description           string
	KeyUsage              string
	KeyState              string
	DeletionDate          api.Timestamp `json:",omitzero"`
	Origin                string
	KeyManager            string
	CustomerMasterKeySpec string
	KeySpec               string
	EncryptionAlgorithms  []string
	MultiRegion           bool
}

func (k *key) state() string {
	switch {
	case !k.deletion.IsZero():
		return "PendingDeletion"
	case k.disabled:
		return "Disabled"
	}
	return "Enabled"
}

func (k *key) metadata() keyMetadata {
	manager := "CUSTOMER"
	if k.managed {
		manager = "AWS"
	}
	return keyMetadata{
		AWSAccountID: k.account, KeyID: k.id, Arn: k.arn(), CreationDate: api.At(k.created), Enabled: k.state() == "Enabled", Description: k.description,
		KeyUsage: "ENCRYPT_DECRYPT", KeyState: k.state(), DeletionDate: api.At(k.deletion), Origin: "AWS_KMS", KeyManager: manager,
		CustomerMasterKeySpec: "SYMMETRIC_DEFAULT", KeySpec: "SYMMETRIC_DEFAULT", EncryptionAlgorithms: []string{"SYMMETRIC_DEFAULT"},
	}
}

type createKeyInput struct {
	Policy, Description, KeyUsage, CustomerMasterKeySpec, KeySpec, Origin string
	CustomKeyStoreID                                                      string `json:"CustomKeyStoreId"`
	XksKeyID                                                              string `json:"XksKeyId"`
	BypassPolicyLockoutSafetyCheck, MultiRegion                           bool
	Tags                                                                  []tag
}

type keyOutput struct{ KeyMetadata keyMetadata }

func (s *Service) createKey(c *api.Call, in *createKeyInput) (*keyOutput, error) {
	for parameter, value := range map[string]string{
		"KeyUsage " + in.KeyUsage: strings.TrimPrefix(in.KeyUsage, "ENCRYPT_DECRYPT"), "KeySpec " + in.KeySpec: strings.TrimPrefix(in.KeySpec, "SYMMETRIC_DEFAULT"),
		"CustomerMasterKeySpec " + in.CustomerMasterKeySpec: strings.TrimPrefix(in.CustomerMasterKeySpec, "SYMMETRIC_DEFAULT"),
		"Origin " + in.Origin:                               strings.TrimPrefix(in.Origin, "AWS_KMS"), "CustomKeyStoreId": in.CustomKeyStoreID, "XksKeyId": in.XksKeyID,
	} {
		if value != "" {
			return nil, unsupported("The local cloud does not offer %s: it has symmetric keys of its own making.", parameter)
		}
	}
	if in.MultiRegion {
		return nil, unsupported("The local cloud does not offer MultiRegion.")
	}
	if err := checkDescription(in.Description); err != nil {
		return nil, err
	}
	tags, err := setTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	text := defaultPolicy(c.Account)
	if in.Policy != "" {
		if err := s.checkPolicy(c, in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
			return nil, err
		}
		text = in.Policy
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.add(at(c), text, in.Description)
	k.tags = tags
	return &keyOutput{k.metadata()}, nil
}

func checkDescription(text string) error {
	if len(text) > maxDescription {
		return constraint("description", text, "have length less than or equal to 8192")
	}
	return nil
}

// checkPolicy checks a key policy. Unless that is bypassed, the account must be able to change it again: it must name the account,
// or somebody of it, for everything or kms:PutKeyPolicy.
// Source: AWS KMS Developer Guide, "Default key policy" and PutKeyPolicy, BypassPolicyLockoutSafetyCheck (checked 2026-12-01).
func (s *Service) checkPolicy(c *api.Call, text string, bypass bool) error {
	if len(text) > maxPolicy {
		return api.Errorf("LimitExceededException", "The key policy is longer than %d bytes.", maxPolicy)
	}
	d, err := policy.Parse(policy.Resource, text)
	var e *policy.Error
	if errors.As(err, &e) {
		return api.Errorf("MalformedPolicyDocumentException", "%s", e.Message)
	}
	if bypass {
		return nil
	}
	root := "arn:aws:iam::" + c.Account + ":root"
	for _, name := range append(d.Principals(), c.Account) {
		who := policy.Principal{Account: c.Account, ARN: name}
		if name == c.Account {
			who.ARN = root
		} else if !strings.Contains(name, "::"+c.Account+":") {
			continue
		}
		all := policy.Policies{Resource: d, Decides: true}
		if all.Evaluate(&policy.Request{Principal: who, Action: "kms:PutKeyPolicy", Resource: "*"}).Allowed {
			return nil
		}
	}
	return api.Errorf("MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future.")
}

type keyInput struct {
	KeyID       string `json:"KeyId"`
	GrantTokens []string
}

func (s *Service) describeKey(c *api.Call, in *keyInput) (*keyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.find(at(c), in.KeyID)
	if err != nil {
		return nil, err
	}
	return &keyOutput{k.metadata()}, nil
}

// page is the part of a list that a request asks for.
type page struct {
	Limit  *int
	Marker string
}

func cut[T any](items []T, name func(T) string, p page, most int) (list []T, truncated bool, next string, err error) {
	limit := most
	if p.Limit != nil {
		if *p.Limit < 1 || *p.Limit > 1000 {
			return nil, false, "", constraint("limit", strconv.Itoa(*p.Limit), "have value between 1 and 1000")
		}
		limit = *p.Limit
	}
	slices.SortFunc(items, func(a, b T) int { return strings.Compare(name(a), name(b)) })
	items = slices.DeleteFunc(items, func(item T) bool { return p.Marker != "" && name(item) <= p.Marker })
	if len(items) <= limit {
		return items, false, "", nil
	}
	return items[:limit], true, name(items[limit-1]), nil
}

type listKeysInput struct {
	ResourceOwners []string
	Limit          *int
	Marker         string
}

type keyEntry struct {
	KeyID  string `json:"KeyId"`
	KeyArn string
}

type listKeysOutput struct {
	Keys       []keyEntry
	Truncated  bool
	NextMarker string `json:",omitempty"`
}

func (s *Service) listKeys(c *api.Call, in *listKeysInput) (*listKeysOutput, error) {
	if slices.Contains(in.ResourceOwners, "OTHER_ACCOUNTS_VIA_RAM") {
		return nil, unsupported("The local cloud does not offer keys that other accounts share.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	keys := []keyEntry{}
	for _, k := range s.keys {
		if k.place == at(c) {
			keys = append(keys, keyEntry{k.id, k.arn()})
		}
	}
	keys, truncated, next, err := cut(keys, func(k keyEntry) string { return k.KeyID }, page{in.Limit, in.Marker}, 100)
	if err != nil {
		return nil, err
	}
	return &listKeysOutput{keys, truncated, next}, nil
}

func (s *Service) enableKey(c *api.Call, in *keyInput) (*struct{}, error) { return s.able(c, in, true) }
func (s *Service) disableKey(c *api.Call, in *keyInput) (*struct{}, error) {
	return s.able(c, in, false)
}

func (s *Service) able(c *api.Call, in *keyInput, enabled bool) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.own(c, in.KeyID)
	if err != nil {
		return nil, err
	}
	if !k.deletion.IsZero() {
		return nil, invalidState(k, "pending deletion")
	}
	k.disabled = !enabled
	return &struct{}{}, nil
}

type scheduleInput struct {
	KeyID               string `json:"KeyId"`
	PendingWindowInDays *int
}

type scheduleOutput struct {
	KeyID               string `json:"KeyId"`
	DeletionDate        api.Timestamp
	KeyState            string
	PendingWindowInDays int
}

func (s *Service) scheduleKeyDeletion(c *api.Call, in *scheduleInput) (*scheduleOutput, error) {
	days := maxWindow
	if in.PendingWindowInDays != nil {
		days = *in.PendingWindowInDays
	}
	if days < minWindow || days > maxWindow {
		return nil, constraint("pendingWindowInDays", strconv.Itoa(days), "have value between 7 and 30")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.own(c, in.KeyID)
	if err != nil {
		return nil, err
	}
	if !k.deletion.IsZero() {
		return nil, invalidState(k, "pending deletion")
	}
	k.deletion = time.Now().Add(time.Duration(days) * day)
	return &scheduleOutput{k.arn(), api.At(k.deletion), k.state(), days}, nil
}

type keyIDOutput struct {
	KeyID string `json:"KeyId"`
}

// cancelKeyDeletion leaves the key disabled.
func (s *Service) cancelKeyDeletion(c *api.Call, in *keyInput) (*keyIDOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.own(c, in.KeyID)
	if err != nil {
		return nil, err
	}
	if k.deletion.IsZero() {
		return nil, invalidState(k, "not pending deletion")
	}
	k.deletion, k.disabled = time.Time{}, true
	return &keyIDOutput{k.arn()}, nil
}

type descriptionInput struct {
	KeyID       string `json:"KeyId"`
	Description string
}

func (s *Service) updateKeyDescription(c *api.Call, in *descriptionInput) (*struct{}, error) {
	if err := checkDescription(in.Description); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.own(c, in.KeyID)
	if err != nil {
		return nil, err
	}
	if !k.deletion.IsZero() {
		return nil, invalidState(k, "pending deletion")
	}
	k.description = in.Description
	return &struct{}{}, nil
}

type rotationInput struct {
	KeyID                string `json:"KeyId"`
	RotationPeriodInDays *int
}

func (s *Service) enableKeyRotation(c *api.Call, in *rotationInput) (*struct{}, error) {
	days := usualRotation
	if in.RotationPeriodInDays != nil {
		days = *in.RotationPeriodInDays
	}
	if days < minRotation || days > maxRotation {
		return nil, constraint("rotationPeriodInDays", strconv.Itoa(days), "have value between 90 and 2560")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.own(c, in.KeyID)
	if err == nil {
		err = k.usable()
	}
	if err != nil {
		return nil, err
	}
	k.rotationPeriod, k.rotationsStarted = days, time.Now()
	return &struct{}{}, nil
}

func (s *Service) disableKeyRotation(c *api.Call, in *keyInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.own(c, in.KeyID)
	if err == nil {
		err = k.usable()
	}
	if err != nil {
		return nil, err
	}
	k.rotationPeriod = 0
	return &struct{}{}, nil
}

type rotationOutput struct {
	KeyID                string `json:"KeyId"`
	KeyRotationEnabled   bool
	RotationPeriodInDays int           `json:",omitempty"`
	NextRotationDate     api.Timestamp `json:",omitzero"`
}

func (s *Service) getKeyRotationStatus(c *api.Call, in *keyInput) (*rotationOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.find(at(c), in.KeyID)
	if err != nil {
		return nil, err
	}
	out := &rotationOutput{KeyID: k.arn()}
	if k.rotationPeriod > 0 && k.deletion.IsZero() {
		period := time.Duration(k.rotationPeriod) * day
		past := time.Since(k.rotationsStarted) / period
		out.KeyRotationEnabled, out.RotationPeriodInDays, out.NextRotationDate = true, k.rotationPeriod, api.At(k.rotationsStarted.Add((past+1)*period))
	}
	return out, nil
}

type policyInput struct {
	KeyID                          string `json:"KeyId"`
	PolicyName, Policy             string
	BypassPolicyLockoutSafetyCheck bool
}

type policyOutput struct{ Policy, PolicyName string }

func (in *policyInput) checkName() error {
	if in.PolicyName != "" && in.PolicyName != "default" {
		return notFound("No such policy exists")
	}
	return nil
}

func (s *Service) getKeyPolicy(c *api.Call, in *policyInput) (*policyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.find(at(c), in.KeyID)
	if err == nil {
		err = in.checkName()
	}
	if err != nil {
		return nil, err
	}
	return &policyOutput{k.policy, "default"}, nil
}

func (s *Service) putKeyPolicy(c *api.Call, in *policyInput) (*struct{}, error) {
	if err := s.checkPolicy(c, in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.own(c, in.KeyID)
	if err == nil {
		err = in.checkName()
	}
	if err != nil {
		return nil, err
	}
	if !k.deletion.IsZero() {
		return nil, invalidState(k, "pending deletion")
	}
	k.policy = in.Policy
	return &struct{}{}, nil
}

type policiesOutput struct {
	PolicyNames []string
	Truncated   bool
}

func (s *Service) listKeyPolicies(c *api.Call, in *keyInput) (*policiesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(at(c), in.KeyID); err != nil {
		return nil, err
	}
	return &policiesOutput{PolicyNames: []string{"default"}}, nil
}

type tagsInput struct {
	KeyID   string `json:"KeyId"`
	Tags    []tag
	TagKeys []string
	Limit   *int
	Marker  string
}

func setTags(tags, more []tag) ([]tag, error) {
	tags = slices.Clone(tags)
	for _, t := range more {
		switch {
		case t.TagKey == "" || len(t.TagKey) > 128 || len(t.TagValue) > 256 || strings.HasPrefix(t.TagKey, "aws:"):
			return nil, api.Errorf("TagException", "Invalid tag key or value")
		}
		if i := slices.IndexFunc(tags, func(old tag) bool { return old.TagKey == t.TagKey }); i >= 0 {
			tags[i] = t
		} else {
			tags = append(tags, t)
		}
	}
	if len(tags) > maxTags {
		return nil, api.Errorf("LimitExceededException", "Too many tags.")
	}
	return tags, nil
}

func (s *Service) tagResource(c *api.Call, in *tagsInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.own(c, in.KeyID)
	if err != nil {
		return nil, err
	}
	tags, err := setTags(k.tags, in.Tags)
	if err != nil {
		return nil, err
	}
	k.tags = tags
	return &struct{}{}, nil
}

func (s *Service) untagResource(c *api.Call, in *tagsInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.own(c, in.KeyID)
	if err != nil {
		return nil, err
	}
	k.tags = slices.DeleteFunc(slices.Clone(k.tags), func(t tag) bool { return slices.Contains(in.TagKeys, t.TagKey) })
	return &struct{}{}, nil
}

type tagsOutput struct {
	Tags       []tag
	Truncated  bool
	NextMarker string `json:",omitempty"`
}

func (s *Service) listResourceTags(c *api.Call, in *tagsInput) (*tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.find(at(c), in.KeyID)
	if err != nil {
		return nil, err
	}
	tags, truncated, next, err := cut(slices.Clone(k.tags), func(t tag) string { return t.TagKey }, page{in.Limit, in.Marker}, maxTags)
	if err != nil {
		return nil, err
	}
	return &tagsOutput{tags, truncated, next}, nil
}
