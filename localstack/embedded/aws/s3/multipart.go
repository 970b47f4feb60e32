package s3

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Limits of multipart uploads: User Guide, "Amazon S3 multipart upload limits".
const (
	minPart  = 5 << 20 // bytes, but for the last
	maxParts = 10_000
)

// An upload is guarded by Service.mu.
type upload struct {
	id, key   string
	started   time.Time
	headers   http.Header
	tags      []tag
	algorithm string // of checksums; empty: CRC64NVME
	composite bool
	parts     map[int]*part
}

type part struct {
	data     []byte
	md5      [md5.Size]byte
	checksum checksum
	modified time.Time
}

func (p *part) etag() string { return `"` + hex.EncodeToString(p.md5[:]) + `"` }

func (s *Service) createMultipartUpload(c *call) error {
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
	u := &upload{key: c.key, started: time.Now(), headers: headers, tags: tags, algorithm: c.r.Header.Get("X-Amz-Checksum-Algorithm"), parts: map[int]*part{}}
	u.composite = u.algorithm != "" && u.algorithm != "CRC64NVME"
	switch kind := c.r.Header.Get("X-Amz-Checksum-Type"); {
	case u.algorithm != "" && !slices.Contains(algorithms, u.algorithm):
		return notImplemented("the checksum algorithm " + u.algorithm)
	case kind == "FULL_OBJECT" && strings.HasPrefix(u.algorithm, "SHA"):
		return &api.Error{Code: "InvalidRequest", Message: "The FULL_OBJECT checksum type cannot be used with the " + u.algorithm + " checksum algorithm."}
	case kind == "FULL_OBJECT":
		u.composite = false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	s.last++
	u.id = fmt.Sprintf("upload%016x%016x", uint64(time.Now().UnixNano()), s.last)
	b.uploads[u.id] = u
	if u.algorithm != "" {
		c.w.Header().Set("X-Amz-Checksum-Algorithm", u.algorithm)
		c.w.Header().Set("X-Amz-Checksum-Type", checksum{composite: u.composite}.kind())
	}
	c.writeXML(http.StatusOK, struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Xmlns                 string   `xml:"xmlns,attr"`
		Bucket, Key, UploadId string
	}{Xmlns: namespace, Bucket: b.name, Key: u.key, UploadId: u.id})
	return nil
}

// upload finds the upload that a request is about. The caller holds mu.
func (s *Service) upload(c *call) (*bucket, *upload, error) {
	b, err := s.find(c)
	if err != nil {
		return nil, nil, err
	}
	u := b.uploads[c.query.Get("uploadId")]
	if u == nil || u.key != c.key {
		return nil, nil, notFound("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
	}
	return b, u, nil
}

func (c *call) partNumber() (int, error) {
	n, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil || n < 1 || n > maxParts {
		return 0, invalidArgument("Part number must be an integer between 1 and %d, inclusive", maxParts)
	}
	return n, nil
}

func (s *Service) uploadPart(c *call) error {
	n, err := c.partNumber()
	if err != nil {
		return err
	}
	s.mu.RLock()
	_, _, err = s.upload(c) // before the body is read
	s.mu.RUnlock()
	if err != nil {
		return err
	}
	in, err := c.body(maxObject)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, u, err := s.upload(c)
	if err != nil {
		return err
	}
	p := &part{data: in.data, md5: in.md5, checksum: in.checksum, modified: time.Now()}
	if u.algorithm != "" && p.checksum.algorithm != u.algorithm {
		p.checksum = checksum{algorithm: u.algorithm, value: sumOf(u.algorithm, p.data)}
	}
	u.parts[n] = p
	c.w.Header().Set("ETag", p.etag())
	c.w.Header().Set(checksumHeader(p.checksum.algorithm), p.checksum.value)
	c.w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) uploadPartCopy(c *call) error {
	n, err := c.partNumber()
	if err != nil {
		return err
	}
	bucketName, key, version, err := c.copied()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, u, err := s.upload(c)
	if err != nil {
		return err
	}
	o, err := s.source(c, bucketName, key, version)
	if err != nil {
		return err
	}
	from, to, _, err := cut(c.r.Header.Get("X-Amz-Copy-Source-Range"), len(o.data))
	if err != nil {
		return err
	}
	data := o.data[from:to]
	algorithm := cmp.Or(u.algorithm, "CRC64NVME")
	p := &part{data: data, md5: md5.Sum(data), checksum: checksum{algorithm: algorithm, value: sumOf(algorithm, data)}, modified: time.Now()}
	u.parts[n] = p
	c.writeXML(http.StatusOK, copyResult{xml.Name{Local: "CopyPartResult"}, p.etag(), timestamp(p.modified)})
	return nil
}

func (s *Service) completeMultipartUpload(c *call) error {
	var in struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if _, err := c.readXML(&in); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, u, err := s.upload(c)
	if err == nil {
		err = b.writable(c, c.key)
	}
	if err != nil {
		return err
	}
	if len(in.Part) == 0 {
		return &api.Error{Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema"}
	}
	for i := range in.Part[1:] {
		if in.Part[i+1].PartNumber <= in.Part[i].PartNumber {
			return api.Errorf("InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
		}
	}
	var data bytes.Buffer
	var digests []byte
	var sums []string
	for i, given := range in.Part {
		p := u.parts[given.PartNumber]
		switch {
		case p == nil || strings.Trim(given.ETag, `"`) != strings.Trim(p.etag(), `"`):
			return api.Errorf("InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		case len(p.data) < minPart && i < len(in.Part)-1:
			return api.Errorf("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		data.Write(p.data)
		digests = append(digests, p.md5[:]...)
		sums = append(sums, p.checksum.value)
	}
	all := md5.Sum(digests)
	o := &object{
		key: u.key, data: data.Bytes(), etag: fmt.Sprintf(`"%s-%d"`, hex.EncodeToString(all[:]), len(in.Part)), modified: time.Now(), headers: u.headers, tags: u.tags,
		parts: len(in.Part), checksum: checksum{algorithm: cmp.Or(u.algorithm, "CRC64NVME"), composite: u.composite},
	}
	if u.composite {
		if o.checksum.value, err = composite(u.algorithm, sums); err != nil {
			return err
		}
	} else {
		o.checksum.value = sumOf(o.checksum.algorithm, o.data)
	}
	delete(b.uploads, u.id)
	s.store(b, o)
	s.notify(c, b, "ObjectCreated:CompleteMultipartUpload", o)
	if b.versioning != "" {
		c.w.Header().Set("X-Amz-Version-Id", o.version)
	}
	c.w.Header().Set("X-Amz-Server-Side-Encryption", o.headers.Get("X-Amz-Server-Side-Encryption"))
	c.writeXML(http.StatusOK, struct {
		XMLName                     xml.Name `xml:"CompleteMultipartUploadResult"`
		Xmlns                       string   `xml:"xmlns,attr"`
		Location, Bucket, Key, ETag string
	}{Xmlns: namespace, Location: c.Endpoint + "/" + b.name + "/" + u.key, Bucket: b.name, Key: u.key, ETag: o.etag})
	return nil
}

func (s *Service) abortMultipartUpload(c *call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, u, err := s.upload(c)
	if err != nil {
		return err
	}
	delete(b.uploads, u.id)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) listParts(c *call) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, u, err := s.upload(c)
	if err != nil {
		return err
	}
	most, from := maxKeys, 0
	if n, err := strconv.Atoi(c.query.Get("max-parts")); err == nil && n >= 0 {
		most = min(n, maxKeys)
	}
	if n, err := strconv.Atoi(c.query.Get("part-number-marker")); err == nil {
		from = n
	}
	type partEntry struct {
		PartNumber         int
		LastModified, ETag string
		Size               int
	}
	out := struct {
		XMLName               xml.Name `xml:"ListPartsResult"`
		Xmlns                 string   `xml:"xmlns,attr"`
		Bucket, Key, UploadId string
		StorageClass          string
		PartNumberMarker      int
		NextPartNumberMarker  int `xml:",omitempty"`
		MaxParts              int
		IsTruncated           bool
		Part                  []partEntry
		Initiator, Owner      *owner
	}{Xmlns: namespace, Bucket: b.name, Key: u.key, UploadId: u.id, StorageClass: "STANDARD", PartNumberMarker: from, MaxParts: most, Initiator: ownerOf(b.account), Owner: ownerOf(b.account)}
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= from {
			continue
		}
		if len(out.Part) == most {
			out.IsTruncated = true
			break
		}
		p := u.parts[n]
		out.Part = append(out.Part, partEntry{n, timestamp(p.modified), p.etag(), len(p.data)})
		out.NextPartNumberMarker = n
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

func (s *Service) listMultipartUploads(c *call) error {
	for _, name := range []string{"delimiter", "key-marker", "upload-id-marker"} {
		if c.query.Get(name) != "" {
			return notImplemented(name + " in listing uploads")
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	type uploadEntry struct {
		Key, UploadId    string
		Initiator, Owner *owner
		StorageClass     string
		Initiated        string
	}
	out := struct {
		XMLName     xml.Name `xml:"ListMultipartUploadsResult"`
		Xmlns       string   `xml:"xmlns,attr"`
		Bucket      string
		MaxUploads  int
		IsTruncated bool
		Prefix      string
		Upload      []uploadEntry
	}{Xmlns: namespace, Bucket: b.name, MaxUploads: maxKeys, Prefix: c.query.Get("prefix")}
	uploads := slices.SortedFunc(maps.Values(b.uploads), func(x, y *upload) int { return cmp.Or(cmp.Compare(x.key, y.key), cmp.Compare(x.id, y.id)) })
	for _, u := range uploads {
		if strings.HasPrefix(u.key, out.Prefix) {
			out.Upload = append(out.Upload, uploadEntry{u.key, u.id, ownerOf(b.account), ownerOf(b.account), "STANDARD", timestamp(u.started)})
		}
	}
	c.writeXML(http.StatusOK, out)
	return nil
}
