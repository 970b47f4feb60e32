package s3

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const maxKeys = 1000

type prefixEntry struct{ Prefix string }

type entry struct {
	Key, LastModified, ETag string
	ChecksumAlgorithm       string `xml:",omitempty"`
	ChecksumType            string `xml:",omitempty"`
	Size                    int
	Owner                   *owner `xml:",omitempty"`
	StorageClass            string
}

// A listing is what a list operation asks for, and what comes of it.
type listing struct {
	prefix, delimiter string
	after             string // keys up to this one were listed before
	most              int
	encode            func(string) string

	keys      []string
	prefixes  []prefixEntry
	truncated bool
	last      string // key or common prefix that the next page begins after
}

func (c *call) listing(after string) (*listing, error) {
	l := &listing{prefix: c.query.Get("prefix"), delimiter: c.query.Get("delimiter"), after: after, most: maxKeys, encode: func(s string) string { return s }}
	if text := c.query.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, invalidArgument("Provided max-keys not an integer or within integer range")
		}
		l.most = min(n, maxKeys)
	}
	switch c.query.Get("encoding-type") {
	case "":
	case "url":
		l.encode = func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }
	default:
		return nil, invalidArgument("Invalid Encoding Method specified in Request")
	}
	return l, nil
}

// collect lists the keys that wanted lets through.
func (l *listing) collect(sorted []string, wanted func(key string) bool) {
	from, _ := slices.BinarySearch(sorted, max(l.prefix, l.after))
	for _, key := range sorted[from:] {
		if !strings.HasPrefix(key, l.prefix) {
			if key > l.prefix {
				break
			}
			continue
		}
		if key <= l.after || !wanted(key) {
			continue
		}
		item, common := key, false
		if l.delimiter != "" {
			if i := strings.Index(key[len(l.prefix):], l.delimiter); i >= 0 {
				item, common = key[:len(l.prefix)+i+len(l.delimiter)], true
				if n := len(l.prefixes); item == l.after || strings.HasPrefix(l.after, item) || n > 0 && l.prefixes[n-1].Prefix == l.encode(item) {
					continue
				}
			}
		}
		if len(l.keys)+len(l.prefixes) == l.most {
			l.truncated = l.most > 0
			return
		}
		if l.last = item; common {
			l.prefixes = append(l.prefixes, prefixEntry{l.encode(item)})
		} else {
			l.keys = append(l.keys, key)
		}
	}
}

func (b *bucket) entries(l *listing, fetchOwner bool) (list []entry) {
	for _, key := range l.keys {
		o := b.current(key)
		e := entry{Key: l.encode(key), LastModified: timestamp(o.modified), ETag: o.etag, Size: len(o.data), StorageClass: "STANDARD", ChecksumAlgorithm: o.checksum.algorithm, ChecksumType: o.checksum.kind()}
		if fetchOwner {
			e.Owner = ownerOf(b.account)
		}
		list = append(list, e)
	}
	return list
}

type listResult struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Xmlns                 string   `xml:"xmlns,attr"`
	Name, Prefix          string
	Marker                *string `xml:",omitempty"`
	NextMarker            string  `xml:",omitempty"`
	StartAfter            string  `xml:",omitempty"`
	ContinuationToken     string  `xml:",omitempty"`
	NextContinuationToken string  `xml:",omitempty"`
	KeyCount              *int    `xml:",omitempty"`
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []entry
	CommonPrefixes        []prefixEntry
}

func (s *Service) listObjectsV2(c *call) error {
	after, token := c.query.Get("start-after"), c.query.Get("continuation-token")
	if token != "" {
		b, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			return invalidArgument("The continuation token provided is incorrect")
		}
		after = string(b)
	}
	l, err := c.listing(after)
	if err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	l.collect(b.keys, func(key string) bool { return b.current(key) != nil })
	count := len(l.keys) + len(l.prefixes)
	out := listResult{
		Xmlns: namespace, Name: b.name, Prefix: l.encode(l.prefix), StartAfter: l.encode(c.query.Get("start-after")), ContinuationToken: token, KeyCount: &count, MaxKeys: l.most,
		Delimiter: l.encode(l.delimiter), EncodingType: c.query.Get("encoding-type"), IsTruncated: l.truncated, Contents: b.entries(l, c.query.Get("fetch-owner") == "true"), CommonPrefixes: l.prefixes,
	}
	if l.truncated {
		out.NextContinuationToken = base64.StdEncoding.EncodeToString([]byte(l.last))
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

func (s *Service) listObjects(c *call) error {
	marker := c.query.Get("marker")
	l, err := c.listing(marker)
	if err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	l.collect(b.keys, func(key string) bool { return b.current(key) != nil })
	marker = l.encode(marker)
	out := listResult{
		Xmlns: namespace, Name: b.name, Prefix: l.encode(l.prefix), Marker: &marker, MaxKeys: l.most, Delimiter: l.encode(l.delimiter),
		EncodingType: c.query.Get("encoding-type"), IsTruncated: l.truncated, Contents: b.entries(l, true), CommonPrefixes: l.prefixes,
	}
	if l.truncated && l.delimiter != "" {
		out.NextMarker = l.encode(l.last)
	}
	c.writeXML(http.StatusOK, out)
	return nil
}

type versionEntry struct {
	XMLName        xml.Name
	Key, VersionId string
	IsLatest       bool
	LastModified   string
	ETag           string `xml:",omitempty"`
	Size           *int   `xml:",omitempty"`
	StorageClass   string `xml:",omitempty"`
	Owner          *owner
}

func (s *Service) listObjectVersions(c *call) error {
	keyMarker, versionMarker := c.query.Get("key-marker"), c.query.Get("version-id-marker")
	if versionMarker != "" && keyMarker == "" {
		return invalidArgument("A version-id marker cannot be specified without a key marker.")
	}
	l, err := c.listing("")
	if err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.find(c)
	if err != nil {
		return err
	}
	most := l.most
	l.most = len(b.keys) + 1 // the limit counts versions
	l.collect(b.keys, func(key string) bool { return key > keyMarker || key == keyMarker && versionMarker != "" })
	out := struct {
		XMLName             xml.Name `xml:"ListVersionsResult"`
		Xmlns               string   `xml:"xmlns,attr"`
		Name, Prefix        string
		KeyMarker           string
		VersionIdMarker     string
		NextKeyMarker       string `xml:",omitempty"`
		NextVersionIdMarker string `xml:",omitempty"`
		MaxKeys             int
		Delimiter           string `xml:",omitempty"`
		EncodingType        string `xml:",omitempty"`
		IsTruncated         bool
		Versions            []versionEntry
		CommonPrefixes      []prefixEntry
	}{Xmlns: namespace, Name: b.name, Prefix: l.encode(l.prefix), KeyMarker: l.encode(keyMarker), VersionIdMarker: versionMarker, MaxKeys: most, Delimiter: l.encode(l.delimiter), EncodingType: c.query.Get("encoding-type"), CommonPrefixes: l.prefixes}
	for _, key := range l.keys {
		versions := b.objects[key]
		begun := key != keyMarker || versionMarker == ""
		for i, o := range slices.Backward(versions) {
			if !begun {
				begun = o.version == versionMarker
				continue
			}
			if len(out.Versions) == most {
				last := out.Versions[most-1]
				out.IsTruncated, out.NextKeyMarker, out.NextVersionIdMarker = true, last.Key, last.VersionId
				c.writeXML(http.StatusOK, out)
				return nil
			}
			e := versionEntry{XMLName: xml.Name{Local: "Version"}, Key: l.encode(key), VersionId: o.version, IsLatest: i == len(versions)-1, LastModified: timestamp(o.modified), Owner: ownerOf(b.account)}
			if o.deleted {
				e.XMLName.Local = "DeleteMarker"
			} else {
				size := len(o.data)
				e.ETag, e.Size, e.StorageClass = o.etag, &size, "STANDARD"
			}
			out.Versions = append(out.Versions, e)
		}
	}
	c.writeXML(http.StatusOK, out)
	return nil
}
