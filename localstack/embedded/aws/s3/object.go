package s3

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// An object is one version of one. It is not changed, but for its tags.
type object struct {
	key, version string // version is "null" in a bucket without versioning
	deleted      bool   // a delete marker
	data         []byte
	etag         string // with quotes
	modified     time.Time
	headers      http.Header // that are given back: Content-Type, X-Amz-Meta-...
	tags         []tag       // guarded by Service.mu
	checksum     checksum
	parts        int // of a multipart upload; 0: it was none
	sequence     string
}

type tag struct{ Key, Value string }

type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	TagSet  []tag    `xml:"TagSet>Tag"`
}

// kept are the headers of an upload that an object gives back.
var kept = []string{"Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language", "Cache-Control", "Expires", "X-Amz-Website-Redirect-Location",
	"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled"}

const maxMetadata = 2048 // bytes: User Guide, "Working with object metadata"

// metadata takes what an object keeps from an upload's headers.
func metadata(h http.Header) (http.Header, error) {
	m := http.Header{}
	for _, name := range kept {
		if v := h.Get(name); v != "" {
			m.Set(name, v)
		}
	}
	if encoding := m.Get("Content-Encoding"); encoding != "" {
		parts := strings.Split(encoding, ",")
		parts = slices.DeleteFunc(parts, func(p string) bool { return strings.TrimSpace(p) == "aws-chunked" })
		m.Del("Content-Encoding")
		if rest := strings.TrimSpace(strings.Join(parts, ",")); rest != "" {
			m.Set("Content-Encoding", rest)
		}
	}
	if m.Get("Content-Type") == "" {
		m.Set("Content-Type", "binary/octet-stream")
	}
	if m.Get("X-Amz-Server-Side-Encryption") == "" {
		m.Set("X-Amz-Server-Side-Encryption", "AES256")
	}
	size := 0
	for name, v := range h {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			m[name] = []string{strings.Join(v, ",")}
			size += len(name) - len("X-Amz-Meta-") + len(m[name][0])
		}
	}
	if size > maxMetadata {
		return nil, api.Errorf("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	}
	for _, name := range []string{"X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Legal-Hold", "X-Amz-Server-Side-Encryption-Customer-Algorithm"} {
		if h.Get(name) != "" {
			return nil, notImplemented(name)
		}
	}
	if class := h.Get("X-Amz-Storage-Class"); class != "" && class != "STANDARD" {
		return nil, notImplemented("the storage class " + class)
	}
	return m, checkACL(h)
}

func checkTags(tags []tag) error {
	if len(tags) > 10 {
		return api.Errorf("BadRequest", "Object tags cannot be greater than 10")
	}
	for i, t := range tags {
		if t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256 {
			return api.Errorf("InvalidTag", "The TagKey you have provided is invalid")
		}
		if slices.ContainsFunc(tags[:i], func(x tag) bool { return x.Key == t.Key }) {
			return api.Errorf("InvalidTag", "Cannot provide multiple Tags with the same key")
		}
	}
	return nil
}

// headerTags reads the header x-amz-tagging.
func headerTags(text string) (tags []tag, err error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, invalidArgument("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		tags = append(tags, tag{k, values.Get(k)})
	}
	return tags, checkTags(tags)
}

func precondition(condition string) error {
	return &api.Error{Code: "PreconditionFailed", Message: "At least one of the pre-conditions you specified did not hold: " + condition, Status: http.StatusPreconditionFailed}
}

// current returns the last version of a key, unless that is a delete marker.
func (b *bucket) current(key string) *object {
	versions := b.objects[key]
	if n := len(versions); n > 0 && !versions[n-1].deleted {
		return versions[n-1]
	}
	return nil
}

// store adds a version. The caller holds mu.
func (s *Service) store(b *bucket, o *object) {
	s.last++
	o.sequence, o.version = fmt.Sprintf("%016X", s.last), "null"
	if b.versioning == "Enabled" {
		o.version = fmt.Sprintf("%016x%016x", uint64(o.modified.UnixNano()), s.last)
	}
	versions := b.objects[o.key]
	if o.version == "null" {
		versions = slices.DeleteFunc(slices.Clone(versions), func(v *object) bool { return v.version == "null" })
	}
	b.objects[o.key] = append(versions, o)
	if i, found := slices.BinarySearch(b.keys, o.key); !found {
		b.keys = slices.Insert(b.keys, i, o.key)
	}
}

// remove takes a version out. The caller holds mu.
func (b *bucket) remove(o *object) {
	versions := slices.DeleteFunc(slices.Clone(b.objects[o.key]), func(v *object) bool { return v == o })
	if len(versions) > 0 {
		b.objects[o.key] = versions
		return
	}
	delete(b.objects, o.key)
	if i, found := slices.BinarySearch(b.keys, o.key); found {
		b.keys = slices.Delete(b.keys, i, i+1)
	}
}

// writable checks the conditions of a write. The caller holds mu.
func (b *bucket) writable(c *call, key string) error {
	have := b.current(key)
	if none := c.r.Header.Get("If-None-Match"); none == "*" && have != nil {
		return precondition("If-None-Match")
	} else if none != "" && none != "*" {
		return notImplemented("If-None-Match with an ETag")
	}
	if match := c.r.Header.Get("If-Match"); match != "" {
		if have == nil {
			return notFound("NoSuchKey", "The specified key does not exist.")
		}
		if strings.Trim(match, `"`) != strings.Trim(have.etag, `"`) {
			return precondition("If-Match")
		}
	}
	return nil
}

func keyTooLong(key string) error {
	if len(key) > 1024 {
		return api.Errorf("KeyTooLongError", "Your key is too long")
	}
	return nil
}

func (s *Service) putObject(c *call) error {
	if err := keyTooLong(c.key); err != nil {
		return err
	}
	headers, err := metadata(c.r.Header)
	if err != nil {
		return err
	}
	tags, err := headerTags(c.r.Header.Get("X-Amz-Tagging"))
	if err != nil {
		return err
	}
	s.mu.RLock()
	_, err = s.find(c) // before the body is read
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	in, err := c.body(maxObject)
	if err != nil {
		return err
	}
	o := &object{key: c.key, data: in.data, etag: `"` + hex.EncodeToString(in.md5[:]) + `"`, modified: time.Now(), headers: headers, tags: tags, checksum: in.checksum}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.find(c)
	if err == nil {
		err = b.writable(c, c.key)
	}
	if err != nil {
		return err
	}
	s.store(b, o)
	s.notify(c, b, "ObjectCreated:Put", o)
	c.written(b, o)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// written sets the headers of an answer to a write.
func (c *call) written(b *bucket, o *object) {
	h := c.w.Header()
	h.Set("ETag", o.etag)
	for _, name := range kept[7:] {
		if v := o.headers.Get(name); v != "" {
			h.Set(name, v)
		}
	}
	o.checksum.set(h)
	if b.versioning != "" {
		h.Set("X-Amz-Version-Id", o.version)
	}
}

// read finds the object that a request is about. The caller holds mu.
func (s *Service) read(c *call, bucketName, key, version string) (*bucket, *object, error) {
	b := s.buckets[bucketName]
	if b == nil {
		return nil, nil, noBucket()
	}
	versions := b.objects[key]
	if version != "" {
		for _, o := range versions {
			if o.version == version {
				if o.deleted {
					c.w.Header().Set("X-Amz-Delete-Marker", "true")
					return b, nil, &api.Error{Code: "MethodNotAllowed", Message: "The specified method is not allowed against this resource.", Status: http.StatusMethodNotAllowed}
				}
				return b, o, nil
			}
		}
		return b, nil, notFound("NoSuchVersion", "The specified version does not exist.")
	}
	if o := b.current(key); o != nil {
		return b, o, nil
	}
	if n := len(versions); n > 0 {
		c.w.Header().Set("X-Amz-Delete-Marker", "true")
		c.w.Header().Set("X-Amz-Version-Id", versions[n-1].version)
	}
	return b, nil, notFound("NoSuchKey", "The specified key does not exist.")
}

// readable checks the conditions of a read, in the order of RFC 9110.
func readable(h http.Header, prefix string, o *object) error {
	etag := strings.Trim(o.etag, `"`)
	matches := func(list string) bool {
		for e := range strings.SplitSeq(list, ",") {
			if e = strings.Trim(strings.TrimSpace(e), `"`); e == "*" || e == etag {
				return true
			}
		}
		return false
	}
	date := func(name string) (time.Time, bool) {
		t, err := http.ParseTime(h.Get(name))
		return t, err == nil
	}
	modified := o.modified.Truncate(time.Second)
	if match := h.Get(prefix + "If-Match"); match != "" {
		if !matches(match) {
			return precondition("If-Match")
		}
	} else if t, ok := date(prefix + "If-Unmodified-Since"); ok && modified.After(t) {
		return precondition("If-Unmodified-Since")
	}
	unchanged := false
	if none := h.Get(prefix + "If-None-Match"); none != "" {
		unchanged = matches(none)
	} else if t, ok := date(prefix + "If-Modified-Since"); ok {
		unchanged = !modified.After(t)
	}
	switch {
	case unchanged && prefix != "": // of a copy's source
		return precondition("If-None-Match")
	case unchanged:
		return &api.Error{Code: "NotModified", Status: http.StatusNotModified}
	}
	return nil
}

// cut returns the part of size bytes that a Range asks for; partial is false if it asks for all. Several ranges are all of it.
func cut(header string, size int) (from, to int, partial bool, err error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return 0, size, false, nil
	}
	invalid := &api.Error{Code: "InvalidRange", Message: "The requested range is not satisfiable", Status: http.StatusRequestedRangeNotSatisfiable}
	if first == "" {
		n, err := strconv.Atoi(last)
		if err != nil || n < 0 {
			return 0, size, false, nil
		}
		if n == 0 || size == 0 {
			return 0, 0, false, invalid
		}
		return max(0, size-n), size, true, nil
	}
	a, err := strconv.Atoi(first)
	if err != nil || a < 0 {
		return 0, size, false, nil
	}
	b := size - 1
	if last != "" {
		if b, err = strconv.Atoi(last); err != nil || b < a {
			return 0, size, false, nil
		}
	}
	if a >= size {
		return 0, 0, false, invalid
	}
	return a, min(b, size-1) + 1, true, nil
}

func (s *Service) getObject(c *call) error {
	s.mu.RLock()
	b, o, err := s.read(c, c.bucket, c.key, c.query.Get("versionId"))
	tags := 0
	versioned := false
	if err == nil {
		tags, versioned = len(o.tags), b.versioning != ""
	}
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("ETag", o.etag)
	h.Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	if versioned {
		h.Set("X-Amz-Version-Id", o.version)
	}
	if err := readable(c.r.Header, "", o); err != nil {
		return err
	}
	from, to, partial, err := cut(c.r.Header.Get("Range"), len(o.data))
	if err != nil {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", len(o.data)))
		return err
	}
	for name, v := range o.headers {
		h[name] = v
	}
	for name, header := range map[string]string{
		"response-content-type": "Content-Type", "response-content-disposition": "Content-Disposition", "response-content-encoding": "Content-Encoding",
		"response-content-language": "Content-Language", "response-cache-control": "Cache-Control", "response-expires": "Expires",
	} {
		if v := c.query.Get(name); v != "" {
			h.Set(header, v)
		}
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Length", strconv.Itoa(to-from))
	if tags > 0 {
		h.Set("X-Amz-Tagging-Count", strconv.Itoa(tags))
	}
	if o.parts > 0 {
		h.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(o.parts))
	}
	if !partial && c.r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		o.checksum.set(h)
	}
	status := http.StatusOK
	if partial {
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(o.data)))
	}
	c.w.WriteHeader(status)
	if c.r.Method == http.MethodGet {
		_, _ = c.w.Write(o.data[from:to]) // the client may be gone
	}
	return nil
}

// Object returns an object's content, for another service of the cloud. Its error is an *api.Error.
func (s *Service) Object(account, bucketName, key, version string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closedTo(account, bucketName) {
		return nil, accessDenied()
	}
	c := &call{w: discard{}}
	_, o, err := s.read(c, bucketName, key, version)
	if err != nil {
		return nil, err
	}
	return o.data, nil
}

// discard is an answer that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// copied reads what a copy copies from its header. It asks for the permission, without mu.
func (c *call) copied() (bucketName, key, version string, err error) {
	path, query, _ := strings.Cut(c.r.Header.Get("X-Amz-Copy-Source"), "?")
	path, err = url.PathUnescape(strings.TrimPrefix(path, "/"))
	bucketName, key, ok := strings.Cut(path, "/")
	values, err2 := url.ParseQuery(query)
	if err != nil || err2 != nil || !ok {
		return "", "", "", invalidArgument("Invalid copy source encoding.")
	}
	if c.Authorize != nil {
		err = c.Authorize("s3:GetObject", "arn:aws:s3:::"+path)
	}
	return bucketName, key, values.Get("versionId"), err
}

// source finds what a copy copies. The caller holds mu.
func (s *Service) source(c *call, bucketName, key, version string) (*object, error) {
	if s.closedTo(c.Account, bucketName) {
		return nil, accessDenied()
	}
	_, o, err := s.read(c, bucketName, key, version)
	if err != nil {
		return nil, err
	}
	return o, readable(c.r.Header, "X-Amz-Copy-Source-", o)
}

type copyResult struct {
	XMLName            xml.Name
	ETag, LastModified string
}

func (s *Service) copyObject(c *call) error {
	if err := keyTooLong(c.key); err != nil {
		return err
	}
	headers, err := metadata(c.r.Header)
	if err != nil {
		return err
	}
	tags, err := headerTags(c.r.Header.Get("X-Amz-Tagging"))
	if err != nil {
		return err
	}
	bucketName, key, version, err := c.copied()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	from, err := s.source(c, bucketName, key, version)
	if err == nil {
		err = b.writable(c, c.key)
	}
	if err != nil {
		return err
	}
	replace := c.r.Header.Get("X-Amz-Metadata-Directive") == "REPLACE"
	if !replace {
		if b.current(c.key) == from {
			return &api.Error{Code: "InvalidRequest", Message: "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."}
		}
		headers = from.headers
	}
	if c.r.Header.Get("X-Amz-Tagging-Directive") != "REPLACE" {
		tags = from.tags
	}
	digest := md5.Sum(from.data) // a copy is one part, whatever the source was
	o := &object{key: c.key, data: from.data, etag: `"` + hex.EncodeToString(digest[:]) + `"`, modified: time.Now(), headers: headers, tags: tags, checksum: from.checksum}
	if o.checksum.composite {
		o.checksum = checksum{algorithm: from.checksum.algorithm, value: sumOf(from.checksum.algorithm, from.data)}
	}
	s.store(b, o)
	s.notify(c, b, "ObjectCreated:Copy", o)
	c.written(b, o)
	c.writeXML(http.StatusOK, copyResult{xml.Name{Local: "CopyObjectResult"}, o.etag, timestamp(o.modified)})
	return nil
}

// erase deletes a key, or one of its versions. The caller holds mu.
func (s *Service) erase(c *call, b *bucket, key, version string) (marker bool, id string) {
	if version != "" {
		for _, o := range b.objects[key] {
			if o.version == version {
				b.remove(o)
				s.last++
				s.notify(c, b, "ObjectRemoved:Delete", &object{key: key, version: version, sequence: fmt.Sprintf("%016X", s.last)})
				return o.deleted, version
			}
		}
		return false, version // no error: DeleteObject in the API Reference
	}
	if b.versioning == "" {
		for _, o := range b.objects[key] {
			b.remove(o)
			s.last++
			s.notify(c, b, "ObjectRemoved:Delete", &object{key: key, sequence: fmt.Sprintf("%016X", s.last)})
		}
		return false, ""
	}
	o := &object{key: key, deleted: true, modified: time.Now(), headers: http.Header{}}
	s.store(b, o)
	s.notify(c, b, "ObjectRemoved:DeleteMarkerCreated", o)
	return true, o.version
}

func (s *Service) deleteObject(c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	if match := c.r.Header.Get("If-Match"); match != "" {
		if have := b.current(c.key); have == nil || match != "*" && strings.Trim(match, `"`) != strings.Trim(have.etag, `"`) {
			return precondition("If-Match")
		}
	}
	marker, id := s.erase(c, b, c.key, c.query.Get("versionId"))
	if marker {
		c.w.Header().Set("X-Amz-Delete-Marker", "true")
	}
	if id != "" {
		c.w.Header().Set("X-Amz-Version-Id", id)
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) deleteObjects(c *call) error {
	var in struct {
		Quiet  bool
		Object []struct{ Key, VersionId string }
	}
	if _, err := c.readXML(&in); err != nil {
		return err
	}
	if len(in.Object) == 0 || len(in.Object) > 1000 {
		return &api.Error{Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema"}
	}
	type done struct {
		Key                   string
		VersionId             string `xml:",omitempty"`
		DeleteMarker          bool   `xml:",omitempty"`
		DeleteMarkerVersionId string `xml:",omitempty"`
	}
	out := struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Xmlns   string   `xml:"xmlns,attr"`
		Deleted []done
	}{Xmlns: namespace}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	for _, o := range in.Object {
		marker, id := s.erase(c, b, o.Key, o.VersionId)
		d := done{Key: o.Key, VersionId: o.VersionId, DeleteMarker: marker}
		if marker {
			d.DeleteMarkerVersionId = id
		}
		if !in.Quiet {
			out.Deleted = append(out.Deleted, d)
		}
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

func (s *Service) getObjectTagging(c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, o, err := s.read(c, c.bucket, c.key, c.query.Get("versionId"))
	if err != nil {
		return err
	}
	c.writeXML(http.StatusOK, tagging{Xmlns: namespace, TagSet: o.tags})
	return nil
}

func (s *Service) putObjectTagging(c *call) error {
	var in tagging
	if _, err := c.readXML(&in); err != nil {
		return err
	}
	if err := checkTags(in.TagSet); err != nil {
		return err
	}
	return s.retag(c, in.TagSet, "ObjectTagging:Put", http.StatusOK)
}

func (s *Service) deleteObjectTagging(c *call) error {
	return s.retag(c, nil, "ObjectTagging:Delete", http.StatusNoContent)
}

func (s *Service) retag(c *call, tags []tag, event string, status int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, o, err := s.read(c, c.bucket, c.key, c.query.Get("versionId"))
	if err != nil {
		return err
	}
	o.tags = tags
	s.notify(c, b, event, o)
	c.w.WriteHeader(status)
	return nil
}

func (s *Service) getObjectAttributes(c *call) error {
	type checksums struct {
		ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 string `xml:",omitempty"`
		ChecksumType                                                                   string
	}
	out := struct {
		XMLName      xml.Name   `xml:"GetObjectAttributesResponse"`
		Xmlns        string     `xml:"xmlns,attr"`
		ETag         string     `xml:",omitempty"`
		Checksum     *checksums `xml:",omitempty"`
		ObjectParts  *struct{ TotalPartsCount int }
		StorageClass string `xml:",omitempty"`
		ObjectSize   *int   `xml:",omitempty"`
	}{Xmlns: namespace}
	s.mu.RLock()
	_, o, err := s.read(c, c.bucket, c.key, c.query.Get("versionId"))
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	wanted := strings.Join(c.r.Header.Values("X-Amz-Object-Attributes"), ",")
	for a := range strings.SplitSeq(wanted, ",") {
		switch strings.TrimSpace(a) {
		case "ETag":
			out.ETag = strings.Trim(o.etag, `"`)
		case "Checksum":
			sum := &checksums{ChecksumType: o.checksum.kind()}
			*map[string]*string{"CRC32": &sum.ChecksumCRC32, "CRC32C": &sum.ChecksumCRC32C, "CRC64NVME": &sum.ChecksumCRC64NVME, "SHA1": &sum.ChecksumSHA1, "SHA256": &sum.ChecksumSHA256}[o.checksum.algorithm] = o.checksum.value
			out.Checksum = sum
		case "ObjectParts":
			if o.parts > 0 {
				out.ObjectParts = &struct{ TotalPartsCount int }{o.parts}
			}
		case "StorageClass":
			out.StorageClass = "STANDARD"
		case "ObjectSize":
			size := len(o.data)
			out.ObjectSize = &size
		default:
			return invalidArgument("Invalid attribute name specified.")
		}
	}
	c.w.Header().Set("Last-Modified", o.modified.UTC().Format(http.TimeFormat))
	c.writeXML(http.StatusOK, out)
	return nil
}
