// Package kms is AWS Key Management Service as far as the course and CDK go: symmetric keys with aliases, policies, tags, rotation
// settings and deletion after a waiting period, the keys that AWS manages (alias/aws/*), and encryption with them.
//
// Encryption is real: AES-256 in Galois/Counter Mode with the encryption context as additional data, so that a ciphertext is opened
// with its key and its context only. The blob's form is our own. Keys are deleted by the clock. The key material of a key with
// rotation stays the same, which no caller can tell.
//
// Not offered: asymmetric and HMAC keys, imported material, custom key stores, multi-Region keys, grants, Nitro enclaves, dry runs;
// operations and parameters for them answer UnsupportedOperationException or ValidationException and say so.
//
// Sources, where a comment names no other: AWS KMS API Reference and Developer Guide as of 2026-12-01; messages as the service was
// recorded to send them (github.com/localstack/localstack, tests/aws/services/kms/test_kms.snapshot.json, 2023 to 2024).
package kms

import (
	"log/slog"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Options configure a Service.
type Options struct {
	Log *slog.Logger // nil discards
}

// Service is KMS in every region and account. It is safe for concurrent use.
type Service struct {
	log *slog.Logger

	mu      sync.Mutex
	keys    map[string]*key             // by ARN
	aliases map[place]map[string]*alias // by name, with its prefix
}

// place is an account in a region.
type place struct{ account, region string }

func at(c *api.Call) place { return place{c.Account, c.Region} }

func (p place) arn(kind string) string {
	return "arn:aws:kms:" + p.region + ":" + p.account + ":" + kind
}

type key struct {
	place
	id, description  string
	managed          bool // by AWS
	disabled         bool
	created          time.Time
	deletion         time.Time // zero: it stays
	material         [32]byte
	policy           string
	tags             []tag
	rotationPeriod   int // days; 0: no rotation
	rotationsStarted time.Time
}

func (k *key) arn() string { return k.place.arn("key/" + k.id) }

type alias struct {
	name             string
	target           *key
	created, updated time.Time
}

// New returns a service without keys.
func New(o Options) *Service {
	s := &Service{log: o.Log, keys: map[string]*key{}, aliases: map[place]map[string]*alias{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// API returns the service's operations for the endpoint.
func (s *Service) API() *api.Service {
	operations := api.Operations{
		"CancelKeyDeletion":               api.Op(s.cancelKeyDeletion),
		"CreateAlias":                     api.Op(s.createAlias),
		"CreateKey":                       api.Op(s.createKey),
		"Decrypt":                         api.Op(s.decrypt),
		"DeleteAlias":                     api.Op(s.deleteAlias),
		"DescribeKey":                     api.Op(s.describeKey),
		"DisableKey":                      api.Op(s.disableKey),
		"DisableKeyRotation":              api.Op(s.disableKeyRotation),
		"EnableKey":                       api.Op(s.enableKey),
		"EnableKeyRotation":               api.Op(s.enableKeyRotation),
		"Encrypt":                         api.Op(s.encrypt),
		"GenerateDataKey":                 api.Op(s.generateDataKey),
		"GenerateDataKeyWithoutPlaintext": api.Op(s.generateDataKeyWithoutPlaintext),
		"GenerateRandom":                  api.Op(s.generateRandom),
		"GetKeyPolicy":                    api.Op(s.getKeyPolicy),
		"GetKeyRotationStatus":            api.Op(s.getKeyRotationStatus),
		"ListAliases":                     api.Op(s.listAliases),
		"ListKeyPolicies":                 api.Op(s.listKeyPolicies),
		"ListKeys":                        api.Op(s.listKeys),
		"ListResourceTags":                api.Op(s.listResourceTags),
		"PutKeyPolicy":                    api.Op(s.putKeyPolicy),
		"ReEncrypt":                       api.Op(s.reEncrypt),
		"ScheduleKeyDeletion":             api.Op(s.scheduleKeyDeletion),
		"TagResource":                     api.Op(s.tagResource),
		"UntagResource":                   api.Op(s.untagResource),
		"UpdateAlias":                     api.Op(s.updateAlias),
		"UpdateKeyDescription":            api.Op(s.updateKeyDescription),
	}
	for _, name := range notOffered {
		operations[name] = api.Op(s.refuse)
	}
	return &api.Service{
		Name: "kms", TargetPrefix: "TrentService", JSONVersion: "1.1", ShapePrefix: "com.amazonaws.kms", Operations: operations, Log: s.log,
		Resources: s.resources,
	}
}

// Close forgets all keys.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.keys)
	clear(s.aliases)
}

var notOffered = []string{
	"ConnectCustomKeyStore", "Decapsulate", "Encapsulate", "GetKeyLastUsage", "CreateCustomKeyStore", "CreateGrant", "DeleteCustomKeyStore", "DeleteImportedKeyMaterial", "DeriveSharedSecret",
	"DescribeCustomKeyStores", "DisconnectCustomKeyStore", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac",
	"GetParametersForImport", "GetPublicKey", "ImportKeyMaterial", "ListGrants", "ListKeyRotations", "ListRetirableGrants", "ReplicateKey",
	"RetireGrant", "RevokeGrant", "RotateKeyOnDemand", "Sign", "UpdateCustomKeyStore", "UpdatePrimaryRegion", "Verify", "VerifyMac",
}

// refuse answers an operation that KMS has and the local cloud has not.
func (s *Service) refuse(c *api.Call, _ *struct{}) (*struct{}, error) {
	s.log.Warn("operation is not offered", "service", "kms", "operation", c.Action, "request", c.RequestID)
	return nil, unsupported("%s is not offered by the local cloud.", c.Action)
}

// ResourcePolicy returns the policy of the key of that ARN; empty: there is no such key.
func (s *Service) ResourcePolicy(arn string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.keys[arn]; k != nil {
		return k.policy
	}
	return ""
}

func validation(format string, args ...any) error {
	return api.Errorf("ValidationException", format, args...)
}

// constraint is the validation error of one parameter.
func constraint(field, value, must string) error {
	return validation("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, field, must)
}

func notFound(format string, args ...any) error {
	return api.Errorf("NotFoundException", format, args...)
}

func unsupported(format string, args ...any) error {
	return api.Errorf("UnsupportedOperationException", format, args...)
}

func invalidState(k *key, is string) error {
	return api.Errorf("KMSInvalidStateException", "%s is %s.", k.arn(), is)
}

// Managed tells whether the key of that ARN is one that AWS manages, which whoever may use the service may use by it.
func (s *Service) Managed(arn string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[arn]
	return k != nil && k.managed
}
