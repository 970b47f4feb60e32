package cloudformation

// Source: Template Reference, AWS KMS (checked 2026-12-01).

type kmsKey struct {
	BypassPolicyLockoutSafetyCheck bool
	Description                    string
	EnableKeyRotation              bool
	Enabled                        *bool
	KeyPolicy                      any
	KeySpec                        string
	KeyUsage                       string
	MultiRegion                    *bool
	Origin                         string
	PendingWindowInDays            *int
	RotationPeriodInDays           *int
	Tags                           []tag
}

type kmsTag struct{ TagKey, TagValue string }

func kmsTags(tags []tag) (list []kmsTag) {
	for _, t := range tags {
		list = append(list, kmsTag{t.Key, t.Value})
	}
	return list
}

// setState turns the key and its rotation on or off.
func (k *kmsKey) setState(c *call, id string, old *kmsKey) error {
	if k.EnableKeyRotation != old.EnableKeyRotation || canonical(k.RotationPeriodInDays) != canonical(old.RotationPeriodInDays) {
		action, in := "DisableKeyRotation", map[string]any{"KeyId": id}
		if k.EnableKeyRotation {
			action = "EnableKeyRotation"
			if k.RotationPeriodInDays != nil {
				in["RotationPeriodInDays"] = *k.RotationPeriodInDays
			}
		}
		if err := c.invoke("kms", action, in, nil); err != nil {
			return err
		}
	}
	on, was := k.Enabled == nil || *k.Enabled, old.Enabled == nil || *old.Enabled
	if on == was {
		return nil
	}
	action := "DisableKey"
	if on {
		action = "EnableKey"
	}
	return c.invoke("kms", action, map[string]any{"KeyId": id}, nil)
}

type kmsAlias struct {
	AliasName   string `cfn:"required"`
	TargetKeyId string `cfn:"required"`
}

func kmsTypes() map[string]*resourceType {
	return map[string]*resourceType{
		"AWS::KMS::Key": define(resourceType{replacing: []string{"KeySpec", "KeyUsage", "MultiRegion", "Origin"}, tags: tagList},
			func(c *call, k *kmsKey) (string, map[string]any, error) {
				in := map[string]any{"BypassPolicyLockoutSafetyCheck": k.BypassPolicyLockoutSafetyCheck}
				optional(in, "Description", k.Description)
				optional(in, "KeySpec", k.KeySpec)
				optional(in, "KeyUsage", k.KeyUsage)
				optional(in, "Origin", k.Origin)
				if k.MultiRegion != nil {
					in["MultiRegion"] = *k.MultiRegion
				}
				if k.KeyPolicy != nil {
					in["Policy"] = document(k.KeyPolicy)
				}
				if len(k.Tags) > 0 {
					in["Tags"] = kmsTags(k.Tags)
				}
				var out struct{ KeyMetadata struct{ KeyId, Arn string } }
				if err := c.invoke("kms", "CreateKey", in, &out); err != nil {
					return "", nil, err
				}
				id := out.KeyMetadata.KeyId
				return id, map[string]any{"Arn": out.KeyMetadata.Arn, "KeyId": id}, k.setState(c, id, &kmsKey{})
			},
			func(c *call, id string, k, old *kmsKey) (map[string]any, error) {
				if k.KeyPolicy != nil && canonical(k.KeyPolicy) != canonical(old.KeyPolicy) {
					if err := c.invoke("kms", "PutKeyPolicy", map[string]any{"KeyId": id, "PolicyName": "default", "Policy": document(k.KeyPolicy)}, nil); err != nil {
						return nil, err
					}
				}
				if k.Description != old.Description {
					if err := c.invoke("kms", "UpdateKeyDescription", map[string]any{"KeyId": id, "Description": k.Description}, nil); err != nil {
						return nil, err
					}
				}
				if gone := missing(asMap(old.Tags), asMap(k.Tags)); len(gone) > 0 {
					if err := c.invoke("kms", "UntagResource", map[string]any{"KeyId": id, "TagKeys": gone}, nil); err != nil {
						return nil, err
					}
				}
				if len(k.Tags) > 0 {
					if err := c.invoke("kms", "TagResource", map[string]any{"KeyId": id, "Tags": kmsTags(k.Tags)}, nil); err != nil {
						return nil, err
					}
				}
				return nil, k.setState(c, id, old)
			},
			func(c *call, id string, k *kmsKey) error {
				in := map[string]any{"KeyId": id}
				if k.PendingWindowInDays != nil {
					in["PendingWindowInDays"] = *k.PendingWindowInDays
				}
				return c.invoke("kms", "ScheduleKeyDeletion", in, nil)
			}),
		"AWS::KMS::Alias": define(resourceType{replacing: []string{"AliasName"}, named: "AliasName"},
			func(c *call, a *kmsAlias) (string, map[string]any, error) {
				return made(a.AliasName, nil, c.invoke("kms", "CreateAlias", map[string]any{"AliasName": a.AliasName, "TargetKeyId": a.TargetKeyId}, nil))
			},
			func(c *call, name string, a, _ *kmsAlias) (map[string]any, error) {
				return nil, c.invoke("kms", "UpdateAlias", map[string]any{"AliasName": name, "TargetKeyId": a.TargetKeyId}, nil)
			},
			func(c *call, name string, _ *kmsAlias) error {
				return c.invoke("kms", "DeleteAlias", map[string]any{"AliasName": name}, nil)
			}),
	}
}
