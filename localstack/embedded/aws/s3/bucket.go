package s3

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// A bucket is guarded by Service.mu.
type bucket struct {
	name, account, region string
	created               time.Time
	config                map[string][]byte    // configurations, as they came
	versioning            string               // "", Enabled or Suspended
	keys                  []string             // of objects, sorted
	objects               map[string][]*object // versions by key, oldest first
	uploads               map[string]*upload   // by id
	targets               []notificationTarget
}

var (
	bucketName     = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	forbiddenNames = []string{"xn--", "sthree-", "amzn-s3-demo-"}
)

func validName(name string) bool {
	if !bucketName.MatchString(name) || strings.Contains(name, "..") || strings.HasSuffix(name, "-s3alias") || strings.HasSuffix(name, "--ol-s3") {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	return !slices.ContainsFunc(forbiddenNames, func(p string) bool { return strings.HasPrefix(name, p) })
}

func noBucket() error {
	return notFound("NoSuchBucket", "The specified bucket does not exist")
}

// find returns the request's bucket. The caller holds mu.
func (s *Service) find(c *call) (*bucket, error) {
	if b := s.buckets[c.bucket]; b != nil {
		return b, nil
	}
	return nil, noBucket()
}

func noACLs() error {
	return &api.Error{Code: "AccessControlListNotSupported", Message: "The bucket does not allow ACLs"}
}

// checkACL accepts only what buckets with the default ownership do.
func checkACL(h http.Header) error {
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Grant-") {
			return noACLs()
		}
	}
	if acl := h.Get("X-Amz-Acl"); acl != "" && acl != "private" && acl != "bucket-owner-full-control" {
		return noACLs()
	}
	return nil
}

func (s *Service) createBucket(c *call) error {
	if !validName(c.bucket) {
		return api.Errorf("InvalidBucketName", "The specified bucket is not valid.")
	}
	if err := checkACL(c.r.Header); err != nil {
		return err
	}
	if c.r.Header.Get("X-Amz-Bucket-Object-Lock-Enabled") == "true" {
		return notImplemented("object lock")
	}
	var in struct {
		LocationConstraint string
		Bucket             *struct{}
		Tags               *struct{}
	}
	if c.r.ContentLength != 0 {
		b, err := c.body(64 << 10)
		if err != nil {
			return err
		}
		if len(b.data) > 0 && xml.Unmarshal(b.data, &in) != nil {
			return &api.Error{Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema"}
		}
	}
	if in.Bucket != nil || in.Tags != nil {
		return notImplemented("directory buckets and tags at creation")
	}
	region := in.LocationConstraint
	switch {
	case region == "" && c.Region != "us-east-1", region != "" && region != c.Region && c.Region != "us-east-1":
		return api.Errorf("IllegalLocationConstraintException", "The %s location constraint is incompatible for the region specific endpoint this request was sent to.", orUnspecified(region))
	case region == "us-east-1":
		return api.Errorf("InvalidLocationConstraint", "The specified location-constraint is not valid")
	case region == "":
		region = "us-east-1"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[c.bucket]; b != nil {
		switch {
		case b.account != c.Account:
			return &api.Error{Code: "BucketAlreadyExists", Message: "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.", Status: http.StatusConflict}
		case region != "us-east-1": // there it is a success: CreateBucket in the API Reference
			return &api.Error{Code: "BucketAlreadyOwnedByYou", Message: "Your previous request to create the named bucket succeeded and you already own it.", Status: http.StatusConflict}
		}
	} else {
		s.buckets[c.bucket] = &bucket{
			name: c.bucket, account: c.Account, region: region, created: time.Now(), config: map[string][]byte{
				"publicAccessBlock": []byte(`<PublicAccessBlockConfiguration xmlns="` + namespace + `"><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`),
				"ownershipControls": []byte(`<OwnershipControls xmlns="` + namespace + `"><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>`),
			},
			objects: map[string][]*object{}, uploads: map[string]*upload{},
		}
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func orUnspecified(region string) string {
	if region == "" {
		return "unspecified"
	}
	return region
}

func (s *Service) headBucket(c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	c.w.Header().Set("X-Amz-Bucket-Region", b.region)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) deleteBucket(c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	if len(b.objects) > 0 {
		message := "The bucket you tried to delete is not empty"
		if b.versioning != "" {
			message += ". You must delete all versions in the bucket."
		}
		return &api.Error{Code: "BucketNotEmpty", Message: message, Status: http.StatusConflict}
	}
	delete(s.buckets, b.name)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) listBuckets(c *call) error {
	type entry struct{ Name, CreationDate, BucketRegion string }
	out := struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Xmlns   string   `xml:"xmlns,attr"`
		Owner   *owner
		Buckets []entry `xml:"Buckets>Bucket"`
		Prefix  string  `xml:",omitempty"`
	}{Xmlns: namespace, Owner: ownerOf(c.Account), Prefix: c.query.Get("prefix")}
	region := c.query.Get("bucket-region")
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		b := s.buckets[name]
		if b.account == c.Account && strings.HasPrefix(name, out.Prefix) && (region == "" || region == b.region) {
			out.Buckets = append(out.Buckets, entry{name, timestamp(b.created), b.region})
		}
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

// A configuration of a bucket is a document that a client puts and gets.
type configuration struct {
	name    string // in the URL's query
	action  string // in operations: Get..., Put...
	missing error  // of getting one that is not there; nil: it is empty then
	empty   string // what it is then
	get     func(s *Service, c *call) error
	put     func(s *Service, c *call) error
	remove  bool
}

func (cfg configuration) delete(s *Service, c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	delete(b.config, cfg.name)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// stored makes a configuration that is kept as it came, if it is XML of the form of T.
func stored[T any](cfg configuration) configuration {
	cfg.get = func(s *Service, c *call) error {
		s.mu.RLock()
		defer s.mu.RUnlock()
		b, err := s.find(c)
		if err != nil {
			return err
		}
		text := b.config[cfg.name]
		if text == nil {
			if cfg.missing != nil {
				return cfg.missing
			}
			text = []byte(cfg.empty)
		}
		c.w.Header().Set("Content-Type", "application/xml")
		c.w.WriteHeader(http.StatusOK)
		_, _ = c.w.Write(text) // the client may be gone
		return nil
	}
	cfg.put = func(s *Service, c *call) error {
		var v T
		text, err := c.readXML(&v)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		b, err := s.find(c)
		if err != nil {
			return err
		}
		b.config[cfg.name] = text
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	return cfg
}

type anyXML struct {
	XMLName xml.Name
}

// configurations in the order that a request's query is looked through.
var configurations = []configuration{
	stored[struct {
		Rule []struct {
			ApplyServerSideEncryptionByDefault struct{ SSEAlgorithm string }
		}
	}](configuration{name: "encryption", action: "EncryptionConfiguration", remove: true, empty: `<ServerSideEncryptionConfiguration xmlns="` + namespace + `"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>`}),
	stored[anyXML](configuration{name: "publicAccessBlock", action: "BucketPublicAccessBlock", remove: true, missing: notFound("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")}),
	stored[anyXML](configuration{name: "ownershipControls", action: "BucketOwnershipControls", remove: true, missing: notFound("OwnershipControlsNotFoundError", "The bucket ownership controls were not found")}),
	stored[anyXML](configuration{name: "lifecycle", action: "LifecycleConfiguration", remove: true, missing: notFound("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")}),
	stored[anyXML](configuration{name: "cors", action: "BucketCORS", remove: true, missing: notFound("NoSuchCORSConfiguration", "The CORS configuration does not exist")}),
	stored[tagging](configuration{name: "tagging", action: "BucketTagging", remove: true, missing: notFound("NoSuchTagSet", "The TagSet does not exist")}),
	{name: "versioning", action: "BucketVersioning", get: (*Service).getVersioning, put: (*Service).putVersioning},
	{name: "policy", action: "BucketPolicy", remove: true, get: (*Service).getPolicy, put: (*Service).putPolicy},
	{name: "notification", action: "BucketNotification", get: (*Service).getNotification, put: (*Service).putNotification},
	{name: "location", action: "BucketLocation", get: (*Service).getLocation},
	{name: "acl", action: "BucketAcl", get: (*Service).getACL, put: func(*Service, *call) error { return noACLs() }},
	{name: "logging", action: "BucketLogging", get: func(s *Service, c *call) error {
		c.writeXML(http.StatusOK, struct {
			XMLName xml.Name `xml:"BucketLoggingStatus"`
		}{})
		return nil
	}},
}

func (s *Service) getLocation(c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	region := b.region
	if region == "us-east-1" {
		region = ""
	}
	c.writeXML(http.StatusOK, struct {
		XMLName xml.Name `xml:"LocationConstraint"`
		Xmlns   string   `xml:"xmlns,attr"`
		Region  string   `xml:",chardata"`
	}{Xmlns: namespace, Region: region})
	return nil
}

type versioningConfiguration struct {
	XMLName   xml.Name `xml:"VersioningConfiguration"`
	Xmlns     string   `xml:"xmlns,attr"`
	Status    string   `xml:",omitempty"`
	MfaDelete string   `xml:",omitempty"`
}

func (s *Service) getVersioning(c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	c.writeXML(http.StatusOK, versioningConfiguration{Xmlns: namespace, Status: b.versioning})
	return nil
}

func (s *Service) putVersioning(c *call) error {
	var in versioningConfiguration
	if _, err := c.readXML(&in); err != nil {
		return err
	}
	if in.Status != "Enabled" && in.Status != "Suspended" {
		return api.Errorf("IllegalVersioningConfigurationException", "The Versioning element must be specified")
	}
	if in.MfaDelete == "Enabled" {
		return notImplemented("MFA delete")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	b.versioning = in.Status
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func noPolicy() error { return notFound("NoSuchBucketPolicy", "The bucket policy does not exist") }

func (s *Service) getPolicy(c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	text := b.config["policy"]
	if text == nil {
		return noPolicy()
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(text) // the client may be gone
	return nil
}

func (s *Service) putPolicy(c *call) error {
	in, err := c.body(20 << 10)
	if err != nil {
		return err
	}
	var document struct {
		Statement []struct{ Effect string }
	}
	if json.Unmarshal(in.data, &document) != nil || len(document.Statement) == 0 {
		return api.Errorf("MalformedPolicy", "This policy contains invalid Json")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	b.config["policy"] = in.data
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// named returns the bucket of an ARN of S3, or of an object in it. The caller holds mu.
func (s *Service) named(arn string) *bucket {
	name, _, _ := strings.Cut(strings.TrimPrefix(arn, "arn:aws:s3:::"), "/")
	return s.buckets[name]
}

// ResourcePolicy returns the policy of the bucket that an ARN is of; empty: it has none.
func (s *Service) ResourcePolicy(arn string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if b := s.named(arn); b != nil {
		return string(b.config["policy"])
	}
	return ""
}

// ResourceOwner returns the account of the bucket that an ARN is of; empty: there is none.
func (s *Service) ResourceOwner(arn string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if b := s.named(arn); b != nil {
		return b.account
	}
	return ""
}

func (s *Service) getACL(c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	type grantee struct {
		Xsi             string `xml:"xmlns:xsi,attr"`
		Type            string `xml:"xsi:type,attr"`
		ID, DisplayName string
	}
	type grant struct {
		Grantee    grantee
		Permission string
	}
	c.writeXML(http.StatusOK, struct {
		XMLName xml.Name `xml:"AccessControlPolicy"`
		Xmlns   string   `xml:"xmlns,attr"`
		Owner   *owner
		Grants  []grant `xml:"AccessControlList>Grant"`
	}{Xmlns: namespace, Owner: ownerOf(b.account), Grants: []grant{{grantee{"http://www.w3.org/2001/XMLSchema-instance", "CanonicalUser", b.account, b.account}, "FULL_CONTROL"}}})
	return nil
}
