// Package s3 is Amazon S3 for the local cloud: buckets, objects, versions, multipart uploads, bucket configurations and event
// notifications, over the REST API with the bucket in the path or in the host's name.
//
// Objects live in memory. Signatures are not verified, but a presigned URL expires. The configurations of encryption, lifecycle, CORS
// and the public access block are kept and returned; they change nothing here: nothing is encrypted, no object expires.
// A bucket of another account is closed unless it has a policy, or policies are enforced and allow it. Requests for a bucket in another
// region are answered, not redirected.
//
// Not offered, and refused by name: ACLs other than private, object lock, replication, inventory, analytics, access points, directory
// buckets, S3 Select, browser uploads by POST, restoring, notifications to EventBridge.
//
// Sources, where a comment names no other: Amazon S3 User Guide and API Reference, as of 2026-12-01.
package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Options configure a Service.
type Options struct {
	Log *slog.Logger // nil discards
	// Deliver sends a notification of a bucket to the queue, topic or function of that ARN. Its error says that there is none, or that
	// it does not let S3 in. Nil: no notifications.
	Deliver func(ctx context.Context, account, bucketARN, targetARN, event string) error
	// Exists tells whether a function is there; queues and topics are asked by the event s3:TestEvent.
	Exists func(functionARN string) bool
}

// Service is S3 in every region and account: bucket names are unique among all. It is safe for concurrent use.
type Service struct {
	Options
	ctx     context.Context // of deliveries
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.RWMutex
	closed  bool
	buckets map[string]*bucket
	last    uint64 // sequence number of the last change
}

// New returns a service without buckets.
func New(o Options) *Service {
	s := &Service{Options: o, buckets: map[string]*bucket{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Close ends deliveries and waits for them.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
}

// API returns the service for the endpoint.
func (s *Service) API() *api.Service {
	return &api.Service{Name: "s3", Log: s.Log, HTTP: s.serve}
}

// A call is one request: to the service, a bucket or an object.
type call struct {
	*api.Call
	w      http.ResponseWriter
	r      *http.Request
	query  url.Values
	bucket string
	key    string
}

// An operation's error is an *api.Error. What it answers it writes itself.
type operation struct {
	name   string // in policies: s3:NAME
	handle func(s *Service, c *call) error
}

// awsHosts end the names of S3's own hosts, with the bucket before them.
var awsHosts = []string{".s3.amazonaws.com", ".s3.localhost", ".localhost"}

// locate takes bucket and key from the host's name and the path.
func (c *call) locate() {
	host := c.r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	path := strings.TrimPrefix(c.r.URL.Path, "/")
	bucket := ""
	for _, suffix := range awsHosts {
		if b, ok := strings.CutSuffix(host, suffix); ok {
			bucket = b
			break
		}
	}
	if b, rest, ok := strings.Cut(host, ".s3."); bucket == "" && ok && strings.HasSuffix(rest, ".amazonaws.com") {
		bucket = b
	}
	if bucket == "" || bucket == "s3" {
		c.bucket, c.key, _ = strings.Cut(path, "/")
		return
	}
	c.bucket, c.key = bucket, path
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, ac *api.Call) {
	c := &call{Call: ac, w: w, r: r, query: r.URL.Query()}
	c.locate()
	w.Header().Set("X-Amz-Request-Id", ac.RequestID)
	w.Header().Set("Server", "AmazonS3")
	op, ok := c.operation()
	c.Action = op.name
	err := expired(c)
	switch {
	case err != nil:
	case !ok:
		err = notImplemented(op.name)
	default:
		if err = s.authorize(c, op.name); err == nil {
			err = op.handle(s, c)
		}
	}
	if err != nil {
		s.writeError(c, err)
	}
}

// expired is the error of a presigned URL after its time.
func expired(c *call) error {
	begin, seconds := c.query.Get("X-Amz-Date"), c.query.Get("X-Amz-Expires")
	if seconds == "" {
		return nil
	}
	at, err := time.Parse("20060102T150405Z", begin)
	d, err2 := time.ParseDuration(seconds + "s")
	if err != nil || err2 != nil || d <= 0 || d > 7*24*time.Hour {
		return &api.Error{Code: "AuthorizationQueryParametersError", Message: "X-Amz-Expires must be between 1 and 604800 seconds"}
	}
	if time.Now().After(at.Add(d)) {
		return &api.Error{Code: "AccessDenied", Message: "Request has expired", Status: http.StatusForbidden}
	}
	return nil
}

func (s *Service) authorize(c *call, action string) error {
	resource := "*"
	switch {
	case c.key != "":
		resource = "arn:aws:s3:::" + c.bucket + "/" + c.key
	case c.bucket != "":
		resource = "arn:aws:s3:::" + c.bucket
	}
	s.mu.RLock()
	closed := action != "CreateBucket" && s.closedTo(c.Account, c.bucket)
	s.mu.RUnlock()
	if closed {
		return accessDenied()
	}
	if c.Authorize != nil {
		return c.Authorize("s3:"+permission(action), resource)
	}
	return nil
}

// closedTo tells whether a bucket is another account's and nothing opens it. The caller holds mu.
func (s *Service) closedTo(account, bucketName string) bool {
	b := s.buckets[bucketName]
	return b != nil && b.account != account && b.config["policy"] == nil
}

// permission is the action in policies that an operation needs.
func permission(operation string) string {
	switch operation {
	case "HeadBucket", "ListObjects", "ListObjectsV2":
		return "ListBucket"
	case "HeadObject", "GetObjectAttributes":
		return "GetObject"
	case "CopyObject", "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload":
		return "PutObject"
	case "DeleteObjects":
		return "DeleteObject"
	case "ListBuckets":
		return "ListAllMyBuckets"
	case "ListObjectVersions":
		return "ListBucketVersions"
	case "ListMultipartUploads":
		return "ListBucketMultipartUploads"
	case "ListParts":
		return "ListMultipartUploadParts"
	}
	return operation
}

func accessDenied() error {
	return &api.Error{Code: "AccessDenied", Message: "Access Denied", Status: http.StatusForbidden}
}

func notImplemented(what string) error {
	return &api.Error{Code: "NotImplemented", Message: "The local cloud does not offer " + what + ".", Status: http.StatusNotImplemented}
}

func notFound(code, message string) error {
	return &api.Error{Code: code, Message: message, Status: http.StatusNotFound}
}

func invalidArgument(format string, args ...any) error {
	return api.Errorf("InvalidArgument", format, args...)
}

func (s *Service) writeError(c *call, err error) {
	var e *api.Error
	if !errors.As(err, &e) {
		var large *http.MaxBytesError
		if errors.As(err, &large) || errors.Is(err, io.ErrUnexpectedEOF) {
			e = &api.Error{Code: "IncompleteBody", Message: "The request body terminated unexpectedly"}
		} else {
			if c.r.Context().Err() == nil {
				s.Log.Error("internal failure", "service", "s3", "operation", c.Action, "request", c.RequestID, "error", err)
			}
			e = &api.Error{Code: "InternalError", Message: "We encountered an internal error. Please try again.", Status: http.StatusInternalServerError}
		}
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	if c.r.Method == http.MethodHead || status == http.StatusNotModified {
		c.w.WriteHeader(status)
		return
	}
	c.writeXML(status, struct {
		XMLName                                    xml.Name `xml:"Error"`
		Code, Message, Resource, RequestId, HostId string
	}{Code: e.Code, Message: e.Message, Resource: c.r.URL.Path, RequestId: c.RequestID, HostId: "local"})
}

func (c *call) writeXML(status int, v any) {
	body, err := xml.Marshal(v)
	if err != nil {
		panic("s3: an answer that is no XML: " + err.Error())
	}
	body = append([]byte(xml.Header), body...)
	h := c.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", fmt.Sprint(len(body)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the client may be gone
}

// readXML reads a request's body into v, and returns it as it came.
func (c *call) readXML(v any) ([]byte, error) {
	b, err := c.body(2 << 20)
	if err != nil {
		return nil, err
	}
	if err := xml.Unmarshal(b.data, v); err != nil {
		return nil, &api.Error{Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema"}
	}
	return b.data, nil
}

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

type owner struct{ ID, DisplayName string }

func ownerOf(account string) *owner { return &owner{account, account} }

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// has tells whether the URL's query has a name, with or without a value.
func (c *call) has(name string) bool { return c.query.Has(name) }

// operation finds what a request asks for. If it is not offered, only its name is known.
func (c *call) operation() (operation, bool) {
	method := c.r.Method
	switch {
	case c.bucket == "":
		if method == http.MethodGet {
			return operation{"ListBuckets", (*Service).listBuckets}, true
		}
		return operation{name: method + " on the service"}, false
	case c.key == "":
		return c.bucketOperation(method)
	}
	return c.objectOperation(method)
}

func (c *call) bucketOperation(method string) (operation, bool) {
	for _, cfg := range configurations {
		if !c.has(cfg.name) {
			continue
		}
		switch method {
		case http.MethodGet:
			return operation{"Get" + cfg.action, cfg.get}, true
		case http.MethodPut:
			if cfg.put != nil {
				return operation{"Put" + cfg.action, cfg.put}, true
			}
		case http.MethodDelete:
			if cfg.remove {
				name := "Put" + cfg.action // that is the permission too, but for policies
				if cfg.name == "policy" {
					name = "DeleteBucketPolicy"
				}
				return operation{name, cfg.delete}, true
			}
		}
		return operation{name: method + " " + cfg.name}, false
	}
	for _, name := range []string{"accelerate", "analytics", "intelligent-tiering", "inventory", "metrics", "replication", "requestPayment", "website", "object-lock", "session", "metadataTable", "abac", "policyStatus"} {
		if c.has(name) {
			return operation{name: method + " " + name}, false
		}
	}
	switch method {
	case http.MethodPut:
		return operation{"CreateBucket", (*Service).createBucket}, true
	case http.MethodHead:
		return operation{"HeadBucket", (*Service).headBucket}, true
	case http.MethodDelete:
		return operation{"DeleteBucket", (*Service).deleteBucket}, true
	case http.MethodPost:
		if c.has("delete") {
			return operation{"DeleteObjects", (*Service).deleteObjects}, true
		}
		return operation{name: "uploads by POST"}, false
	case http.MethodGet:
		switch {
		case c.has("versions"):
			return operation{"ListObjectVersions", (*Service).listObjectVersions}, true
		case c.has("uploads"):
			return operation{"ListMultipartUploads", (*Service).listMultipartUploads}, true
		case c.query.Get("list-type") == "2":
			return operation{"ListObjectsV2", (*Service).listObjectsV2}, true
		}
		return operation{"ListObjects", (*Service).listObjects}, true
	}
	return operation{name: method + " on a bucket"}, false
}

func (c *call) objectOperation(method string) (operation, bool) {
	for _, name := range []string{"retention", "legal-hold", "torrent", "restore", "select", "renameObject", "encryption"} {
		if c.has(name) {
			return operation{name: method + " " + name}, false
		}
	}
	copied := c.r.Header.Get("X-Amz-Copy-Source") != ""
	switch method {
	case http.MethodPut:
		switch {
		case c.has("tagging"):
			return operation{"PutObjectTagging", (*Service).putObjectTagging}, true
		case c.has("acl"):
			return operation{"PutObjectAcl", func(*Service, *call) error { return noACLs() }}, true
		case c.has("uploadId") && copied:
			return operation{"UploadPartCopy", (*Service).uploadPartCopy}, true
		case c.has("uploadId"):
			return operation{"UploadPart", (*Service).uploadPart}, true
		case copied:
			return operation{"CopyObject", (*Service).copyObject}, true
		}
		return operation{"PutObject", (*Service).putObject}, true
	case http.MethodGet, http.MethodHead:
		switch {
		case c.has("tagging"):
			return operation{"GetObjectTagging", (*Service).getObjectTagging}, true
		case c.has("acl"):
			return operation{"GetObjectAcl", (*Service).getACL}, true
		case c.has("attributes"):
			return operation{"GetObjectAttributes", (*Service).getObjectAttributes}, true
		case c.has("uploadId"):
			return operation{"ListParts", (*Service).listParts}, true
		case c.has("partNumber"):
			return operation{name: "reading one part of an object"}, false
		case method == http.MethodHead:
			return operation{"HeadObject", (*Service).getObject}, true
		}
		return operation{"GetObject", (*Service).getObject}, true
	case http.MethodDelete:
		switch {
		case c.has("tagging"):
			return operation{"DeleteObjectTagging", (*Service).deleteObjectTagging}, true
		case c.has("uploadId"):
			return operation{"AbortMultipartUpload", (*Service).abortMultipartUpload}, true
		}
		return operation{"DeleteObject", (*Service).deleteObject}, true
	case http.MethodPost:
		switch {
		case c.has("uploads"):
			return operation{"CreateMultipartUpload", (*Service).createMultipartUpload}, true
		case c.has("uploadId"):
			return operation{"CompleteMultipartUpload", (*Service).completeMultipartUpload}, true
		}
	}
	return operation{name: method + " on an object"}, false
}
