package cloudformation

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Source: Template Reference, Amazon SQS (checked 2026-12-01).

type sqsQueue struct {
	ContentBasedDeduplication     *bool
	DeduplicationScope            *string
	DelaySeconds                  *int
	FifoQueue                     *bool
	FifoThroughputLimit           *string
	KmsDataKeyReusePeriodSeconds  *int
	KmsMasterKeyId                *string
	MaximumMessageSize            *int
	MessageRetentionPeriod        *int
	QueueName                     string
	ReceiveMessageWaitTimeSeconds *int
	RedriveAllowPolicy            any
	RedrivePolicy                 any
	SqsManagedSseEnabled          *bool
	Tags                          []tag
	VisibilityTimeout             *int
}

// attributes are the queue's, as SQS names them.
func (q *sqsQueue) attributes() map[string]string {
	a := map[string]string{}
	boolean := func(name string, v *bool) {
		if v != nil {
			a[name] = strconv.FormatBool(*v)
		}
	}
	number := func(name string, v *int) {
		if v != nil {
			a[name] = strconv.Itoa(*v)
		}
	}
	text := func(name string, v *string) {
		if v != nil {
			a[name] = *v
		}
	}
	policy := func(name string, v any) {
		if v != nil {
			a[name] = document(v)
		}
	}
	boolean("ContentBasedDeduplication", q.ContentBasedDeduplication)
	boolean("SqsManagedSseEnabled", q.SqsManagedSseEnabled)
	number("DelaySeconds", q.DelaySeconds)
	number("KmsDataKeyReusePeriodSeconds", q.KmsDataKeyReusePeriodSeconds)
	number("MaximumMessageSize", q.MaximumMessageSize)
	number("MessageRetentionPeriod", q.MessageRetentionPeriod)
	number("ReceiveMessageWaitTimeSeconds", q.ReceiveMessageWaitTimeSeconds)
	number("VisibilityTimeout", q.VisibilityTimeout)
	text("DeduplicationScope", q.DeduplicationScope)
	text("FifoThroughputLimit", q.FifoThroughputLimit)
	text("KmsMasterKeyId", q.KmsMasterKeyId)
	policy("RedriveAllowPolicy", q.RedriveAllowPolicy)
	policy("RedrivePolicy", q.RedrivePolicy)
	return a
}

// sqsDefaults are what an attribute that a template no longer has goes back to.
var sqsDefaults = map[string]string{
	"ContentBasedDeduplication": "false", "SqsManagedSseEnabled": "true", "DelaySeconds": "0", "KmsDataKeyReusePeriodSeconds": "300",
	"MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0", "VisibilityTimeout": "30",
	"DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue", "KmsMasterKeyId": "", "RedriveAllowPolicy": "", "RedrivePolicy": "",
}

type queuePolicy struct {
	PolicyDocument any      `cfn:"required"`
	Queues         []string `cfn:"required"`
}

func setQueuePolicy(c *call, url, policy string) error {
	return c.invoke("sqs", "SetQueueAttributes", map[string]any{"QueueUrl": url, "Attributes": map[string]string{"Policy": policy}}, nil)
}

func sqsTypes() map[string]*resourceType {
	return map[string]*resourceType{
		"AWS::SQS::Queue": define(resourceType{replacing: []string{"QueueName", "FifoQueue"}, named: "QueueName", tags: tagList},
			func(c *call, q *sqsQueue) (string, map[string]any, error) {
				attributes := q.attributes()
				name := q.QueueName
				if q.FifoQueue != nil && *q.FifoQueue {
					attributes["FifoQueue"] = "true"
					if name == "" {
						name = c.generated(75) + ".fifo"
					}
				}
				name = c.orGenerated(name, 80)
				var out struct{ QueueUrl string }
				err := c.invoke("sqs", "CreateQueue", map[string]any{"QueueName": name, "Attributes": attributes, "tags": asMap(q.Tags)}, &out)
				return out.QueueUrl, map[string]any{"Arn": c.arn("sqs", name), "QueueName": name, "QueueUrl": out.QueueUrl}, err
			},
			func(c *call, url string, q, old *sqsQueue) (map[string]any, error) {
				attributes := q.attributes()
				for _, name := range missing(old.attributes(), attributes) {
					attributes[name] = sqsDefaults[name]
				}
				maps.DeleteFunc(attributes, func(name, v string) bool { was, ok := old.attributes()[name]; return ok && was == v })
				if len(attributes) > 0 {
					if err := c.invoke("sqs", "SetQueueAttributes", map[string]any{"QueueUrl": url, "Attributes": attributes}, nil); err != nil {
						return nil, err
					}
				}
				if gone := missing(asMap(old.Tags), asMap(q.Tags)); len(gone) > 0 {
					if err := c.invoke("sqs", "UntagQueue", map[string]any{"QueueUrl": url, "TagKeys": gone}, nil); err != nil {
						return nil, err
					}
				}
				if len(q.Tags) > 0 {
					return nil, c.invoke("sqs", "TagQueue", map[string]any{"QueueUrl": url, "Tags": asMap(q.Tags)}, nil)
				}
				return nil, nil
			},
			func(c *call, url string, _ *sqsQueue) error {
				return c.invoke("sqs", "DeleteQueue", map[string]any{"QueueUrl": url}, nil)
			}),
		"AWS::SQS::QueuePolicy": define(resourceType{},
			func(c *call, p *queuePolicy) (string, map[string]any, error) {
				for _, url := range p.Queues {
					if err := setQueuePolicy(c, url, document(p.PolicyDocument)); err != nil {
						return "", nil, err
					}
				}
				id := c.generated(255)
				return id, map[string]any{"Id": id}, nil
			},
			func(c *call, _ string, p, old *queuePolicy) (map[string]any, error) {
				for _, url := range old.Queues {
					if !slices.Contains(p.Queues, url) {
						if err := setQueuePolicy(c, url, ""); err != nil && !isGone(err) {
							return nil, err
						}
					}
				}
				for _, url := range p.Queues {
					if err := setQueuePolicy(c, url, document(p.PolicyDocument)); err != nil {
						return nil, err
					}
				}
				return nil, nil
			},
			func(c *call, _ string, p *queuePolicy) error {
				for _, url := range p.Queues {
					if err := setQueuePolicy(c, url, ""); err != nil && !isGone(err) {
						return err
					}
				}
				return nil
			}),
	}
}

// lastPart is what follows the last separator.
func lastPart(s, separator string) string { return s[strings.LastIndex(s, separator)+1:] }
