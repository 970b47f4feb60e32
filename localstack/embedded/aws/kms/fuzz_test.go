package kms_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/kms"
)

// FuzzCiphertext opens changed ciphertexts: none may be taken for another, and none may do harm.
func FuzzCiphertext(f *testing.F) {
	c := &api.Call{Context: context.Background(), Account: "000000000000", Region: "us-east-1"}
	s := kms.New(kms.Options{})
	defer s.Close()
	sealed, _, err := s.Encrypt(c, "alias/aws/sqs", []byte("secret"), map[string]string{"a": "1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, byte(1), 0)
	f.Add(20, byte(255), 30)
	f.Add(len(sealed)-1, byte(0), 100)
	f.Fuzz(func(t *testing.T, at int, with byte, length int) {
		blob := bytes.Clone(sealed)
		blob[uint(at)%uint(len(blob))] ^= with
		blob = blob[:uint(length)%uint(len(blob)+1)]
		plaintext, _, err := s.Decrypt(c, blob, map[string]string{"a": "1"})
		if bytes.Equal(blob, sealed) {
			if string(plaintext) != "secret" {
				t.Fatalf("%q, %v", plaintext, err)
			}
			return
		}
		var e *api.Error
		if !errors.As(err, &e) || e.Code != "InvalidCiphertextException" {
			t.Fatalf("a changed ciphertext gives %q, %v", plaintext, err)
		}
	})
}
