package rabbitmq

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"regexp"
	"slices"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
)

const nodeName = "rabbit@localhost"

type user struct {
	name        string
	password    []byte // salt and hash; empty: nobody can log in with one
	tags        []string
	permissions map[string]permission // by virtual host
}

// saltSize is how many bytes of salt stand before a password's hash, as in rabbit_password_hashing_sha256.
// Source: RabbitMQ documentation, "Credentials and Passwords" (checked 2026-12-01).
const saltSize = 4

func hashPassword(salt []byte, password string) []byte {
	sum := sha256.Sum256(append(slices.Clone(salt), password...))
	return append(slices.Clone(salt), sum[:]...)
}

// newPassword hashes a password with a salt of its own.
func newPassword(password string) []byte {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails
	return hashPassword(salt, password)
}

// user returns the one who has that name and password, or nil.
func (s *Server) user(name, password string) *user {
	u := s.users[name]
	if u == nil || len(u.password) <= saltSize || subtle.ConstantTimeCompare(u.password, hashPassword(u.password[:saltSize], password)) == 0 {
		return nil
	}
	return u
}

// A permission says by patterns which resources a user may configure, write to and read from in a virtual host. An empty pattern
// allows nothing but names that are empty. Source: RabbitMQ documentation, "Authentication, Authorisation, Access Control" (checked 2026-12-01).
type permission struct{ configure, write, read *regexp.Regexp }

var everything = permission{regexp.MustCompile(".*"), regexp.MustCompile(".*"), regexp.MustCompile(".*")}

// authenticate finds the user of a SASL response.
func (s *Server) authenticate(mechanism, response string) (*user, *exception) {
	var name, password string
	switch mechanism {
	case "PLAIN":
		parts := strings.Split(response, "\x00")
		if len(parts) == 3 {
			name, password = parts[1], parts[2]
		}
	case "AMQPLAIN":
		t, err := amqp.ParseTable([]byte(response))
		if err == nil {
			name, _ = t["LOGIN"].(string)
			password, _ = t["PASSWORD"].(string)
		}
	default:
		return nil, fail(commandInvalid, "unknown authentication mechanism '%s'", mechanism)
	}
	u := s.user(name, password)
	if u == nil {
		return nil, fail(accessRefused, "Login was refused using authentication mechanism %s. For details see the broker logfile.", mechanism)
	}
	return u, nil
}

// What a user may do to a resource.
const (
	configure = "configure"
	write     = "write"
	read      = "read"
)

// allow checks that a channel's user may do something to a resource, kind being "queue" or "exchange".
func (ch *channel) allow(what, kind, name string) *exception {
	p, ok := ch.conn.user.permissions[ch.vhost.name]
	pattern := map[string]*regexp.Regexp{configure: p.configure, write: p.write, read: p.read}[what]
	shown := name
	if kind == "exchange" && name == "" {
		shown = "amq.default" // as permissions name the default exchange
	}
	if !ok || pattern == nil || !pattern.MatchString(shown) {
		return fail(accessRefused, "%s access to %s '%s' in vhost '%s' refused for user '%s'", what, kind, shown, ch.vhost.name, ch.conn.user.name)
	}
	return nil
}
