package cloudformation

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Source: Template Reference, Amazon S3 (checked 2026-12-01).

type s3Bucket struct {
	AccessControl    string
	BucketEncryption *struct {
		ServerSideEncryptionConfiguration []struct {
			BucketKeyEnabled              *bool
			ServerSideEncryptionByDefault *struct{ KMSMasterKeyID, SSEAlgorithm string }
			BlockedEncryptionTypes        any
		}
	}
	BucketName             string
	LifecycleConfiguration *struct {
		Rules                              []lifecycleRule
		TransitionDefaultMinimumObjectSize string
	}
	NotificationConfiguration *struct {
		EventBridgeConfiguration any
		LambdaConfigurations     []struct {
			Event, Function string
			Filter          *notificationFilter
		}
		QueueConfigurations []struct {
			Event, Queue string
			Filter       *notificationFilter
		}
		TopicConfigurations []struct {
			Event, Topic string
			Filter       *notificationFilter
		}
	}
	OwnershipControls *struct {
		Rules []struct{ ObjectOwnership string }
	}
	PublicAccessBlockConfiguration *publicAccessBlock
	Tags                           []tag
	VersioningConfiguration        *struct{ Status string }
}

type publicAccessBlock struct {
	XMLName                                                                     xml.Name `xml:"PublicAccessBlockConfiguration" json:"-"`
	BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets bool
}

type notificationFilter struct {
	S3Key struct {
		Rules []struct{ Name, Value string }
	}
}

// lifecycleRule has the rules' parts that a bucket of deployment files needs.
type lifecycleRule struct {
	AbortIncompleteMultipartUpload    *struct{ DaysAfterInitiation int }
	ExpirationInDays                  *int
	ExpiredObjectDeleteMarker         *bool
	Id                                string
	NoncurrentVersionExpiration       *struct{ NewerNoncurrentVersions, NoncurrentDays int }
	NoncurrentVersionExpirationInDays *int
	Prefix                            string
	Status                            string
}

// x is an XML element: a name, and a text or elements.
func x(name string, content ...any) string {
	var b strings.Builder
	b.WriteString("<" + name + ">")
	for _, c := range content {
		switch c := c.(type) {
		case element:
			b.WriteString(string(c))
		default:
			_ = xml.EscapeText(&b, []byte(fmt.Sprint(c))) // a Builder's writes do not fail
		}
	}
	b.WriteString("</" + name + ">")
	return b.String()
}

// element is text that is XML already.
type element string

func e(name string, content ...any) element { return element(x(name, content...)) }

// s3 does a request to a bucket. An error of S3 is an *api.Error.
func (c *call) s3(method, bucket, query, body string) error {
	path := c.from.Endpoint + "/" + bucket
	if query != "" {
		path += "?" + query
	}
	r, err := http.NewRequestWithContext(c.ctx, method, path, strings.NewReader(body))
	if err != nil {
		return err
	}
	if body != "" {
		sum := md5.Sum([]byte(body))
		r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	resp, err := c.s.do(c.from, "s3", r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 300 {
		return nil
	}
	var failure struct{ Code, Message string }
	b, err := io.ReadAll(resp.Body)
	if err == nil {
		_ = xml.NewDecoder(bytes.NewReader(b)).Decode(&failure) // an answer to HEAD has no body
	}
	if failure.Code == "" {
		failure.Code, failure.Message = http.StatusText(resp.StatusCode), http.StatusText(resp.StatusCode)
	}
	return &serviceError{"S3", &api.Error{Code: failure.Code, Message: failure.Message, Status: resp.StatusCode}}
}

// configure sets what the bucket's properties say, and takes away what only the old ones had.
func (b *s3Bucket) configure(c *call, bucket string, old *s3Bucket) error {
	if a := b.AccessControl; a != "" && a != "Private" && a != "BucketOwnerFullControl" {
		return fmt.Errorf("the local cloud does not offer the AccessControl %s", a)
	}
	var steps []func() error
	put := func(query, body string) {
		steps = append(steps, func() error { return c.s3(http.MethodPut, bucket, query, body) })
	}
	drop := func(query string) {
		steps = append(steps, func() error { return c.s3(http.MethodDelete, bucket, query, "") })
	}
	if b.VersioningConfiguration != nil {
		put("versioning", x("VersioningConfiguration", e("Status", b.VersioningConfiguration.Status)))
	} else if old.VersioningConfiguration != nil {
		put("versioning", x("VersioningConfiguration", e("Status", "Suspended")))
	}
	if b.BucketEncryption != nil {
		var rules []any
		for _, r := range b.BucketEncryption.ServerSideEncryptionConfiguration {
			if r.BlockedEncryptionTypes != nil {
				return fmt.Errorf("the local cloud does not offer the property BucketEncryption/ServerSideEncryptionConfiguration/BlockedEncryptionTypes")
			}
			var parts []any
			if d := r.ServerSideEncryptionByDefault; d != nil {
				by := []any{e("SSEAlgorithm", d.SSEAlgorithm)}
				if d.KMSMasterKeyID != "" {
					by = append(by, e("KMSMasterKeyID", d.KMSMasterKeyID))
				}
				parts = append(parts, e("ApplyServerSideEncryptionByDefault", by...))
			}
			if r.BucketKeyEnabled != nil {
				parts = append(parts, e("BucketKeyEnabled", *r.BucketKeyEnabled))
			}
			rules = append(rules, e("Rule", parts...))
		}
		put("encryption", x("ServerSideEncryptionConfiguration", rules...))
	} else if old.BucketEncryption != nil {
		drop("encryption")
	}
	if b.PublicAccessBlockConfiguration != nil {
		p := b.PublicAccessBlockConfiguration
		put("publicAccessBlock", x("PublicAccessBlockConfiguration", e("BlockPublicAcls", p.BlockPublicAcls), e("IgnorePublicAcls", p.IgnorePublicAcls),
			e("BlockPublicPolicy", p.BlockPublicPolicy), e("RestrictPublicBuckets", p.RestrictPublicBuckets)))
	} else if old.PublicAccessBlockConfiguration != nil {
		drop("publicAccessBlock")
	}
	if b.OwnershipControls != nil {
		var rules []any
		for _, r := range b.OwnershipControls.Rules {
			rules = append(rules, e("Rule", e("ObjectOwnership", r.ObjectOwnership)))
		}
		put("ownershipControls", x("OwnershipControls", rules...))
	} else if old.OwnershipControls != nil {
		drop("ownershipControls")
	}
	if b.LifecycleConfiguration != nil {
		if b.LifecycleConfiguration.TransitionDefaultMinimumObjectSize != "" {
			return fmt.Errorf("the local cloud does not offer the property LifecycleConfiguration/TransitionDefaultMinimumObjectSize")
		}
		var rules []any
		for _, r := range b.LifecycleConfiguration.Rules {
			rules = append(rules, r.xml())
		}
		put("lifecycle", x("LifecycleConfiguration", rules...))
	} else if old.LifecycleConfiguration != nil {
		drop("lifecycle")
	}
	if len(b.Tags) > 0 {
		var tags []any
		for _, t := range b.Tags {
			tags = append(tags, e("Tag", e("Key", t.Key), e("Value", t.Value)))
		}
		put("tagging", x("Tagging", e("TagSet", tags...)))
	} else if len(old.Tags) > 0 {
		drop("tagging")
	}
	if n := b.NotificationConfiguration; n != nil {
		if n.EventBridgeConfiguration != nil {
			return fmt.Errorf("the local cloud does not offer the property NotificationConfiguration/EventBridgeConfiguration")
		}
		var parts []any
		add := func(kind, target, arn, event string, filter *notificationFilter) {
			content := []any{e(target, arn), e("Event", event)}
			if filter != nil {
				var rules []any
				for _, r := range filter.S3Key.Rules {
					rules = append(rules, e("FilterRule", e("Name", r.Name), e("Value", r.Value)))
				}
				content = append(content, e("Filter", e("S3Key", rules...)))
			}
			parts = append(parts, e(kind, content...))
		}
		for _, t := range n.QueueConfigurations {
			add("QueueConfiguration", "Queue", t.Queue, t.Event, t.Filter)
		}
		for _, t := range n.TopicConfigurations {
			add("TopicConfiguration", "Topic", t.Topic, t.Event, t.Filter)
		}
		for _, t := range n.LambdaConfigurations {
			add("CloudFunctionConfiguration", "CloudFunction", t.Function, t.Event, t.Filter)
		}
		put("notification", x("NotificationConfiguration", parts...))
	} else if old.NotificationConfiguration != nil {
		put("notification", x("NotificationConfiguration"))
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *lifecycleRule) xml() element {
	parts := []any{e("Filter", e("Prefix", r.Prefix)), e("Status", r.Status)}
	if r.Id != "" {
		parts = append(parts, e("ID", r.Id))
	}
	var expiration []any
	if r.ExpirationInDays != nil {
		expiration = append(expiration, e("Days", *r.ExpirationInDays))
	}
	if r.ExpiredObjectDeleteMarker != nil {
		expiration = append(expiration, e("ExpiredObjectDeleteMarker", *r.ExpiredObjectDeleteMarker))
	}
	if len(expiration) > 0 {
		parts = append(parts, e("Expiration", expiration...))
	}
	if r.AbortIncompleteMultipartUpload != nil {
		parts = append(parts, e("AbortIncompleteMultipartUpload", e("DaysAfterInitiation", r.AbortIncompleteMultipartUpload.DaysAfterInitiation)))
	}
	if v := r.NoncurrentVersionExpiration; v != nil {
		days := []any{e("NoncurrentDays", v.NoncurrentDays)}
		if v.NewerNoncurrentVersions > 0 {
			days = append(days, e("NewerNoncurrentVersions", v.NewerNoncurrentVersions))
		}
		parts = append(parts, e("NoncurrentVersionExpiration", days...))
	}
	if r.NoncurrentVersionExpirationInDays != nil {
		parts = append(parts, e("NoncurrentVersionExpiration", e("NoncurrentDays", *r.NoncurrentVersionExpirationInDays)))
	}
	return e("Rule", parts...)
}

type bucketPolicy struct {
	Bucket         string `cfn:"required"`
	PolicyDocument any    `cfn:"required"`
}

func s3Types() map[string]*resourceType {
	return map[string]*resourceType{
		"AWS::S3::Bucket": define(resourceType{replacing: []string{"BucketName"}, named: "BucketName", tags: tagList},
			func(c *call, b *s3Bucket) (string, map[string]any, error) {
				name := b.BucketName
				if name == "" {
					name = strings.ToLower(c.generated(63))
				}
				body := ""
				if c.from.Region != "us-east-1" {
					body = x("CreateBucketConfiguration", e("LocationConstraint", c.from.Region))
				}
				if err := c.s3(http.MethodPut, name, "", body); err != nil {
					return "", nil, err
				}
				return name, map[string]any{
					"Arn": "arn:aws:s3:::" + name, "DomainName": name + ".s3.amazonaws.com",
					"RegionalDomainName":  name + ".s3." + c.from.Region + ".amazonaws.com",
					"DualStackDomainName": name + ".s3.dualstack." + c.from.Region + ".amazonaws.com",
				}, b.configure(c, name, &s3Bucket{})
			},
			func(c *call, name string, b, old *s3Bucket) (map[string]any, error) {
				return nil, b.configure(c, name, old)
			},
			func(c *call, name string, _ *s3Bucket) error { return c.s3(http.MethodDelete, name, "", "") }),
		"AWS::S3::BucketPolicy": define(resourceType{replacing: []string{"Bucket"}},
			func(c *call, p *bucketPolicy) (string, map[string]any, error) {
				return made(p.Bucket, nil, c.s3(http.MethodPut, p.Bucket, "policy", document(p.PolicyDocument)))
			},
			func(c *call, bucket string, p, _ *bucketPolicy) (map[string]any, error) {
				return nil, c.s3(http.MethodPut, bucket, "policy", document(p.PolicyDocument))
			},
			func(c *call, bucket string, _ *bucketPolicy) error {
				return c.s3(http.MethodDelete, bucket, "policy", "")
			}),
	}
}
