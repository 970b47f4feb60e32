package cloudformation

import "strconv"

// Source: Template Reference, Amazon SNS (checked 2026-12-01).

type snsTopic struct {
	ArchivePolicy             any
	ContentBasedDeduplication *bool
	DisplayName               *string
	FifoThroughputScope       *string
	FifoTopic                 *bool
	KmsMasterKeyId            *string
	SignatureVersion          *string
	Subscription              []struct{ Endpoint, Protocol string }
	Tags                      []tag
	TopicName                 string
	TracingConfig             *string
}

func (t *snsTopic) attributes() map[string]string {
	a := map[string]string{}
	for name, v := range map[string]*string{
		"DisplayName": t.DisplayName, "FifoThroughputScope": t.FifoThroughputScope, "KmsMasterKeyId": t.KmsMasterKeyId,
		"SignatureVersion": t.SignatureVersion, "TracingConfig": t.TracingConfig,
	} {
		if v != nil {
			a[name] = *v
		}
	}
	if t.ContentBasedDeduplication != nil {
		a["ContentBasedDeduplication"] = strconv.FormatBool(*t.ContentBasedDeduplication)
	}
	if t.ArchivePolicy != nil {
		a["ArchivePolicy"] = document(t.ArchivePolicy)
	}
	return a
}

// snsDefaults are what an attribute that a template no longer has goes back to.
var snsDefaults = map[string]string{"ContentBasedDeduplication": "false", "FifoThroughputScope": "Topic", "SignatureVersion": "1", "TracingConfig": "PassThrough", "ArchivePolicy": "{}"}

type snsSubscription struct {
	DeliveryPolicy      any
	Endpoint            string
	FilterPolicy        any
	FilterPolicyScope   *string
	Protocol            string `cfn:"required"`
	RawMessageDelivery  *bool
	RedrivePolicy       any
	Region              string
	ReplayPolicy        any
	SubscriptionRoleArn *string
	TopicArn            string `cfn:"required"`
}

func (s *snsSubscription) attributes() map[string]string {
	a := map[string]string{}
	for name, v := range map[string]any{"DeliveryPolicy": s.DeliveryPolicy, "FilterPolicy": s.FilterPolicy, "RedrivePolicy": s.RedrivePolicy, "ReplayPolicy": s.ReplayPolicy} {
		if v != nil {
			a[name] = document(v)
		}
	}
	if s.FilterPolicyScope != nil {
		a["FilterPolicyScope"] = *s.FilterPolicyScope
	}
	if s.SubscriptionRoleArn != nil {
		a["SubscriptionRoleArn"] = *s.SubscriptionRoleArn
	}
	if s.RawMessageDelivery != nil {
		a["RawMessageDelivery"] = strconv.FormatBool(*s.RawMessageDelivery)
	}
	return a
}

var subscriptionDefaults = map[string]string{"DeliveryPolicy": "", "FilterPolicy": "{}", "FilterPolicyScope": "MessageAttributes", "RedrivePolicy": "", "ReplayPolicy": "", "SubscriptionRoleArn": "", "RawMessageDelivery": "false"}

type topicPolicy struct {
	PolicyDocument any      `cfn:"required"`
	Topics         []string `cfn:"required"`
}

func setTopicAttribute(c *call, topic, name, value string) error {
	return c.invoke("sns", "SetTopicAttributes", map[string]any{"TopicArn": topic, "AttributeName": name, "AttributeValue": value}, nil)
}

// defaultTopicPolicy is what a topic without a policy of its own has: only its account may use it.
func defaultTopicPolicy(c *call, topic string) string {
	return canonical(map[string]any{"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": []any{map[string]any{
		"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": map[string]any{"AWS": "*"},
		"Action":   []any{"SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish"},
		"Resource": topic, "Condition": map[string]any{"StringEquals": map[string]any{"AWS:SourceOwner": c.from.Account}},
	}}})
}

func subscribe(c *call, in map[string]any) (string, error) {
	var out struct{ SubscriptionArn string }
	in["ReturnSubscriptionArn"] = true
	err := c.invoke("sns", "Subscribe", in, &out)
	return out.SubscriptionArn, err
}

func tagRequest(arn string, tags []tag) map[string]any {
	return map[string]any{"ResourceArn": arn, "Tags": tags}
}

func snsTypes() map[string]*resourceType {
	return map[string]*resourceType{
		"AWS::SNS::Topic": define(resourceType{replacing: []string{"TopicName", "FifoTopic"}, named: "TopicName", tags: tagList},
			func(c *call, t *snsTopic) (string, map[string]any, error) {
				attributes := t.attributes()
				name := t.TopicName
				if t.FifoTopic != nil && *t.FifoTopic {
					attributes["FifoTopic"] = "true"
					if name == "" {
						name = c.generated(251) + ".fifo"
					}
				}
				name = c.orGenerated(name, 256)
				in := map[string]any{"Name": name, "Attributes": attributes}
				if len(t.Tags) > 0 {
					in["Tags"] = t.Tags
				}
				var out struct{ TopicArn string }
				if err := c.invoke("sns", "CreateTopic", in, &out); err != nil {
					return "", nil, err
				}
				for _, s := range t.Subscription {
					if _, err := subscribe(c, map[string]any{"TopicArn": out.TopicArn, "Protocol": s.Protocol, "Endpoint": s.Endpoint}); err != nil {
						return out.TopicArn, nil, err
					}
				}
				return out.TopicArn, map[string]any{"TopicArn": out.TopicArn, "TopicName": name}, nil
			},
			func(c *call, arn string, t, old *snsTopic) (map[string]any, error) {
				was, now := old.attributes(), t.attributes()
				for _, name := range missing(was, now) {
					now[name] = snsDefaults[name]
				}
				for name, v := range now {
					if was[name] != v {
						if err := setTopicAttribute(c, arn, name, v); err != nil {
							return nil, err
						}
					}
				}
				for _, s := range t.Subscription { // those of before stay, as in the service
					if _, err := subscribe(c, map[string]any{"TopicArn": arn, "Protocol": s.Protocol, "Endpoint": s.Endpoint}); err != nil {
						return nil, err
					}
				}
				if gone := missing(asMap(old.Tags), asMap(t.Tags)); len(gone) > 0 {
					if err := c.invoke("sns", "UntagResource", map[string]any{"ResourceArn": arn, "TagKeys": gone}, nil); err != nil {
						return nil, err
					}
				}
				if len(t.Tags) > 0 {
					return nil, c.invoke("sns", "TagResource", tagRequest(arn, t.Tags), nil)
				}
				return nil, nil
			},
			func(c *call, arn string, _ *snsTopic) error {
				return c.invoke("sns", "DeleteTopic", map[string]any{"TopicArn": arn}, nil)
			}),
		"AWS::SNS::Subscription": define(resourceType{replacing: []string{"Endpoint", "Protocol", "TopicArn"}},
			func(c *call, s *snsSubscription) (string, map[string]any, error) {
				arn, err := subscribe(c, map[string]any{"TopicArn": s.TopicArn, "Protocol": s.Protocol, "Endpoint": s.Endpoint, "Attributes": s.attributes()})
				return arn, map[string]any{"Arn": arn}, err
			},
			func(c *call, arn string, s, old *snsSubscription) (map[string]any, error) {
				was, now := old.attributes(), s.attributes()
				for _, name := range missing(was, now) {
					now[name] = subscriptionDefaults[name]
				}
				for _, name := range []string{"FilterPolicyScope", "FilterPolicy", "DeliveryPolicy", "RawMessageDelivery", "RedrivePolicy", "ReplayPolicy", "SubscriptionRoleArn"} {
					if v, ok := now[name]; ok && was[name] != v {
						if err := c.invoke("sns", "SetSubscriptionAttributes", map[string]any{"SubscriptionArn": arn, "AttributeName": name, "AttributeValue": v}, nil); err != nil {
							return nil, err
						}
					}
				}
				return nil, nil
			},
			func(c *call, arn string, _ *snsSubscription) error {
				return c.invoke("sns", "Unsubscribe", map[string]any{"SubscriptionArn": arn}, nil)
			}),
		"AWS::SNS::TopicPolicy": define(resourceType{},
			func(c *call, p *topicPolicy) (string, map[string]any, error) {
				for _, topic := range p.Topics {
					if err := setTopicAttribute(c, topic, "Policy", document(p.PolicyDocument)); err != nil {
						return "", nil, err
					}
				}
				id := c.generated(255)
				return id, map[string]any{"Id": id}, nil
			},
			func(c *call, _ string, p, old *topicPolicy) (map[string]any, error) {
				for _, topic := range old.Topics {
					if err := setTopicAttribute(c, topic, "Policy", defaultTopicPolicy(c, topic)); err != nil && !isGone(err) {
						return nil, err
					}
				}
				for _, topic := range p.Topics {
					if err := setTopicAttribute(c, topic, "Policy", document(p.PolicyDocument)); err != nil {
						return nil, err
					}
				}
				return nil, nil
			},
			func(c *call, _ string, p *topicPolicy) error {
				for _, topic := range p.Topics {
					if err := setTopicAttribute(c, topic, "Policy", defaultTopicPolicy(c, topic)); err != nil && !isGone(err) {
						return err
					}
				}
				return nil
			}),
	}
}
