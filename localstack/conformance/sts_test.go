package conformance_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// assume assumes a role as the caller of config and returns the configuration of the session.
func (c iamCloud) assume(config aws.Config, role *iamtypes.Role, settings ...func(*sts.AssumeRoleInput)) (aws.Config, *sts.AssumeRoleOutput, error) {
	in := &sts.AssumeRoleInput{RoleArn: role.Arn, RoleSessionName: aws.String("session")}
	for _, set := range settings {
		set(in)
	}
	out, err := sts.NewFromConfig(config).AssumeRole(c.ctx, in)
	if err != nil {
		return aws.Config{}, nil, err
	}
	return c.as(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken), out, nil
}

// trustAccount is a trust policy for an account.
func trustAccount(account string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`
}

func (c iamCloud) identity(config aws.Config) *sts.GetCallerIdentityOutput {
	c.t.Helper()
	out, err := sts.NewFromConfig(config).GetCallerIdentity(c.ctx, &sts.GetCallerIdentityInput{})
	c.ok(err)
	return out
}

func TestSTSIdentity(t *testing.T) {
	iamRule(t, "an account's root, a user and a role's session have ARNs of their own", "API Reference: GetCallerIdentity; recorded 2026: test_get_caller_identity_with_assumed_role_credentials", func(t *testing.T, c iamCloud) {
		if c.Embedded() {
			if who := c.identity(c.AWS()); *who.Arn != "arn:aws:iam::"+*who.Account+":root" || *who.UserId != *who.Account {
				t.Errorf("root: %+v", who)
			}
		}
		u, config := c.user("")
		if who := c.identity(config); *who.Arn != *u.Arn || *who.UserId != *u.UserId || *who.Account != c.account() {
			t.Errorf("user: %+v", who)
		}
		r := c.role(trustAccount(c.account()))
		session, out, err := c.assume(c.AWS(), r)
		c.ok(err)
		who := c.identity(session)
		if want := "arn:aws:sts::" + c.account() + ":assumed-role/" + *r.RoleName + "/session"; *who.Arn != want || *out.AssumedRoleUser.Arn != want {
			t.Errorf("session: %s, want %s", *who.Arn, want)
		}
		if want := *r.RoleId + ":session"; *who.UserId != want || *out.AssumedRoleUser.AssumedRoleId != want {
			t.Errorf("session: %s, want %s", *who.UserId, want)
		}
	})
	iamRule(t, "an access key of 12 digits is the root of that account", "local cloud: package aws", func(t *testing.T, c iamCloud) {
		c.Control()
		if who := c.identity(c.as("111122223333", "x", "")); *who.Arn != "arn:aws:iam::111122223333:root" {
			t.Errorf("%+v", who)
		}
	})
	iamRule(t, "the account of an issued access key is told", "API Reference: GetAccessKeyInfo", func(t *testing.T, c iamCloud) {
		_, config := c.user("")
		key, err := config.Credentials.Retrieve(c.ctx)
		c.ok(err)
		out, err := sts.NewFromConfig(c.AWS()).GetAccessKeyInfo(c.ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: &key.AccessKeyID})
		c.ok(err)
		if *out.Account != c.account() {
			t.Errorf("%s, want %s", *out.Account, c.account())
		}
	})
	iamRule(t, "resources of a session belong to the role's account", "User Guide: Cross account resource access", func(t *testing.T, c iamCloud) {
		c.Control()
		other := c
		other.Client = iam.NewFromConfig(c.as("111122223333", "x", ""))
		r := other.role(trustAccount("111122223333"))
		session, _, err := c.assume(c.as("111122223333", "x", ""), r)
		c.ok(err)
		q, err := sqs.NewFromConfig(session).CreateQueue(c.ctx, &sqs.CreateQueueInput{QueueName: aws.String(c.Name("q"))})
		c.ok(err)
		if !strings.Contains(*q.QueueUrl, "/111122223333/") {
			t.Errorf("%s is in another account", *q.QueueUrl)
		}
	})
	iamRule(t, "federation and encoded messages are refused by the local cloud", "not offered", func(t *testing.T, c iamCloud) {
		c.Control()
		client := sts.NewFromConfig(c.AWS())
		_, err := client.DecodeAuthorizationMessage(c.ctx, &sts.DecodeAuthorizationMessageInput{EncodedMessage: aws.String("x")})
		wantCode(t, err, "InvalidAction")
		_, err = client.AssumeRoleWithWebIdentity(c.ctx, &sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String("arn:aws:iam::111122223333:role/x"), RoleSessionName: aws.String("s"), WebIdentityToken: aws.String("t")})
		wantCode(t, err, "InvalidAction")
	})
}

func TestSTSAssumeRole(t *testing.T) {
	iamRule(t, "temporary credentials last an hour unless asked otherwise", "API Reference: AssumeRole, DurationSeconds", func(t *testing.T, c iamCloud) {
		r := c.role(trustAccount(c.account()))
		start := time.Now()
		_, out, err := c.assume(c.AWS(), r)
		c.ok(err)
		if d := out.Credentials.Expiration.Sub(start); d > time.Hour+10*time.Second || d < time.Hour-10*time.Second || !strings.HasPrefix(*out.Credentials.AccessKeyId, "ASIA") {
			t.Errorf("%s for %s", *out.Credentials.AccessKeyId, d)
		}
	})
	iamRuleOf(t, ruleOf("expired credentials answer ExpiredToken", "User Guide: Using temporary credentials with AWS resources", 15*time.Minute), func(t *testing.T, c iamCloud) {
		r := c.role(trustAccount(c.account()))
		session, _, err := c.assume(c.AWS(), r, func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(900) })
		c.ok(err)
		c.identity(session)
		c.Sleep(15*time.Minute + time.Second)
		_, err = sts.NewFromConfig(session).GetCallerIdentity(c.ctx, &sts.GetCallerIdentityInput{})
		wantMessage(t, err, "ExpiredToken", "The security token included in the request is expired")
		_, err = sqs.NewFromConfig(session).ListQueues(c.ctx, &sqs.ListQueuesInput{})
		wantCode(t, err, "ExpiredToken")
	})
	iamRule(t, "a session is at most as long as the role allows, and an hour from a session", "API Reference: AssumeRole; User Guide: role chaining", func(t *testing.T, c iamCloud) {
		r := c.role(trustAccount(c.account()))
		lasting := func(seconds int32) func(*sts.AssumeRoleInput) {
			return func(in *sts.AssumeRoleInput) { in.DurationSeconds = &seconds }
		}
		_, _, err := c.assume(c.AWS(), r, lasting(3601))
		wantMessage(t, err, "ValidationError", "exceeds the MaxSessionDuration set for this role")
		_, _, err = c.assume(c.AWS(), r, lasting(899))
		wantMessage(t, err, "ValidationError", "Member must have value greater than or equal to 900")
		_, err = c.UpdateRole(c.ctx, &iam.UpdateRoleInput{RoleName: r.RoleName, MaxSessionDuration: aws.Int32(43200)})
		c.ok(err)
		_, err = c.PutRolePolicy(c.ctx, &iam.PutRolePolicyInput{RoleName: r.RoleName, PolicyName: aws.String("self"), PolicyDocument: aws.String(allow("sts:AssumeRole", *r.Arn))})
		c.ok(err)
		session, _, err := c.assume(c.AWS(), r, lasting(43200))
		c.ok(err)
		_, _, err = c.assume(session, r, lasting(3601))
		wantMessage(t, err, "ValidationError", "1 hour session limit for roles assumed by role chaining")
		_, _, err = c.assume(session, r)
		c.ok(err)
	})
	iamRule(t, "session names and ARNs have their form", "recorded 2025, 2026: test_sts_invalid_parameters, test_assume_role_session_name_too_long", func(t *testing.T, c iamCloud) {
		r := c.role(trustAccount(c.account()))
		named := func(name string) error {
			_, _, err := c.assume(c.AWS(), r, func(in *sts.AssumeRoleInput) { in.RoleSessionName = &name })
			return err
		}
		wantMessage(t, named("Session1:2"), "ValidationError", `Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`)
		wantMessage(t, named(strings.Repeat("s", 65)), "ValidationError", "at 'roleSessionName' failed to satisfy constraint: Member must have length less than or equal to 64")
		_, _, err := c.assume(c.AWS(), &iamtypes.Role{Arn: aws.String("nothing-valid-in-here")})
		wantMessage(t, err, "ValidationError", "nothing-valid-in-here is invalid")
	})
	iamRule(t, "a role that is not there is told like one that one may not assume", "User Guide: Troubleshoot IAM roles", func(t *testing.T, c iamCloud) {
		arn := "arn:aws:iam::" + c.account() + ":role/" + c.Name("none")
		_, _, err := c.assume(c.AWS(), &iamtypes.Role{Arn: &arn})
		wantMessage(t, err, "AccessDenied", "is not authorized to perform: sts:AssumeRole on resource: "+arn)
	})
	iamRule(t, "session tags are unique in any case, and transitive ones stay", "recorded 2025: TestSTSAssumeRoleTagging", func(t *testing.T, c iamCloud) {
		r := c.role(trustAccount(c.account()))
		tagged := func(config aws.Config, transitive string, keys ...string) (aws.Config, error) {
			session, _, err := c.assume(config, r, func(in *sts.AssumeRoleInput) {
				for _, k := range keys {
					in.Tags = append(in.Tags, types.Tag{Key: &k, Value: aws.String("v")})
				}
				if transitive != "" {
					in.TransitiveTagKeys = []string{transitive}
				}
			})
			return session, err
		}
		_, err := tagged(c.AWS(), "", "team", "Team")
		wantMessage(t, err, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		_, err = tagged(c.AWS(), "cost", "team")
		wantMessage(t, err, "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.")
		session, err := tagged(c.AWS(), "team", "team")
		c.ok(err)
		_, err = tagged(session, "", "TEAM")
		wantMessage(t, err, "InvalidParameterValue", "conflicts with a transitive tag key from the calling session")
	})
	iamRule(t, "a session token is as large as asked, up to 4,096 bytes", "API Reference: AssumeRole, MinimumSessionTokenSize", func(t *testing.T, c iamCloud) {
		r := c.role(trustAccount(c.account()))
		least := func(size int32) func(*sts.AssumeRoleInput) {
			return func(in *sts.AssumeRoleInput) { in.MinimumSessionTokenSize = &size }
		}
		_, out, err := c.assume(c.AWS(), r, least(4096))
		c.ok(err)
		if n := len(*out.Credentials.SessionToken); n != 4096 || int(*out.SessionTokenSize) != n || *out.SessionTokenUtilization != 100 {
			t.Errorf("%d bytes, told as %d and %d%%", n, *out.SessionTokenSize, *out.SessionTokenUtilization)
		}
		_, _, err = c.assume(c.AWS(), r, least(4097))
		wantCode(t, err, "ValidationError")
	})
	iamRule(t, "a session token is for users and not for sessions", "API Reference: GetSessionToken", func(t *testing.T, c iamCloud) {
		u, config := c.user("")
		out, err := sts.NewFromConfig(config).GetSessionToken(c.ctx, &sts.GetSessionTokenInput{})
		c.ok(err)
		session := c.as(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
		if who := c.identity(session); *who.Arn != *u.Arn || *who.UserId != *u.UserId {
			t.Errorf("%+v, want %s", who, *u.Arn)
		}
		_, err = sts.NewFromConfig(session).GetSessionToken(c.ctx, &sts.GetSessionTokenInput{})
		wantMessage(t, err, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	})
	policyRule(t, "a role is assumed by whom its trust policy names", "User Guide: How permissions work with roles; Troubleshoot access denied error messages", func(t *testing.T, c iamCloud) {
		friend, friendly := c.user("")
		_, stranger := c.user(allow("sts:AssumeRole", "*"))
		r := c.role(strings.Replace(trustAccount("x"), `"x"`, `"`+*friend.Arn+`"`, 1))
		_, _, err := c.assume(friendly, r)
		c.ok(err)
		_, _, err = c.assume(stranger, r)
		wantMessage(t, err, "AccessDenied", "is not authorized to perform: sts:AssumeRole because no role trust policy allows the sts:AssumeRole action")
	})
	policyRule(t, "a role that trusts the account is assumed by whom the account allows it", "User Guide: AWS JSON policy elements: Principal, AWS account principals", func(t *testing.T, c iamCloud) {
		r := c.role(trustAccount(c.account()))
		_, without := c.user("")
		_, with := c.user(allow("sts:AssumeRole", *r.Arn))
		_, _, err := c.assume(without, r)
		wantMessage(t, err, "AccessDenied", "on resource: "+*r.Arn+" because no identity-based policy allows the sts:AssumeRole action")
		_, _, err = c.assume(with, r)
		c.ok(err)
	})
	policyRule(t, "a role that asks for an external id is assumed with that id only", "User Guide: The confused deputy problem, external ID", func(t *testing.T, c iamCloud) {
		u, config := c.user("")
		r := c.role(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + *u.Arn + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"secret"}}}]}`)
		for id, want := range map[string]bool{"": false, "wrong": false, "secret": true} {
			_, _, err := c.assume(config, r, func(in *sts.AssumeRoleInput) {
				if id != "" {
					in.ExternalId = &id
				}
			})
			if want {
				c.ok(err)
			} else {
				wantCode(t, err, "AccessDenied")
			}
		}
	})
	policyRule(t, "session tags need their own permission", "User Guide: Pass session tags in AWS STS, permissions required", func(t *testing.T, c iamCloud) {
		u, config := c.user("")
		r := c.role(strings.Replace(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"x"},"Action":"sts:AssumeRole"}]}`, `"x"`, `"`+*u.Arn+`"`, 1))
		_, _, err := c.assume(config, r, func(in *sts.AssumeRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}
		})
		wantMessage(t, err, "AccessDenied", "sts:TagSession")
	})
	policyRule(t, "credentials of a role that was deleted are invalid", "User Guide: Delete roles", func(t *testing.T, c iamCloud) {
		r := c.role(trustAccount(c.account()))
		session, _, err := c.assume(c.AWS(), r)
		c.ok(err)
		_, err = c.DeleteRole(c.ctx, &iam.DeleteRoleInput{RoleName: r.RoleName})
		c.ok(err)
		_, err = sqs.NewFromConfig(session).ListQueues(c.ctx, &sqs.ListQueuesInput{})
		wantCode(t, err, "InvalidClientTokenId")
	})
}
