package s3

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// serve answers a request as the endpoint would have it done.
func serve(s *Service, method, host, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://"+host+path, strings.NewReader(body))
	w := httptest.NewRecorder()
	s.serve(w, r, &api.Call{Context: r.Context(), Account: "000000000000", Region: "us-east-1", RequestID: "r", Endpoint: "http://" + host, Header: r.Header})
	return w
}

func TestBucketMayBeInThePathOrInTheHostsName(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	serve(s, http.MethodPut, "127.0.0.1:4566", "/shop", "")
	serve(s, http.MethodPut, "127.0.0.1:4566", "/shop/a/b", "v")
	for _, at := range [][2]string{
		{"127.0.0.1:4566", "/shop/a/b"}, {"localhost:4566", "/shop/a/b"}, {"shop.localhost:4566", "/a/b"}, {"shop.s3.localhost:4566", "/a/b"},
		{"shop.s3.amazonaws.com", "/a/b"}, {"shop.s3.eu-central-1.amazonaws.com", "/a/b"}, {"s3.amazonaws.com", "/shop/a/b"},
	} {
		if w := serve(s, http.MethodGet, at[0], at[1], ""); w.Code != 200 || w.Body.String() != "v" {
			t.Errorf("%s%s: %d %s", at[0], at[1], w.Code, w.Body)
		}
	}
}

func TestChunkedBody(t *testing.T) {
	read := func(text string) (string, http.Header, error) {
		trailer := http.Header{}
		b, err := io.ReadAll(&chunks{r: bufio.NewReaderSize(strings.NewReader(text), 16), trailer: trailer})
		return string(b), trailer, err
	}
	body, trailer, err := read("5;chunk-signature=" + strings.Repeat("a", 64) + "\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")
	if err != nil || body != "hello world" || trailer.Get("X-Amz-Checksum-Crc32") != "AAAAAA==" {
		t.Errorf("%q, %v, %v", body, trailer, err)
	}
	for _, broken := range []string{"", "5", "x\r\nhello\r\n", "5\r\nhel", "5\r\nhelloXX0\r\n\r\n", "ffffffffffffffff\r\nx", "0\r\nno colon\r\n", strings.Repeat("0", 1<<20)} {
		if _, _, err := read(broken); err == nil {
			t.Errorf("%.20q is taken", broken)
		}
	}
}

func FuzzChunks(f *testing.F) {
	f.Add("5;chunk-signature=a\r\nhello\r\n0\r\na:b\r\n\r\n")
	f.Add("0\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		b, _ := io.ReadAll(&chunks{r: bufio.NewReader(strings.NewReader(text)), trailer: http.Header{}})
		if len(b) > len(text) {
			t.Errorf("%d bytes of %d", len(b), len(text))
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add("bytes=2-5", 10)
	f.Add("bytes=-5", 3)
	f.Fuzz(func(t *testing.T, header string, size int) {
		if size < 0 {
			return
		}
		if from, to, _, err := cut(header, size); err == nil && (from < 0 || to > size || from > to) {
			t.Errorf("%q of %d bytes: %d to %d", header, size, from, to)
		}
	})
}
