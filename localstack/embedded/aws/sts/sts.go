// Package sts is AWS Security Token Service (API version 2011-06-15): who a caller is, and temporary credentials of roles and users.
//
// The credentials expire by the clock. No signature is verified, so that a secret key or a session token is never asked for;
// what counts is the access key id, which [Service.Session] explains to the rest of the cloud. One difference is meant: an account's
// root may assume its roles, which the service refuses ("Roles may not be assumed by root accounts"), because the local cloud's
// access key is its account's root.
//
// Not offered: identity federation by web identity, SAML and GetFederationToken, MFA, DecodeAuthorizationMessage and AssumeRoot;
// they answer with an error that says so.
//
// Sources, where a comment names no other: AWS Security Token Service API Reference as of 2026-12-01; messages as the service was
// recorded to send them (github.com/localstack/localstack, tests/aws/services/sts/test_sts.snapshot.json, 2024 to 2026).
package sts

import (
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

// Identities is what IAM knows.
type Identities interface {
	// Role returns the role of that ARN.
	Role(arn string) (Role, bool)
	// User returns the user whose access key that is, if the key may be used.
	User(accessKeyID string) (User, bool)
	// ManagedPolicy returns the default version of a managed policy that the account can use.
	ManagedPolicy(account, arn string) (*policy.Document, bool)
}

// Role is a role that can be assumed. MaxSession is in seconds.
type Role struct {
	Account, ARN, Name, ID string
	MaxSession             int
}

// User is a user of IAM.
type User struct{ Account, ARN, ID string }

// Options configure a Service.
type Options struct {
	Identities Identities
	// Trust decides whether the caller may assume the role, or do the actions that go with it (sts:TagSession). The context has the
	// condition keys of the request, such as sts:externalid. Nil: everybody may assume every role.
	Trust func(c *api.Call, action string, r Role, context map[string][]string) error
	// Evaluable tells whether the cloud knows the condition key (lower case) when it decides. Session policies with another are
	// refused. Nil: nobody is held to policies, and any key is taken.
	Evaluable func(key string) bool
	Log       *slog.Logger // nil discards
}

// Service is STS of every account. It is safe for concurrent use.
type Service struct {
	identities Identities
	trust      func(c *api.Call, action string, r Role, context map[string][]string) error
	evaluable  func(key string) bool
	log        *slog.Logger

	mu       sync.Mutex
	sessions map[string]Session // by access key id
}

// Session is what temporary credentials stand for.
type Session struct {
	Account, ARN string // ARN of the session, or of the user or root who asked for a session token
	Role         string // ARN of the role; empty: the session is the user's own
	RoleID       string // unique id of the role, or of the user
	Name         string // RoleSessionName
	Issued       time.Time
	Expires      time.Time
	Policies     []*policy.Document // session policies; nil: there are none
	Tags         map[string]string
	Transitive   []string // keys of the tags that a role assumed next inherits
	Source       string   // SourceIdentity
}

// UserID is aws:userid of the session.
func (s Session) UserID() string { return s.RoleID + ":" + s.Name }

// Expired tells whether the session's credentials are of no use any more.
func (s Session) Expired() bool { return !time.Now().Before(s.Expires) }

// remembered is how long an expired session is known, so that its credentials are told to be expired and not invalid.
const remembered = 24 * time.Hour

// New returns a service that has issued nothing.
func New(o Options) *Service {
	s := &Service{identities: o.Identities, trust: o.Trust, evaluable: o.Evaluable, log: o.Log, sessions: map[string]Session{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// API returns the service's operations for the endpoint.
func (s *Service) API() *api.Service {
	operations := api.Operations{
		"AssumeRole":        api.Op(s.assumeRole),
		"GetAccessKeyInfo":  api.Op(s.getAccessKeyInfo),
		"GetCallerIdentity": api.Op(s.getCallerIdentity),
		"GetSessionToken":   api.Op(s.getSessionToken),
	}
	for _, name := range notOffered {
		operations[name] = api.Op(s.refuse)
	}
	return &api.Service{
		Name: "sts", Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/", Operations: operations, Log: s.log,
		Resources: func(_ *api.Call, in any) []string {
			if in, ok := in.(*assumeRoleInput); ok {
				return []string{in.RoleArn}
			}
			return nil
		},
	}
}

// Close forgets all sessions.
func (s *Service) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

var notOffered = []string{"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "DecodeAuthorizationMessage", "GetDelegatedAccessToken",
	"GetFederationToken", "GetWebIdentityToken"}

// refuse answers an operation that STS has and the local cloud has not.
func (s *Service) refuse(c *api.Call, _ *struct{}) (*struct{}, error) {
	s.log.Warn("operation is not offered", "service", "sts", "operation", c.Action, "request", c.RequestID)
	return nil, api.Errorf("InvalidAction", "%s is not offered by the local cloud.", c.Action)
}

// Session returns what an access key id that the service issued stands for, expired or not.
func (s *Service) Session(accessKeyID string) (Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.sessions[accessKeyID]
	return session, ok
}

// Credentials are temporary credentials.
type Credentials struct {
	AccessKeyID                   string `json:"AccessKeyId" query:"AccessKeyId"`
	SecretAccessKey, SessionToken string
	Expiration                    api.Timestamp
}

// issue makes credentials for a session. Their session token has the given length, in bytes.
func (s *Service) issue(session Session, d time.Duration, token int) Credentials {
	session.Issued = time.Now()
	session.Expires = session.Issued.Add(d).Truncate(time.Second)
	id := "ASIA" + rand.Text()[:16]
	s.mu.Lock()
	maps.DeleteFunc(s.sessions, func(_ string, old Session) bool { return time.Since(old.Expires) > remembered })
	s.sessions[id] = session
	s.mu.Unlock()
	return Credentials{id, random(40), random(token), api.At(session.Expires)}
}

// random returns a text of the given length.
func random(length int) string {
	b := make([]byte, length)
	_, _ = rand.Read(b) // it does not fail
	return base64.StdEncoding.EncodeToString(b)[:length]
}

// Assume issues credentials of a role for a service that acts for it, such as Lambda for a function's role. Whether the role trusts
// the service is not asked. ok is false if there is no such role.
func (s *Service) Assume(roleARN, sessionName string, d time.Duration) (c Credentials, ok bool) {
	r, ok := s.identities.Role(roleARN)
	if !ok {
		return c, false
	}
	return s.issue(sessionOf(r, sessionName), d, usualToken), true
}

func sessionOf(r Role, name string) Session {
	return Session{Account: r.Account, ARN: "arn:aws:sts::" + r.Account + ":assumed-role/" + r.Name + "/" + name, Role: r.ARN, RoleID: r.ID, Name: name}
}

// caller returns ARN and aws:userid of who makes a call, and its session if it has one.
func (s *Service) caller(c *api.Call) (arn, id string, session *Session) {
	if found, ok := s.Session(c.AccessKeyID); ok {
		if found.Role != "" {
			return found.ARN, found.UserID(), &found
		}
		return found.ARN, found.RoleID, &found
	}
	if u, ok := s.identities.User(c.AccessKeyID); ok {
		return u.ARN, u.ID, nil
	}
	return "arn:aws:iam::" + c.Account + ":root", c.Account, nil
}

type getCallerIdentityOutput struct {
	UserID       string `json:"UserId" query:"UserId"`
	Account, Arn string
}

func (s *Service) getCallerIdentity(c *api.Call, _ *struct{}) (*getCallerIdentityOutput, error) {
	arn, id, _ := s.caller(c)
	return &getCallerIdentityOutput{id, c.Account, arn}, nil
}

func accessDenied(message string) error {
	return &api.Error{Code: "AccessDenied", Message: message, Status: http.StatusForbidden}
}
