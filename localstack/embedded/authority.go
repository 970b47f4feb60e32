package embedded

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/iam"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sts"
)

// What Options.IAM can say.
const (
	IAMOff     = "off"
	IAMEnforce = "enforce"
)

// IAMModes returns the values of Options.IAM, the default first.
func IAMModes() []string { return []string{IAMOff, IAMEnforce} }

// authority knows who the callers of the AWS services are and, if it enforces policies, what they may do.
type authority struct {
	iam     *iam.Service
	sts     *sts.Service
	enforce bool
	// resources are the services whose resources have policies, by their name in ARNs.
	resources map[string]resourcePolicies
}

// resourcePolicies is a service whose resources have policies.
type resourcePolicies interface {
	// ResourcePolicy returns the policy of the resource of that ARN; empty: it has none, or is not there.
	ResourcePolicy(arn string) string
}

// resourceOwners is a service whose ARNs do not say which account a resource belongs to: S3.
type resourceOwners interface {
	// ResourceOwner returns the account of the resource of that ARN; empty: it is not there.
	ResourceOwner(arn string) string
}

// identity is a caller with what decides about it.
type identity struct {
	policy.Principal
	policies policy.Policies     // of the caller itself
	context  map[string][]string // condition keys that it gives
}

// startIAM starts IAM and STS.
func (c *Cloud) startIAM(log *slog.Logger, mode string) *authority {
	a := &authority{enforce: mode == IAMEnforce}
	i, t := iam.Options{Log: log}, sts.Options{Log: log}
	if a.enforce {
		i.Evaluable, t.Evaluable, t.Trust = evaluable, evaluable, a.trust
	}
	c.iam = iam.New(i)
	t.Identities = identities{c.iam}
	c.sts = sts.New(t)
	a.iam, a.sts = c.iam, c.sts
	c.authority = a
	return a
}

// isRoot tells whether an access key is the root of its account: the one that the cloud gives out, or an account's number.
func isRoot(accessKeyID string) bool {
	return accessKeyID == accessKey || len(accessKeyID) == 12 && strings.Trim(accessKeyID, "0123456789") == ""
}

// account returns the account of an access key that IAM or STS issued. See aws.Endpoint.
func (a *authority) account(accessKeyID string) (string, bool) {
	if s, ok := a.sts.Session(accessKeyID); ok {
		return s.Account, true
	}
	if u, ok := a.iam.User(accessKeyID); ok {
		return u.Account, true
	}
	return "", false
}

var (
	errExpired = &api.Error{
		Code: "ExpiredTokenException", QueryCode: "ExpiredToken", Status: http.StatusForbidden,
		Message: "The security token included in the request is expired",
	}
	errInvalid = &api.Error{
		Code: "UnrecognizedClientException", QueryCode: "InvalidClientTokenId", Status: http.StatusForbidden,
		Message: "The security token included in the request is invalid.",
	}
	// S3 has its own.
	errExpiredS3 = &api.Error{Code: "ExpiredToken", Message: "The provided token has expired."}
	errInvalidS3 = &api.Error{Code: "InvalidAccessKeyId", Message: "The AWS Access Key Id you provided does not exist in our records.", Status: http.StatusForbidden}
)

// credentials refuses an access key that has expired, is switched off or is one of a role that was deleted since; and one that nobody
// issued if policies are enforced.
func (a *authority) credentials(accessKeyID, service string) error {
	expired, invalid := errExpired, errInvalid
	if service == "s3" {
		expired, invalid = errExpiredS3, errInvalidS3
	}
	if s, ok := a.sts.Session(accessKeyID); ok {
		if s.Expired() {
			return expired
		}
		if r, ok := a.iam.Role(s.Role); s.Role != "" && (!ok || r.ID != s.RoleID) {
			return invalid
		}
		return nil
	}
	if u, ok := a.iam.User(accessKeyID); ok && !u.Active || !ok && a.enforce && accessKeyID != "" && !isRoot(accessKeyID) {
		return invalid
	}
	return nil
}

// caller finds out who makes a call, and refuses bad credentials.
func (a *authority) caller(c *api.Call, service string) (*identity, error) {
	if err := a.credentials(c.AccessKeyID, service); err != nil {
		return nil, err
	}
	who := &identity{context: map[string][]string{}}
	set := func(key string, values ...string) { who.context[key] = values }
	var tags map[string]string
	if s, ok := a.sts.Session(c.AccessKeyID); ok {
		who.Account, who.ARN, who.ID, who.Role = s.Account, s.ARN, s.RoleID, s.Role
		set("aws:tokenissuetime", s.Issued.UTC().Format(time.RFC3339))
		set("aws:multifactorauthpresent", "false")
		if s.Source != "" {
			set("aws:sourceidentity", s.Source)
		}
		if s.Role != "" {
			r, _ := a.iam.Role(s.Role)
			tags = r.Tags
			for key, value := range s.Tags {
				for old := range tags {
					if strings.EqualFold(old, key) {
						delete(tags, old)
					}
				}
				tags[key] = value
			}
			set("aws:principaltype", "AssumedRole")
			set("aws:userid", s.UserID())
			set("aws:principalarn", s.Role)
			who.policies.Identity, who.policies.Boundary = a.iam.Policies(s.Role)
			who.policies.Session = s.Policies
		} else if service == "iam" || service == "sts" && c.Action != "AssumeRole" && c.Action != "GetCallerIdentity" {
			if a.enforce { // GetSessionToken, API Reference: without MFA such credentials are no good here
				return nil, errInvalid
			}
		}
	}
	switch user, isUser := a.iam.User(c.AccessKeyID); {
	case who.Role != "":
	case isUser, strings.Contains(who.ARN, ":user/"):
		if isUser {
			who.Account, who.ARN, who.ID, tags = user.Account, user.ARN, user.ID, user.Tags
		}
		set("aws:principaltype", "User")
		set("aws:userid", who.ID)
		set("aws:username", who.ARN[strings.LastIndexByte(who.ARN, '/')+1:])
		set("aws:principalarn", who.ARN)
		who.policies.Identity, who.policies.Boundary = a.iam.Policies(who.ARN)
	case c.AccessKeyID == "":
		set("aws:principaltype", "Anonymous")
		set("aws:userid", "anonymous")
	default:
		who.Account, who.ARN, who.ID = c.Account, "arn:aws:iam::"+c.Account+":root", c.Account
		set("aws:principaltype", "Account")
		set("aws:userid", c.Account)
		set("aws:principalarn", who.ARN)
	}
	if who.Account != "" {
		set("aws:principalaccount", who.Account)
		set("kms:calleraccount", who.Account)
	}
	for key, value := range tags {
		set("aws:principaltag/"+strings.ToLower(key), value)
	}
	set("aws:principalisawsservice", "false")
	set("aws:viaawsservice", "false")
	set("aws:requestedregion", c.Region)
	set("aws:sourceip", "127.0.0.1")
	set("aws:securetransport", "true")
	if agent := c.Header.Get("User-Agent"); agent != "" {
		set("aws:useragent", agent)
	}
	return who, nil
}

// callerARN returns the ARN of who makes a call.
func (a *authority) callerARN(c *api.Call) string {
	if who, err := a.caller(c, ""); err == nil && who.ARN != "" {
		return who.ARN
	}
	return "arn:aws:iam::" + c.Account + ":root"
}

// evaluable tells whether a condition key can be decided by: what caller, decide and services set, and what no request to a cloud on
// one machine can have.
func evaluable(key string) bool {
	return slices.ContainsFunc([]string{
		"aws:principaltag/", "aws:principaltype", "aws:principalarn", "aws:principalaccount", "aws:principalisawsservice", "aws:principalservicename",
		"aws:userid", "aws:username", "aws:tokenissuetime", "aws:multifactorauthpresent", "aws:sourceidentity", "aws:requestedregion", "aws:sourceip",
		"aws:securetransport", "aws:useragent", "aws:viaawsservice", "aws:currenttime", "aws:epochtime", "aws:sourcearn", "aws:sourceaccount",
		"aws:sourceowner", "aws:resourceaccount", "s3:resourceaccount", "iam:passedtoservice", "kms:calleraccount",
		// Never there: no organization, no network of one's own, no MFA, no federation, no forwarded call, no web page, no grant.
		"aws:principalorgid", "aws:principalorgpaths", "aws:resourceorgid", "aws:resourceorgpaths", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourcevpc",
		"aws:sourcevpce", "aws:vpcsourceip", "aws:multifactorauthage", "aws:federatedprovider", "aws:calledvia", "aws:referer", "kms:viaservice", "kms:grantisforawsresource",
	}, func(known string) bool {
		return key == known || strings.HasPrefix(key, known) && (strings.HasSuffix(known, "/") || known == "aws:calledvia")
	})
}

// permissions are the actions of operations whose permission has another name.
// Source: Service Authorization Reference (checked 2026-12-01).
var permissions = map[string]string{
	"sqs:SendMessageBatch": "sqs:SendMessage", "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
	"sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility", "sns:PublishBatch": "sns:Publish",
	"kms:ReEncrypt": "kms:ReEncryptFrom",
	"lambda:Invoke": "lambda:InvokeFunction", "lambda:InvokeWithResponseStream": "lambda:InvokeFunction",
}

// authorize decides whether the caller may do an action to all of the resources. See aws.Endpoint.
func (a *authority) authorize(c *api.Call, action string, resources ...string) error {
	service, _, _ := strings.Cut(action, ":")
	if !a.enforce {
		return a.credentials(c.AccessKeyID, service)
	}
	who, err := a.caller(c, service)
	if err != nil {
		return err
	}
	switch action {
	case "sts:GetCallerIdentity", "sts:GetSessionToken": // no permission is needed: API Reference
		return nil
	case "sts:AssumeRole": // trust is asked, which knows more of the request
		return nil
	case "sns:ConfirmSubscription", "sns:Unsubscribe": // the links in messages are not signed
		if who.Account == "" {
			return nil
		}
	}
	if name, ok := permissions[action]; ok {
		action = name
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	for _, resource := range resources {
		document, err := a.resourcePolicy(resource)
		if err != nil {
			return denial(who.ARN, action, resource, err.Error())
		}
		p := who.policies
		p.Resource, p.Decides = document, service == "kms" && document != nil
		if d := a.decide(who, p, action, resource, nil); !d.Allowed {
			return denial(who.ARN, action, resource, d.Reason)
		}
	}
	return nil
}

// decide evaluates policies. The account's root may do everything with what belongs to the account.
func (a *authority) decide(who *identity, p policy.Policies, action, resource string, more map[string][]string) policy.Decision {
	p.Owner = a.owner(resource)
	if p.Owner == "" {
		p.Owner = who.Account
	}
	if who.Account != "" && who.Account == p.Owner && strings.HasSuffix(who.ARN, ":root") {
		return policy.Decision{Allowed: true}
	}
	context := map[string][]string{"aws:resourceaccount": {p.Owner}, "s3:resourceaccount": {p.Owner}}
	now := time.Now().UTC()
	context["aws:currenttime"], context["aws:epochtime"] = []string{now.Format(time.RFC3339)}, []string{strconv.FormatInt(now.Unix(), 10)}
	for _, keys := range []map[string][]string{who.context, more} {
		for key, values := range keys {
			context[key] = values
		}
	}
	return p.Evaluate(&policy.Request{Principal: who.Principal, Action: action, Resource: resource, Context: context})
}

// owner returns the account that a resource belongs to; empty: its ARN does not say.
func (a *authority) owner(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	if parts[4] == "" || parts[4] == "aws" {
		if s, ok := a.resources[parts[2]].(resourceOwners); ok {
			return s.ResourceOwner(arn)
		}
		return ""
	}
	return parts[4]
}

// resourcePolicy returns the policy of a resource, or nil. Its error says what in the policy cannot be decided by.
func (a *authority) resourcePolicy(arn string) (*policy.Document, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || a.resources[parts[2]] == nil {
		return nil, nil
	}
	text := a.resources[parts[2]].ResourcePolicy(arn)
	if text == "" {
		return nil, nil
	}
	d, err := policy.Parse(policy.Resource, text)
	if err != nil {
		return nil, fmt.Errorf("because its resource-based policy cannot be evaluated: %w", err)
	}
	for _, key := range d.Keys() {
		if !evaluable(key) {
			return nil, fmt.Errorf("because its resource-based policy cannot be evaluated: the local cloud does not know the condition key %s", key)
		}
	}
	return d, nil
}

// denial is the error of a service for a caller without permission.
// Sources: recordings of 2026-10-02 for SQS and Lambda (github.com/floci-io/floci, docs/design, resource policy enforcement), IAM User
// Guide "Troubleshoot access denied error messages" (checked 2026-12-01), and the errors that the services' models have.
func denial(arn, action, resource, reason string) error {
	if arn == "" {
		arn = "anonymous"
	}
	e := &api.Error{Code: "AccessDeniedException"}
	shown := action
	service, name, _ := strings.Cut(action, ":")
	switch service {
	case "sqs":
		e.QueryCode, e.Status = "AccessDenied", http.StatusForbidden
		shown = "sqs:" + strings.ToLower(name)
	case "sns":
		e.Code, e.Status = "AuthorizationError", http.StatusForbidden
		shown = "SNS:" + name
	case "iam", "sts", "cloudformation":
		e.Code, e.Status = "AccessDenied", http.StatusForbidden
	case "s3":
		e.Code, e.Status = "AccessDenied", http.StatusForbidden
		resource = `"` + resource + `"`
	case "cloudwatch":
		e.QueryCode, e.Status = "AccessDenied", http.StatusForbidden
	case "lambda":
		e.Status = http.StatusForbidden
	}
	e.Message = "User: " + arn + " is not authorized to perform: " + shown + " on resource: " + resource + " " + strings.ReplaceAll(reason, action, shown)
	return e
}

// trust decides for STS whether a caller may assume a role, or do what goes with it.
func (a *authority) trust(c *api.Call, action string, r sts.Role, context map[string][]string) error {
	who, err := a.caller(c, "sts")
	if err != nil || !a.enforce {
		return err
	}
	held, ok := a.iam.Role(r.ARN)
	if !ok {
		return denial(who.ARN, action, r.ARN, "")
	}
	p := who.policies
	p.Resource, p.Decides = held.Trust, true
	d := a.decide(who, p, action, r.ARN, context)
	if d.Allowed {
		return nil
	}
	if kind := "resource-based policy"; strings.Contains(d.Reason, kind) { // a role's messages name its trust policy and not the role
		reason := "because no role trust policy allows the " + action + " action"
		if d.Explicit {
			reason = "with an explicit deny in the role trust policy"
		}
		return &api.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: "User: " + who.ARN + " is not authorized to perform: " + action + " " + reason}
	}
	return denial(who.ARN, action, r.ARN, d.Reason)
}

// authorizeService decides whether a service of AWS (such as sns.amazonaws.com) may do an action to a resource on behalf of a source:
// the topic, bucket or rule that the delivery comes from. Only the resource's policy counts. It is nil while policies are not enforced.
func (a *authority) authorizeService(principal, action, resourceARN, sourceARN string) error {
	if !a.enforce {
		return nil
	}
	who := &identity{Principal: policy.Principal{Service: principal}, context: map[string][]string{
		"aws:principalisawsservice": {"true"}, "aws:principalservicename": {principal}, "aws:principaltype": {"Service"}, "aws:sourcearn": {sourceARN},
		"aws:securetransport": {"true"},
	}}
	if account := a.owner(sourceARN); account != "" {
		who.context["aws:sourceaccount"], who.context["aws:sourceowner"] = []string{account}, []string{account}
	}
	document, err := a.resourcePolicy(resourceARN)
	if err != nil {
		return denial(principal, action, resourceARN, err.Error())
	}
	if d := a.decide(who, policy.Policies{Resource: document}, action, resourceARN, nil); !d.Allowed {
		return denial(principal, action, resourceARN, d.Reason)
	}
	return nil
}

// passRole decides whether the caller may give a role to a service (such as lambda.amazonaws.com): iam:PassRole. It is nil while
// policies are not enforced, and for the cloud itself.
func (a *authority) passRole(c *api.Call, roleARN, service string) error {
	if !a.enforce || c.Authorize == nil {
		return nil
	}
	who, err := a.caller(c, "iam")
	if err != nil {
		return err
	}
	const action = "iam:PassRole"
	d := a.decide(who, who.policies, action, roleARN, map[string][]string{"iam:passedtoservice": {service}})
	if d.Allowed {
		return nil
	}
	e := denial(who.ARN, action, roleARN, d.Reason).(*api.Error)
	e.Code, e.QueryCode = "AccessDeniedException", "AccessDenied"
	return e
}

// assumable tells whether there is such a role and a service may assume it. That the trust policy allows it is asked even if policies
// are not enforced: the services check it when they are given the role.
func (a *authority) assumable(roleARN, service string) bool {
	r, ok := a.iam.Role(roleARN)
	if !ok {
		return false
	}
	who := &identity{Principal: policy.Principal{Service: service}, context: map[string][]string{"aws:principalservicename": {service}}}
	return a.decide(who, policy.Policies{Resource: r.Trust, Decides: true}, "sts:AssumeRole", roleARN, nil).Allowed
}

// assume returns the access key of a session of a role that CloudFormation makes a stack with. While policies are not enforced a role
// that is not there is the caller itself.
func (a *authority) assume(from api.Caller, roleARN string) (accessKeyID string, err error) {
	if a.enforce && !a.assumable(roleARN, "cloudformation.amazonaws.com") {
		return "", fmt.Errorf("role %s is not there, or CloudFormation may not assume it", roleARN)
	}
	c, ok := a.sts.Assume(roleARN, "AWSCloudFormation", time.Hour)
	if !ok {
		return from.AccessKeyID, nil
	}
	return c.AccessKeyID, nil
}

// roleCredentials are a session of a function's role. While policies are not enforced a role that is not there is the account's root.
func (a *authority) roleCredentials(account, roleARN string) (accessKeyID, secret, token string, err error) {
	if c, ok := a.sts.Assume(roleARN, "function", 12*time.Hour); ok {
		return c.AccessKeyID, c.SecretAccessKey, c.SessionToken, nil
	}
	if a.enforce {
		return "", "", "", fmt.Errorf("role %s is not there", roleARN)
	}
	return account, "local", "local", nil
}

// passToLambda decides whether the caller may give a function a role.
func (a *authority) passToLambda(c *api.Call, roleARN string) error {
	if !a.enforce {
		return nil
	}
	if err := a.passRole(c, roleARN, "lambda.amazonaws.com"); err != nil {
		return err
	}
	if !a.assumable(roleARN, "lambda.amazonaws.com") {
		return api.Errorf("InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.")
	}
	return nil
}

// roleMay decides whether a role may do an action of SQS with a queue: what a service does with a role that it was given. It is true
// while policies are not enforced.
func (a *authority) roleMay(roleARN, action, queueARN string) bool {
	if !a.enforce {
		return true
	}
	r, ok := a.iam.Role(roleARN)
	if !ok {
		return false
	}
	who := &identity{Principal: policy.Principal{Account: r.Account, ARN: roleARN, ID: r.ID, Role: roleARN}, context: map[string][]string{"aws:principaltype": {"AssumedRole"}, "aws:principalarn": {roleARN}, "aws:securetransport": {"true"}}}
	p := policy.Policies{}
	p.Identity, p.Boundary = a.iam.Policies(roleARN)
	document, err := a.resourcePolicy(queueARN)
	if err != nil {
		return false
	}
	p.Resource = document
	return a.decide(who, p, "sqs:"+action, queueARN, nil).Allowed
}

// identities is what STS asks IAM.
type identities struct{ iam *iam.Service }

func (i identities) Role(arn string) (sts.Role, bool) {
	r, ok := i.iam.Role(arn)
	return sts.Role{Account: r.Account, ARN: r.ARN, Name: r.Name, ID: r.ID, MaxSession: r.MaxSession}, ok
}

func (i identities) User(accessKeyID string) (sts.User, bool) {
	u, ok := i.iam.User(accessKeyID)
	return sts.User{Account: u.Account, ARN: u.ARN, ID: u.ID}, ok
}

func (i identities) ManagedPolicy(account, arn string) (*policy.Document, bool) {
	return i.iam.ManagedPolicy(account, arn)
}
