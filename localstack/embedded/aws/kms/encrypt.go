package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

const (
	maxPlaintext = 4096 // bytes
	maxRandom    = 1024
)

// blob is a ciphertext's form: a byte that is 1, the key's id, a nonce of 12 bytes, and what AES-GCM made.
const (
	blobVersion = 1
	idSize      = 16
	nonceSize   = 12
)

func (k *key) aead() cipher.AEAD {
	block, err := aes.NewCipher(k.material[:])
	if err != nil {
		panic(err) // the material has the right size
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // the cipher is AES
	}
	return gcm
}

// additional is what a ciphertext is bound to: the key and the encryption context, whose order does not matter.
func (k *key) additional(context map[string]string) []byte {
	b := []byte(k.arn())
	names := make([]string, 0, len(context))
	for name := range context {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, text := range []string{name, context[name]} {
			b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
			b = append(b, text...)
		}
	}
	return b
}

func (k *key) seal(plaintext []byte, context map[string]string) []byte {
	id, err := hex.DecodeString(strings.ReplaceAll(k.id, "-", ""))
	if err != nil {
		panic(err) // it is a UUID
	}
	b := append([]byte{blobVersion}, id...)
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce) // it does not fail
	b = append(b, nonce...)
	return k.aead().Seal(b, nonce, plaintext, k.additional(context))
}

var errCiphertext = &api.Error{Code: "InvalidCiphertextException"}

// sealedBy finds the key of a ciphertext, in the region and any account. The caller holds mu.
func (s *Service) sealedBy(region string, blob []byte) (*key, error) {
	s.expire()
	if len(blob) < 1+idSize+nonceSize || blob[0] != blobVersion {
		return nil, errCiphertext
	}
	h := hex.EncodeToString(blob[1 : 1+idSize])
	id := strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
	for _, k := range s.keys {
		if k.id == id && k.region == region {
			return k, nil
		}
	}
	return nil, errCiphertext
}

func (k *key) open(blob []byte, context map[string]string) ([]byte, error) {
	if err := k.usable(); err != nil {
		return nil, err
	}
	rest := blob[1+idSize:]
	plaintext, err := k.aead().Open(nil, rest[:nonceSize], rest[nonceSize:], k.additional(context))
	if err != nil {
		return nil, errCiphertext
	}
	return plaintext, nil
}

// algorithm refuses what is no symmetric encryption, and what the local cloud has not.
func algorithm(name string, dryRun bool, recipient any) error {
	switch {
	case name != "" && name != "SYMMETRIC_DEFAULT":
		return api.Errorf("InvalidKeyUsageException", "Algorithm %s and key spec SYMMETRIC_DEFAULT are not compatible.", name)
	case dryRun:
		return validation("The local cloud does not offer DryRun.")
	case recipient != nil:
		return validation("The local cloud does not offer Recipient.")
	}
	return nil
}

type encryptInput struct {
	KeyID               string `json:"KeyId"`
	Plaintext           []byte
	EncryptionContext   map[string]string
	EncryptionAlgorithm string
	GrantTokens         []string
	DryRun              bool
}

type encryptOutput struct {
	CiphertextBlob      []byte
	KeyID               string `json:"KeyId"`
	EncryptionAlgorithm string
}

func (s *Service) encrypt(c *api.Call, in *encryptInput) (*encryptOutput, error) {
	if err := algorithm(in.EncryptionAlgorithm, in.DryRun, nil); err != nil {
		return nil, err
	}
	blob, arn, err := s.Encrypt(c, in.KeyID, in.Plaintext, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return &encryptOutput{blob, arn, "SYMMETRIC_DEFAULT"}, nil
}

// Encrypt encrypts up to 4,096 bytes with the key that an id, an ARN or an alias names, and returns the key's ARN too. Its errors are
// those of the operation Encrypt, of type *api.Error. Whether the caller may is not asked.
func (s *Service) Encrypt(c *api.Call, keyID string, plaintext []byte, context map[string]string) (blob []byte, keyARN string, err error) {
	if len(plaintext) < 1 || len(plaintext) > maxPlaintext {
		return nil, "", validation("1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length between 1 and 4096")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.find(at(c), keyID)
	if err == nil {
		err = k.usable()
	}
	if err != nil {
		return nil, "", err
	}
	return k.seal(plaintext, context), k.arn(), nil
}

// Decrypt opens a ciphertext of the call's region. Whether the caller may is not asked.
func (s *Service) Decrypt(c *api.Call, blob []byte, context map[string]string) (plaintext []byte, keyARN string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.sealedBy(c.Region, blob)
	if err != nil {
		return nil, "", err
	}
	plaintext, err = k.open(blob, context)
	return plaintext, k.arn(), err
}

type decryptInput struct {
	CiphertextBlob      []byte
	KeyID               string `json:"KeyId"`
	EncryptionContext   map[string]string
	EncryptionAlgorithm string
	GrantTokens         []string
	DryRun              bool
	Recipient           any
}

type decryptOutput struct {
	KeyID               string `json:"KeyId"`
	Plaintext           []byte
	EncryptionAlgorithm string
}

func (s *Service) decrypt(c *api.Call, in *decryptInput) (*decryptOutput, error) {
	if err := algorithm(in.EncryptionAlgorithm, in.DryRun, in.Recipient); err != nil {
		return nil, err
	}
	if in.KeyID != "" {
		if err := s.sealedWith(c, in.KeyID, in.CiphertextBlob); err != nil {
			return nil, err
		}
	}
	plaintext, arn, err := s.Decrypt(c, in.CiphertextBlob, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return &decryptOutput{arn, plaintext, "SYMMETRIC_DEFAULT"}, nil
}

// sealedWith checks that a ciphertext is of the key that the request names.
func (s *Service) sealedWith(c *api.Call, keyID string, blob []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	named, err := s.find(at(c), keyID)
	if err != nil {
		return err
	}
	if k, err := s.sealedBy(c.Region, blob); err != nil || k != named {
		return api.Errorf("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
	}
	return nil
}

type reEncryptInput struct {
	CiphertextBlob                                        []byte
	SourceKeyID                                           string `json:"SourceKeyId"`
	DestinationKeyID                                      string `json:"DestinationKeyId"`
	SourceEncryptionContext, DestinationEncryptionContext map[string]string
	SourceEncryptionAlgorithm                             string
	DestinationEncryptionAlgorithm                        string
	GrantTokens                                           []string
	DryRun                                                bool
}

type reEncryptOutput struct {
	CiphertextBlob                                            []byte
	SourceKeyID                                               string `json:"SourceKeyId"`
	KeyID                                                     string `json:"KeyId"`
	SourceEncryptionAlgorithm, DestinationEncryptionAlgorithm string
}

func (s *Service) reEncrypt(c *api.Call, in *reEncryptInput) (*reEncryptOutput, error) {
	for _, name := range []string{in.SourceEncryptionAlgorithm, in.DestinationEncryptionAlgorithm} {
		if err := algorithm(name, in.DryRun, nil); err != nil {
			return nil, err
		}
	}
	if in.SourceKeyID != "" {
		if err := s.sealedWith(c, in.SourceKeyID, in.CiphertextBlob); err != nil {
			return nil, err
		}
	}
	plaintext, from, err := s.Decrypt(c, in.CiphertextBlob, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	blob, to, err := s.Encrypt(c, in.DestinationKeyID, plaintext, in.DestinationEncryptionContext)
	if err != nil {
		return nil, err
	}
	return &reEncryptOutput{blob, from, to, "SYMMETRIC_DEFAULT", "SYMMETRIC_DEFAULT"}, nil
}

type dataKeyInput struct {
	KeyID             string `json:"KeyId"`
	EncryptionContext map[string]string
	KeySpec           string
	NumberOfBytes     *int
	GrantTokens       []string
	DryRun            bool
	Recipient         any
}

type dataKeyOutput struct {
	CiphertextBlob []byte
	Plaintext      []byte `json:",omitempty"`
	KeyID          string `json:"KeyId"`
}

func (s *Service) generateDataKey(c *api.Call, in *dataKeyInput) (*dataKeyOutput, error) {
	if err := algorithm("", in.DryRun, in.Recipient); err != nil {
		return nil, err
	}
	var size int
	switch {
	case (in.KeySpec == "") == (in.NumberOfBytes == nil):
		return nil, validation("Please specify either number of bytes or key spec.")
	case in.KeySpec == "AES_256":
		size = 32
	case in.KeySpec == "AES_128":
		size = 16
	case in.KeySpec != "":
		return nil, constraint("keySpec", in.KeySpec, "satisfy enum value set: [AES_256, AES_128]")
	default:
		if err := checkBytes(in.NumberOfBytes); err != nil {
			return nil, err
		}
		size = *in.NumberOfBytes
	}
	plaintext := make([]byte, size)
	_, _ = rand.Read(plaintext) // it does not fail
	blob, arn, err := s.Encrypt(c, in.KeyID, plaintext, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return &dataKeyOutput{blob, plaintext, arn}, nil
}

func checkBytes(n *int) error {
	switch {
	case n == nil:
		return validation("NumberOfBytes is required.")
	case *n < 1:
		return constraint("numberOfBytes", strconv.Itoa(*n), "have value greater than or equal to 1")
	case *n > maxRandom:
		return constraint("numberOfBytes", strconv.Itoa(*n), "have value less than or equal to 1024")
	}
	return nil
}

func (s *Service) generateDataKeyWithoutPlaintext(c *api.Call, in *dataKeyInput) (*dataKeyOutput, error) {
	out, err := s.generateDataKey(c, in)
	if err == nil {
		out.Plaintext = nil
	}
	return out, err
}

type randomInput struct {
	NumberOfBytes    *int
	CustomKeyStoreID string `json:"CustomKeyStoreId"`
	Recipient        any
}

type randomOutput struct{ Plaintext []byte }

func (s *Service) generateRandom(_ *api.Call, in *randomInput) (*randomOutput, error) {
	if in.CustomKeyStoreID != "" || in.Recipient != nil {
		return nil, unsupported("The local cloud does not offer CustomKeyStoreId and Recipient.")
	}
	if err := checkBytes(in.NumberOfBytes); err != nil {
		return nil, err
	}
	b := make([]byte, *in.NumberOfBytes)
	_, _ = rand.Read(b) // it does not fail
	return &randomOutput{b}, nil
}

// resources returns the ARNs of the keys and aliases that a request is about. A key that is not there is for the operation to refuse.
func (s *Service) resources(c *api.Call, in any) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var arns []string
	add := func(k *key, err error) {
		if err == nil {
			arns = append(arns, k.arn())
		}
	}
	v := reflect.ValueOf(in).Elem()
	for _, field := range []string{"KeyID", "TargetKeyID", "DestinationKeyID"} {
		if f := v.FieldByName(field); f.IsValid() && f.String() != "" {
			add(s.find(at(c), f.String()))
		}
	}
	if f := v.FieldByName("CiphertextBlob"); f.IsValid() {
		add(s.sealedBy(c.Region, f.Bytes()))
	}
	if f := v.FieldByName("AliasName"); f.IsValid() {
		arns = append(arns, at(c).arn(f.String()))
	}
	return arns
}
