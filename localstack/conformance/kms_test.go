package conformance_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// The rules of KMS. Their sources are the AWS KMS Developer Guide and API Reference; "recorded" is what the service answered to the
// tests of LocalStack (github.com/localstack/localstack, tests/aws/services/kms/test_kms.snapshot.json), with the year.

const kmsChecked = "2026-12-01"

// kmsCloud is a Cloud with the calls that the rules make again and again; a failed call ends the rule.
type kmsCloud struct {
	*conformance.Cloud
	*kms.Client
	t   *testing.T
	ctx context.Context
}

func kmsRule(t *testing.T, takes time.Duration, name, source string, f func(t *testing.T, c kmsCloud)) {
	t.Helper()
	conformance.Run(t, conformance.Rule{Name: name, Source: source, Checked: kmsChecked, Takes: takes}, func(t *testing.T, c *conformance.Cloud) {
		f(t, kmsCloud{c, kms.NewFromConfig(c.AWS()), t, t.Context()})
	})
}

func (c kmsCloud) ok(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// key creates a key, which a shared endpoint drops after a week.
func (c kmsCloud) key() *types.KeyMetadata {
	c.t.Helper()
	out, err := c.CreateKey(c.ctx, &kms.CreateKeyInput{Description: aws.String(c.Name("key"))})
	c.ok(err)
	if !c.Embedded() {
		c.t.Cleanup(func() {
			_, _ = c.ScheduleKeyDeletion(context.WithoutCancel(c.ctx), &kms.ScheduleKeyDeletionInput{KeyId: out.KeyMetadata.KeyId, PendingWindowInDays: aws.Int32(7)}) // the rule may have done so
		})
	}
	return out.KeyMetadata
}

func (c kmsCloud) alias(k *types.KeyMetadata) string {
	c.t.Helper()
	name := "alias/" + c.Name("key")
	_, err := c.CreateAlias(c.ctx, &kms.CreateAliasInput{AliasName: &name, TargetKeyId: k.KeyId})
	c.ok(err)
	if !c.Embedded() {
		c.t.Cleanup(func() {
			_, _ = c.DeleteAlias(context.WithoutCancel(c.ctx), &kms.DeleteAliasInput{AliasName: &name}) // the rule may have done so
		})
	}
	return name
}

func (c kmsCloud) describe(id string) (*types.KeyMetadata, error) {
	out, err := c.DescribeKey(c.ctx, &kms.DescribeKeyInput{KeyId: &id})
	if err != nil {
		return nil, err
	}
	return out.KeyMetadata, nil
}

func TestKMSKeys(t *testing.T) {
	kmsRule(t, 0, "a new key is symmetric, enabled and the customer's", "recorded 2023: test_create_key", func(t *testing.T, c kmsCloud) {
		k := c.key()
		if !strings.HasSuffix(*k.Arn, ":key/"+*k.KeyId) || !k.Enabled || k.KeyState != types.KeyStateEnabled || k.KeyManager != types.KeyManagerTypeCustomer ||
			k.KeyUsage != types.KeyUsageTypeEncryptDecrypt || k.KeySpec != types.KeySpecSymmetricDefault || k.Origin != types.OriginTypeAwsKms {
			t.Errorf("%+v", k)
		}
	})
	kmsRule(t, 0, "a key is named by its id, its ARN, an alias or the alias's ARN", "Developer Guide: Key identifiers", func(t *testing.T, c kmsCloud) {
		k := c.key()
		name := c.alias(k)
		for _, id := range []string{*k.KeyId, *k.Arn, name, strings.Replace(*k.Arn, "key/"+*k.KeyId, name, 1)} {
			got, err := c.describe(id)
			c.ok(err)
			if *got.Arn != *k.Arn {
				t.Errorf("%s is %s, want %s", id, *got.Arn, *k.Arn)
			}
		}
	})
	kmsRule(t, 0, "what is no key says what it is not", "recorded 2023: test_get_key_does_not_exist, test_get_key_invalid_uuid", func(t *testing.T, c kmsCloud) {
		k := c.key()
		last := "0"
		if strings.HasSuffix(*k.KeyId, "0") {
			last = "1"
		}
		none := (*k.KeyId)[:35] + last
		for id, message := range map[string]string{
			none: "Key '" + strings.Replace(*k.Arn, *k.KeyId, none, 1) + "' does not exist", "fake-key-id": "Invalid keyId 'fake-key-id'",
			"alias/" + c.Name("none"): " is not found.",
		} {
			_, err := c.describe(id)
			wantError[*types.NotFoundException](t, err)
			wantMessage(t, err, "NotFoundException", message)
		}
	})
	kmsRule(t, 0, "keys belong to a region", "recorded 2023: test_get_key_in_different_region", func(t *testing.T, c kmsCloud) {
		k := c.key()
		there := kms.NewFromConfig(c.AWS(), func(o *kms.Options) { o.Region = "ap-southeast-1" })
		_, err := there.DescribeKey(c.ctx, &kms.DescribeKeyInput{KeyId: k.KeyId})
		wantError[*types.NotFoundException](t, err)
		_, err = there.DescribeKey(c.ctx, &kms.DescribeKeyInput{KeyId: k.Arn})
		wantMessage(t, err, "NotFoundException", "Invalid arn ")
	})
	kmsRule(t, 0, "an alias is unique, has its prefix, and moves to another key", "API Reference: CreateAlias, UpdateAlias", func(t *testing.T, c kmsCloud) {
		k, other := c.key(), c.key()
		name := c.alias(k)
		create := func(name string) error {
			_, err := c.CreateAlias(c.ctx, &kms.CreateAliasInput{AliasName: &name, TargetKeyId: k.KeyId})
			return err
		}
		wantError[*types.AlreadyExistsException](t, create(name))
		wantCode(t, create("no-prefix"), "ValidationException")
		wantCode(t, create("alias/aws/mine"), "NotAuthorizedException")
		_, err := c.UpdateAlias(c.ctx, &kms.UpdateAliasInput{AliasName: &name, TargetKeyId: other.KeyId})
		c.ok(err)
		if got, err := c.describe(name); err != nil || *got.KeyId != *other.KeyId {
			t.Errorf("%+v %v", got, err)
		}
		_, err = c.DeleteAlias(c.ctx, &kms.DeleteAliasInput{AliasName: &name})
		c.ok(err)
		_, err = c.describe(name)
		wantError[*types.NotFoundException](t, err)
	})
	kmsRule(t, 0, "aliases are listed, of one key or with those of AWS", "API Reference: ListAliases", func(t *testing.T, c kmsCloud) {
		k := c.key()
		name := c.alias(k)
		of, err := c.ListAliases(c.ctx, &kms.ListAliasesInput{KeyId: k.KeyId})
		c.ok(err)
		if len(of.Aliases) != 1 || *of.Aliases[0].AliasName != name || *of.Aliases[0].TargetKeyId != *k.KeyId {
			t.Errorf("%+v", of.Aliases)
		}
		var all []string
		for p := kms.NewListAliasesPaginator(c.Client, &kms.ListAliasesInput{Limit: aws.Int32(3)}); p.HasMorePages(); {
			page, err := p.NextPage(c.ctx)
			c.ok(err)
			for _, a := range page.Aliases {
				all = append(all, *a.AliasName)
			}
		}
		if !slices.Contains(all, name) || !slices.Contains(all, "alias/aws/sqs") {
			t.Errorf("%q", all)
		}
	})
	kmsRule(t, 0, "a key that AWS manages is there when it is used, and not the customer's to delete", "Developer Guide: AWS managed keys", func(t *testing.T, c kmsCloud) {
		k, err := c.describe("alias/aws/sqs")
		c.ok(err)
		again, err := c.describe("alias/aws/sqs")
		c.ok(err)
		if k.KeyManager != types.KeyManagerTypeAws || *again.KeyId != *k.KeyId {
			t.Errorf("%+v", k)
		}
		_, err = c.ScheduleKeyDeletion(c.ctx, &kms.ScheduleKeyDeletionInput{KeyId: k.KeyId})
		wantCode(t, err, "AccessDeniedException")
	})
	kmsRule(t, 8*24*time.Hour, "a key is deleted after its waiting period, with its aliases", "Developer Guide: Deleting AWS KMS keys", func(t *testing.T, c kmsCloud) {
		k := c.key()
		name := c.alias(k)
		start := time.Now()
		out, err := c.ScheduleKeyDeletion(c.ctx, &kms.ScheduleKeyDeletionInput{KeyId: k.KeyId, PendingWindowInDays: aws.Int32(7)})
		c.ok(err)
		if d := out.DeletionDate.Sub(start).Round(time.Hour); d != 7*24*time.Hour || out.KeyState != types.KeyStatePendingDeletion {
			t.Errorf("%s in %s", out.KeyState, d)
		}
		_, err = c.Encrypt(c.ctx, &kms.EncryptInput{KeyId: k.KeyId, Plaintext: []byte("x")})
		wantError[*types.KMSInvalidStateException](t, err)
		c.Sleep(7*24*time.Hour - time.Minute)
		_, err = c.describe(name)
		c.ok(err)
		c.Sleep(2 * time.Minute)
		for _, id := range []string{name, *k.KeyId} {
			_, err = c.describe(id)
			wantError[*types.NotFoundException](t, err)
		}
	})
	kmsRule(t, 0, "a deletion is cancelled, and leaves the key disabled", "API Reference: CancelKeyDeletion", func(t *testing.T, c kmsCloud) {
		k := c.key()
		_, err := c.CancelKeyDeletion(c.ctx, &kms.CancelKeyDeletionInput{KeyId: k.KeyId})
		wantError[*types.KMSInvalidStateException](t, err)
		_, err = c.ScheduleKeyDeletion(c.ctx, &kms.ScheduleKeyDeletionInput{KeyId: k.KeyId})
		c.ok(err)
		_, err = c.CancelKeyDeletion(c.ctx, &kms.CancelKeyDeletionInput{KeyId: k.KeyId})
		c.ok(err)
		if got, err := c.describe(*k.KeyId); err != nil || got.KeyState != types.KeyStateDisabled || got.DeletionDate != nil {
			t.Errorf("%+v %v", got, err)
		}
		_, err = c.EnableKey(c.ctx, &kms.EnableKeyInput{KeyId: k.KeyId})
		c.ok(err)
		_, err = c.ScheduleKeyDeletion(c.ctx, &kms.ScheduleKeyDeletionInput{KeyId: k.KeyId, PendingWindowInDays: aws.Int32(6)})
		wantCode(t, err, "ValidationException")
	})
	kmsRule(t, 0, "rotation is off at first, and yearly when it is on", "API Reference: EnableKeyRotation, GetKeyRotationStatus", func(t *testing.T, c kmsCloud) {
		k := c.key()
		status := func() *kms.GetKeyRotationStatusOutput {
			out, err := c.GetKeyRotationStatus(c.ctx, &kms.GetKeyRotationStatusInput{KeyId: k.KeyId})
			c.ok(err)
			return out
		}
		if status().KeyRotationEnabled {
			t.Error("on at first")
		}
		_, err := c.EnableKeyRotation(c.ctx, &kms.EnableKeyRotationInput{KeyId: k.KeyId})
		c.ok(err)
		if s := status(); !s.KeyRotationEnabled || *s.RotationPeriodInDays != 365 || s.NextRotationDate == nil {
			t.Errorf("%+v", s)
		}
		_, err = c.EnableKeyRotation(c.ctx, &kms.EnableKeyRotationInput{KeyId: k.KeyId, RotationPeriodInDays: aws.Int32(89)})
		wantCode(t, err, "ValidationException")
	})
	kmsRule(t, 0, "a key's policy is the account's at first, and cannot lock it out", "Developer Guide: Default key policy; API Reference: PutKeyPolicy", func(t *testing.T, c kmsCloud) {
		k := c.key()
		got, err := c.GetKeyPolicy(c.ctx, &kms.GetKeyPolicyInput{KeyId: k.KeyId})
		c.ok(err)
		if !strings.Contains(*got.Policy, `"arn:aws:iam::`+*k.AWSAccountId+`:root"`) || !strings.Contains(*got.Policy, `"kms:*"`) {
			t.Error(*got.Policy)
		}
		put := func(policy string) error {
			_, err := c.PutKeyPolicy(c.ctx, &kms.PutKeyPolicyInput{KeyId: k.KeyId, Policy: &policy})
			return err
		}
		wantError[*types.MalformedPolicyDocumentException](t, put("{"))
		wantMessage(t, put(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"kms:*","Resource":"*"}]}`),
			"MalformedPolicyDocumentException", "will not allow you to update the key policy in the future")
		c.ok(put(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + *k.AWSAccountId + `"},"Action":"kms:*","Resource":"*"}]}`))
	})
	kmsRule(t, 0, "a key has tags", "API Reference: TagResource, UntagResource, ListResourceTags", func(t *testing.T, c kmsCloud) {
		k := c.key()
		_, err := c.TagResource(c.ctx, &kms.TagResourceInput{KeyId: k.KeyId, Tags: []types.Tag{{TagKey: aws.String("a"), TagValue: aws.String("1")}, {TagKey: aws.String("b"), TagValue: aws.String("2")}}})
		c.ok(err)
		_, err = c.UntagResource(c.ctx, &kms.UntagResourceInput{KeyId: k.KeyId, TagKeys: []string{"a"}})
		c.ok(err)
		out, err := c.ListResourceTags(c.ctx, &kms.ListResourceTagsInput{KeyId: k.KeyId})
		c.ok(err)
		if len(out.Tags) != 1 || *out.Tags[0].TagKey != "b" {
			t.Errorf("%+v", out.Tags)
		}
	})
	kmsRule(t, 0, "asymmetric keys and grants are refused by the local cloud", "not offered", func(t *testing.T, c kmsCloud) {
		c.Control()
		_, err := c.CreateKey(c.ctx, &kms.CreateKeyInput{KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeSignVerify})
		wantError[*types.UnsupportedOperationException](t, err)
		_, err = c.ListGrants(c.ctx, &kms.ListGrantsInput{KeyId: aws.String("x")})
		wantError[*types.UnsupportedOperationException](t, err)
	})
}

func TestKMSEncryption(t *testing.T) {
	kmsRule(t, 0, "what a key encrypts it decrypts, without being named", "API Reference: Encrypt, Decrypt", func(t *testing.T, c kmsCloud) {
		k := c.key()
		sealed, err := c.Encrypt(c.ctx, &kms.EncryptInput{KeyId: k.KeyId, Plaintext: []byte("secret")})
		c.ok(err)
		if bytes.Contains(sealed.CiphertextBlob, []byte("secret")) || *sealed.KeyId != *k.Arn {
			t.Errorf("%+v", sealed)
		}
		opened, err := c.Decrypt(c.ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
		c.ok(err)
		if string(opened.Plaintext) != "secret" || *opened.KeyId != *k.Arn {
			t.Errorf("%+v", opened)
		}
		_, err = c.Decrypt(c.ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, KeyId: c.key().KeyId})
		wantError[*types.IncorrectKeyException](t, err)
		sealed.CiphertextBlob[len(sealed.CiphertextBlob)-1] ^= 1
		_, err = c.Decrypt(c.ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
		wantError[*types.InvalidCiphertextException](t, err)
	})
	kmsRule(t, 0, "the encryption context must be the same to decrypt", "Developer Guide: Encryption context", func(t *testing.T, c kmsCloud) {
		k := c.key()
		sealed, err := c.Encrypt(c.ctx, &kms.EncryptInput{KeyId: k.KeyId, Plaintext: []byte("secret"), EncryptionContext: map[string]string{"a": "1", "b": "2"}})
		c.ok(err)
		for _, context := range []map[string]string{nil, {"a": "1"}, {"a": "1", "b": "3"}, {"a": "1b2"}} {
			_, err = c.Decrypt(c.ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: context})
			wantError[*types.InvalidCiphertextException](t, err)
		}
		_, err = c.Decrypt(c.ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: map[string]string{"b": "2", "a": "1"}})
		c.ok(err)
	})
	kmsRule(t, 0, "4,096 bytes are encrypted at once", "API Reference: Encrypt, Plaintext", func(t *testing.T, c kmsCloud) {
		k := c.key()
		for size, want := range map[int]bool{4096: true, 4097: false} {
			_, err := c.Encrypt(c.ctx, &kms.EncryptInput{KeyId: k.KeyId, Plaintext: make([]byte, size)})
			if want {
				c.ok(err)
			} else {
				wantCode(t, err, "ValidationException")
			}
		}
	})
	kmsRule(t, 0, "a data key comes plain and encrypted", "API Reference: GenerateDataKey", func(t *testing.T, c kmsCloud) {
		k := c.key()
		data, err := c.GenerateDataKey(c.ctx, &kms.GenerateDataKeyInput{KeyId: k.KeyId, KeySpec: types.DataKeySpecAes256, EncryptionContext: map[string]string{"a": "1"}})
		c.ok(err)
		opened, err := c.Decrypt(c.ctx, &kms.DecryptInput{CiphertextBlob: data.CiphertextBlob, EncryptionContext: map[string]string{"a": "1"}})
		c.ok(err)
		if len(data.Plaintext) != 32 || !bytes.Equal(data.Plaintext, opened.Plaintext) {
			t.Errorf("%d bytes, and %d decrypted", len(data.Plaintext), len(opened.Plaintext))
		}
		_, err = c.GenerateDataKey(c.ctx, &kms.GenerateDataKeyInput{KeyId: k.KeyId})
		wantCode(t, err, "ValidationException")
		for size, want := range map[int32]bool{1: true, 1024: true, 0: false, 1025: false} {
			_, err := c.GenerateDataKey(c.ctx, &kms.GenerateDataKeyInput{KeyId: k.KeyId, NumberOfBytes: &size})
			if want {
				c.ok(err)
			} else {
				wantCode(t, err, "ValidationException")
			}
		}
	})
	kmsRule(t, 0, "a ciphertext changes its key without being seen", "API Reference: ReEncrypt", func(t *testing.T, c kmsCloud) {
		from, to := c.key(), c.key()
		sealed, err := c.Encrypt(c.ctx, &kms.EncryptInput{KeyId: from.KeyId, Plaintext: []byte("secret")})
		c.ok(err)
		moved, err := c.ReEncrypt(c.ctx, &kms.ReEncryptInput{CiphertextBlob: sealed.CiphertextBlob, DestinationKeyId: to.KeyId})
		c.ok(err)
		opened, err := c.Decrypt(c.ctx, &kms.DecryptInput{CiphertextBlob: moved.CiphertextBlob, KeyId: to.KeyId})
		c.ok(err)
		if string(opened.Plaintext) != "secret" || *moved.SourceKeyId != *from.Arn {
			t.Errorf("%+v", moved)
		}
	})
	kmsRule(t, 0, "a disabled key encrypts and decrypts nothing", "Developer Guide: Key states of AWS KMS keys", func(t *testing.T, c kmsCloud) {
		k := c.key()
		sealed, err := c.Encrypt(c.ctx, &kms.EncryptInput{KeyId: k.KeyId, Plaintext: []byte("secret")})
		c.ok(err)
		_, err = c.DisableKey(c.ctx, &kms.DisableKeyInput{KeyId: k.KeyId})
		c.ok(err)
		_, err = c.Encrypt(c.ctx, &kms.EncryptInput{KeyId: k.KeyId, Plaintext: []byte("x")})
		wantError[*types.DisabledException](t, err)
		_, err = c.Decrypt(c.ctx, &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
		wantError[*types.DisabledException](t, err)
	})
	policyRule(t, "a key's policy decides, and names the account to leave it to the account's policies", "Developer Guide: Key policies in AWS KMS", func(t *testing.T, c iamCloud) {
		keys := kmsCloud{c.Cloud, kms.NewFromConfig(c.AWS()), t, c.ctx}
		k := keys.key()
		u, config := c.user("")
		use := func() error {
			_, err := kms.NewFromConfig(config).Encrypt(c.ctx, &kms.EncryptInput{KeyId: k.KeyId, Plaintext: []byte("x")})
			return err
		}
		wantMessage(t, use(), "AccessDeniedException", "because no identity-based policy allows the kms:Encrypt action")
		_, err := c.PutUserPolicy(c.ctx, &iam.PutUserPolicyInput{UserName: u.UserName, PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("kms:Encrypt", *k.Arn))})
		c.ok(err)
		c.ok(use())
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + c.account() + `:root"},"Action":"kms:PutKeyPolicy","Resource":"*"}]}`
		_, err = keys.PutKeyPolicy(c.ctx, &kms.PutKeyPolicyInput{KeyId: k.KeyId, Policy: &policy})
		c.ok(err)
		wantMessage(t, use(), "AccessDeniedException", "because no resource-based policy allows the kms:Encrypt action")
	})
}
