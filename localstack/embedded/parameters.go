package embedded

import (
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/kms"
)

// parameterKeys is how Parameter Store reaches the keys of the same cloud: for the caller, who must be allowed to use the key itself
// unless AWS manages it.
type parameterKeys struct{ service *kms.Service }

func (k parameterKeys) Encrypt(c *api.Call, keyID string, plaintext []byte, context map[string]string) ([]byte, error) {
	blob, arn, err := k.service.Encrypt(c, keyID, plaintext, context)
	if err != nil {
		return nil, err
	}
	return blob, k.allowed(c, "kms:Encrypt", arn)
}

func (k parameterKeys) Decrypt(c *api.Call, blob []byte, context map[string]string) ([]byte, error) {
	plaintext, arn, err := k.service.Decrypt(c, blob, context)
	if err != nil {
		return nil, err
	}
	return plaintext, k.allowed(c, "kms:Decrypt", arn)
}

func (k parameterKeys) allowed(c *api.Call, action, arn string) error {
	if c.Authorize == nil || k.service.Managed(arn) {
		return nil
	}
	return c.Authorize(action, arn)
}
