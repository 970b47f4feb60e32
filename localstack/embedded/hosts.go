package embedded

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
)

// HandleHTTP makes h the web server at host (such as "127.0.0.1:8080" or "shop.test") that a cloud in memory can call:
// an HTTP subscriber of an SNS topic, say. It panics on a started cloud, which calls real addresses.
func (c *Cloud) HandleHTTP(host string, h http.Handler) {
	if !c.inMemory {
		panic("embedded: HandleHTTP is for a cloud in memory; a started one calls real servers on loopback")
	}
	c.hosts.mu.Lock()
	defer c.hosts.mu.Unlock()
	c.hosts.handlers[host] = h
}

// hosts is the part of an in-memory network that speaks HTTP.
type hosts struct {
	mu       sync.Mutex
	handlers map[string]http.Handler
}

func (n *hosts) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	h := n.handlers[r.URL.Host]
	n.mu.Unlock()
	if h == nil {
		return nil, fmt.Errorf("dial tcp %s: connection refused", r.URL.Host)
	}
	return aws.Transport{Handler: h}.RoundTrip(r)
}

// loopbackHTTP returns a RoundTripper that reaches this machine and no other.
func loopbackHTTP() http.RoundTripper {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Transport{
		Proxy:           nil, // a proxy would lead off the machine
		IdleConnTimeout: 30 * time.Second,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if host == "localhost" {
				host = "127.0.0.1"
			}
			if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
				return nil, fmt.Errorf("the local cloud calls loopback addresses only, not %s", host)
			}
			return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
		},
	}
}
