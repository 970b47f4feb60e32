package s3

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

const maxObject = 5 << 30 // bytes of one PUT or part

// A checksum is one that a client gave, or CRC-64/NVME if it gave none.
// Source: User Guide, "Checking object integrity in Amazon S3" (checked 2026-12-01).
type checksum struct {
	algorithm string // CRC32, CRC32C, CRC64NVME, SHA1, SHA256
	value     string // base64; with -N of a composite one
	composite bool
}

// algorithms in the order that they are looked for.
var algorithms = []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"}

var nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "CRC32":
		return crc32.NewIEEE()
	case "CRC32C":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "CRC64NVME":
		return crc64.New(nvme)
	case "SHA1":
		return sha1.New()
	}
	return sha256.New()
}

func sumOf(algorithm string, data []byte) string {
	h := newHash(algorithm)
	h.Write(data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func checksumHeader(algorithm string) string { return "X-Amz-Checksum-" + strings.ToLower(algorithm) }

// kind is the checksum's type, as headers and answers have it.
func (c checksum) kind() string {
	if c.composite {
		return "COMPOSITE"
	}
	return "FULL_OBJECT"
}

func (c checksum) set(h http.Header) {
	if c.value != "" {
		h.Set(checksumHeader(c.algorithm), c.value)
		h.Set("X-Amz-Checksum-Type", c.kind())
	}
}

// A body is a request's, read and checked.
type body struct {
	data     []byte
	md5      [md5.Size]byte
	checksum checksum
}

func badDigest(what string) error {
	return api.Errorf("BadDigest", "The %s you specified did not match the calculated checksum.", what)
}

// body reads the request's body, unwraps aws-chunked, and checks what digests the client gives.
func (c *call) body(limit int64) (b body, err error) {
	h := c.r.Header
	source, trailer := io.Reader(c.r.Body), http.Header{}
	chunked := strings.HasPrefix(h.Get("X-Amz-Content-Sha256"), "STREAMING-") || strings.Contains(h.Get("Content-Encoding"), "aws-chunked")
	size := c.r.ContentLength
	if chunked {
		size, err = strconv.ParseInt(h.Get("X-Amz-Decoded-Content-Length"), 10, 64)
		if err != nil || size < 0 {
			return b, &api.Error{Code: "MissingContentLength", Message: "You must provide the Content-Length HTTP header.", Status: http.StatusLengthRequired}
		}
		source = &chunks{r: bufio.NewReader(c.r.Body), trailer: trailer}
	}
	tooLarge := api.Errorf("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	if size > limit {
		return b, tooLarge
	}
	buffer := bytes.NewBuffer(make([]byte, 0, max(size, 0)+bytes.MinRead))
	if _, err := io.Copy(buffer, io.LimitReader(source, limit+1)); err != nil {
		return b, err
	}
	b.data = buffer.Bytes()
	switch {
	case int64(len(b.data)) > limit:
		return b, tooLarge
	case size >= 0 && int64(len(b.data)) != size:
		return b, api.Errorf("IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	b.md5 = md5.Sum(b.data)
	if text := h.Get("Content-Md5"); text != "" {
		want, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(want) != md5.Size {
			return b, api.Errorf("InvalidDigest", "The Content-MD5 you specified was invalid.")
		}
		if !bytes.Equal(want, b.md5[:]) {
			return b, badDigest("Content-MD5")
		}
	}
	if text := h.Get("X-Amz-Content-Sha256"); len(text) == 64 {
		if have := sha256.Sum256(b.data); hex.EncodeToString(have[:]) != strings.ToLower(text) {
			return b, api.Errorf("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
		}
	}
	b.checksum = checksum{algorithm: "CRC64NVME"}
	for _, a := range algorithms {
		given := h.Get(checksumHeader(a))
		if given == "" {
			given = trailer.Get(checksumHeader(a))
		}
		if given == "" {
			continue
		}
		b.checksum = checksum{algorithm: a, value: given}
		if sumOf(a, b.data) != given {
			return b, badDigest(a)
		}
	}
	if b.checksum.value == "" {
		b.checksum.value = sumOf(b.checksum.algorithm, b.data)
	}
	return b, nil
}

// chunks reads a body in aws-chunked: each chunk is its length in hexadecimal, possibly a signature, and its bytes; after the last one,
// which is empty, may come trailers.
// Source: Amazon S3 API Reference, "Signature calculations for the Authorization header: transferring payload in multiple chunks".
type chunks struct {
	r       *bufio.Reader
	left    int64 // of the chunk
	trailer http.Header
	err     error
}

var errChunk = &api.Error{Code: "InvalidChunkSizeError", Message: "The chunk size is not valid.", Status: http.StatusForbidden}

const maxChunkLine = 4096

func (c *chunks) line() (string, error) {
	var text []byte
	for {
		part, err := c.r.ReadSlice('\n')
		text = append(text, part...)
		if err == nil {
			return strings.TrimRight(string(text), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) || len(text) > maxChunkLine {
			return "", io.ErrUnexpectedEOF
		}
	}
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	for c.left == 0 {
		text, err := c.line()
		if err != nil {
			c.err = err
			return 0, err
		}
		size, _, _ := strings.Cut(text, ";")
		n, err := strconv.ParseUint(size, 16, 40)
		if err != nil {
			c.err = errChunk
			return 0, c.err
		}
		if n == 0 {
			c.err = c.end()
			return 0, c.err
		}
		c.left = int64(n)
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	if c.left -= int64(n); c.left == 0 && err == nil {
		if text, e := c.line(); e != nil || text != "" {
			err = errChunk
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	c.err = err
	return n, err
}

// end reads the trailers.
func (c *chunks) end() error {
	for n := 0; ; n++ {
		text, err := c.line()
		if err != nil || text == "" { // some clients leave the last line out
			return io.EOF
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok || n > 100 {
			return errChunk
		}
		c.trailer.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
}

// composite is the checksum of an object made of parts, of their checksums.
func composite(algorithm string, parts []string) (string, error) {
	h := newHash(algorithm)
	for _, p := range parts {
		b, err := base64.StdEncoding.DecodeString(p)
		if err != nil {
			return "", err
		}
		if err := binary.Write(h, binary.BigEndian, b); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(parts)), nil
}
