package conformance_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// The rules of IAM and STS are in iam_*_test.go and sts_test.go. Their sources are the IAM User Guide and the API References;
// "recorded" is what the service answered to the tests of LocalStack (github.com/localstack/localstack, tests/aws/services/iam,
// *.snapshot.json), with the year.

const (
	iamChecked   = "2026-12-01"
	trustLambda  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	allowNothing = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`
)

// iamCloud is a Cloud with the calls that the rules make again and again; a failed call ends the rule.
type iamCloud struct {
	*conformance.Cloud
	*iam.Client
	t   *testing.T
	ctx context.Context
}

func iamRule(t *testing.T, name, source string, f func(t *testing.T, c iamCloud)) {
	t.Helper()
	iamRuleOf(t, conformance.Rule{Name: name, Source: source, Checked: iamChecked}, f)
}

// policyRule is a rule about who may do what: policies are enforced.
func policyRule(t *testing.T, name, source string, f func(t *testing.T, c iamCloud)) {
	t.Helper()
	iamRuleOf(t, conformance.Rule{Name: name, Source: source, Checked: iamChecked, Policies: true}, f)
}

func iamRuleOf(t *testing.T, r conformance.Rule, f func(t *testing.T, c iamCloud)) {
	t.Helper()
	conformance.Run(t, r, func(t *testing.T, c *conformance.Cloud) {
		f(t, iamCloud{c, iam.NewFromConfig(c.AWS()), t, t.Context()})
	})
}

func (c iamCloud) ok(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// role creates a role of a name of its own with a trust policy.
func (c iamCloud) role(trust string) *types.Role {
	c.t.Helper()
	out, err := c.CreateRole(c.ctx, &iam.CreateRoleInput{RoleName: aws.String(c.Name("role")), AssumeRolePolicyDocument: &trust})
	c.ok(err)
	return out.Role
}

// user creates a user with an inline policy (none if empty) and returns the user and the configuration of its clients.
func (c iamCloud) user(policy string) (*types.User, aws.Config) {
	c.t.Helper()
	out, err := c.CreateUser(c.ctx, &iam.CreateUserInput{UserName: aws.String(c.Name("user"))})
	c.ok(err)
	if policy != "" {
		_, err := c.PutUserPolicy(c.ctx, &iam.PutUserPolicyInput{UserName: out.User.UserName, PolicyName: aws.String("own"), PolicyDocument: &policy})
		c.ok(err)
	}
	key, err := c.CreateAccessKey(c.ctx, &iam.CreateAccessKeyInput{UserName: out.User.UserName})
	c.ok(err)
	return out.User, c.as(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
}

// as returns the configuration of clients with other credentials.
func (c iamCloud) as(id, secret, token string) aws.Config {
	config := c.AWS()
	config.Credentials = credentials.NewStaticCredentialsProvider(id, secret, token)
	return config
}

func (c iamCloud) policy(document string) string {
	c.t.Helper()
	out, err := c.CreatePolicy(c.ctx, &iam.CreatePolicyInput{PolicyName: aws.String(c.Name("policy")), PolicyDocument: &document})
	c.ok(err)
	return *out.Policy.Arn
}

// account is the number of the account that the rule runs in.
func (c iamCloud) account() string {
	c.t.Helper()
	out, err := sts.NewFromConfig(c.AWS()).GetCallerIdentity(c.ctx, &sts.GetCallerIdentityInput{})
	c.ok(err)
	return *out.Account
}

// allow is a policy of one statement.
func allow(actions, resource string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.ReplaceAll(actions, " ", `","`) + `"],"Resource":"` + resource + `"}]}`
}

// wantMessage checks the code and the end or a part of the message of an error.
func wantMessage(t *testing.T, err error, code, part string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), part) {
		t.Errorf("error %v, want %s with %q", err, code, part)
	}
}

func TestIAMRoles(t *testing.T) {
	iamRule(t, "a role has an ARN without a region, an id that starts with AROA, and sessions of an hour", "User Guide: IAM identifiers; API Reference: Role", func(t *testing.T, c iamCloud) {
		name := c.Name("role")
		trust := trustLambda
		created, err := c.CreateRole(c.ctx, &iam.CreateRoleInput{RoleName: &name, Path: aws.String("/team/a/"), AssumeRolePolicyDocument: &trust,
			Description: aws.String("d"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
		c.ok(err)
		if want := "arn:aws:iam::" + c.account() + ":role/team/a/" + name; *created.Role.Arn != want {
			t.Errorf("%s, want %s", *created.Role.Arn, want)
		}
		got, err := c.GetRole(c.ctx, &iam.GetRoleInput{RoleName: &name})
		c.ok(err)
		r := got.Role
		document, err := url.QueryUnescape(*r.AssumeRolePolicyDocument)
		c.ok(err)
		if !strings.HasPrefix(*r.RoleId, "AROA") || len(*r.RoleId) != 21 || *r.MaxSessionDuration != 3600 || *r.Description != "d" || len(r.Tags) != 1 ||
			document != trust || strings.Contains(*r.AssumeRolePolicyDocument, "{") || r.CreateDate.After(time.Now()) {
			t.Errorf("%+v", r)
		}
	})
	iamRule(t, "a role is the same in every region", "User Guide: IAM is eventually consistent and global", func(t *testing.T, c iamCloud) {
		r := c.role(trustLambda)
		_, err := iam.NewFromConfig(c.AWS(), func(o *iam.Options) { o.Region = "eu-west-1" }).GetRole(c.ctx, &iam.GetRoleInput{RoleName: r.RoleName})
		c.ok(err)
	})
	iamRule(t, "a role's name is taken in any case of its letters", "API Reference: CreateRole, names are unique in the account and not distinguished by case", func(t *testing.T, c iamCloud) {
		name := c.Name("role")
		for i, n := range []string{name, strings.ToUpper(name)} {
			_, err := c.CreateRole(c.ctx, &iam.CreateRoleInput{RoleName: &n, AssumeRolePolicyDocument: aws.String(trustLambda)})
			if i == 0 {
				c.ok(err)
				continue
			}
			wantError[*types.EntityAlreadyExistsException](t, err)
		}
	})
	iamRule(t, "names, paths, descriptions and session durations have their limits", "API Reference: CreateRole", func(t *testing.T, c iamCloud) {
		for what, in := range map[string]*iam.CreateRoleInput{
			"a blank":           {RoleName: aws.String("a b")},
			"65 characters":     {RoleName: aws.String(strings.Repeat("x", 65))},
			"an open path":      {Path: aws.String("/team")},
			"a long text":       {Description: aws.String(strings.Repeat("x", 1001))},
			"half an hour":      {MaxSessionDuration: aws.Int32(1800)},
			"13 hours":          {MaxSessionDuration: aws.Int32(46800)},
			"no trust policy":   {AssumeRolePolicyDocument: aws.String("")},
			"a tag without key": {Tags: []types.Tag{{Key: aws.String(""), Value: aws.String("v")}}},
		} {
			if in.RoleName == nil {
				in.RoleName = aws.String(c.Name("role"))
			}
			if in.AssumeRolePolicyDocument == nil {
				in.AssumeRolePolicyDocument = aws.String(trustLambda)
			}
			_, err := c.CreateRole(c.ctx, in)
			var e smithy.APIError
			if !errors.As(err, &e) || e.ErrorCode() != "ValidationError" {
				t.Errorf("%s: %v, want ValidationError", what, err)
			}
		}
	})
	iamRule(t, "a trust policy needs a principal and names no resource", "User Guide: IAM JSON policy elements; recorded 2023", func(t *testing.T, c iamCloud) {
		for document, message := range map[string]string{
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"}]}`:                               "Missing required field Principal",
			strings.Replace(trustLambda, `"Action"`, `"Resource":"*","Action"`, 1):                                              "Has prohibited field Resource",
			strings.Replace(trustLambda, "sts:AssumeRole", "sqs:SendMessage", 1):                                                "AssumeRole policy may only specify STS AssumeRole actions.",
			strings.Replace(trustLambda, `"Service":"lambda.amazonaws.com"`, `"AWS":"arn:aws:iam::`+c.account()+`:role/no"`, 1): "Invalid principal in policy",
		} {
			_, err := c.CreateRole(c.ctx, &iam.CreateRoleInput{RoleName: aws.String(c.Name("role")), AssumeRolePolicyDocument: &document})
			wantMessage(t, err, "MalformedPolicyDocument", message)
		}
	})
	iamRule(t, "a trust policy that is no JSON has an error of its own", "recorded 2023: test_create_role_with_malformed_assume_role_policy_document", func(t *testing.T, c iamCloud) {
		_, err := c.CreateRole(c.ctx, &iam.CreateRoleInput{RoleName: aws.String(c.Name("role")), AssumeRolePolicyDocument: aws.String("{")})
		wantMessage(t, err, "MalformedPolicyDocuments", "This policy contains invalid Json")
	})
	iamRule(t, "a role's description, session duration and trust policy change", "API Reference: UpdateRole, UpdateAssumeRolePolicy", func(t *testing.T, c iamCloud) {
		r := c.role(trustLambda)
		_, err := c.UpdateRole(c.ctx, &iam.UpdateRoleInput{RoleName: r.RoleName, Description: aws.String("new"), MaxSessionDuration: aws.Int32(7200)})
		c.ok(err)
		trust := strings.Replace(trustLambda, "lambda", "states", 1)
		_, err = c.UpdateAssumeRolePolicy(c.ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: r.RoleName, PolicyDocument: &trust})
		c.ok(err)
		got, err := c.GetRole(c.ctx, &iam.GetRoleInput{RoleName: r.RoleName})
		c.ok(err)
		if document, _ := url.QueryUnescape(*got.Role.AssumeRolePolicyDocument); *got.Role.Description != "new" || *got.Role.MaxSessionDuration != 7200 || document != trust {
			t.Errorf("%+v", got.Role)
		}
	})
	iamRule(t, "a role with policies is not deleted", "API Reference: DeleteRole, DeleteConflict", func(t *testing.T, c iamCloud) {
		r := c.role(trustLambda)
		arn := "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
		_, err := c.AttachRolePolicy(c.ctx, &iam.AttachRolePolicyInput{RoleName: r.RoleName, PolicyArn: &arn})
		c.ok(err)
		_, err = c.PutRolePolicy(c.ctx, &iam.PutRolePolicyInput{RoleName: r.RoleName, PolicyName: aws.String("p"), PolicyDocument: aws.String(allowNothing)})
		c.ok(err)
		remove := func() error {
			_, err := c.DeleteRole(c.ctx, &iam.DeleteRoleInput{RoleName: r.RoleName})
			return err
		}
		wantMessage(t, remove(), "DeleteConflict", "must detach all policies first")
		_, err = c.DetachRolePolicy(c.ctx, &iam.DetachRolePolicyInput{RoleName: r.RoleName, PolicyArn: &arn})
		c.ok(err)
		wantMessage(t, remove(), "DeleteConflict", "must delete policies first")
		_, err = c.DeleteRolePolicy(c.ctx, &iam.DeleteRolePolicyInput{RoleName: r.RoleName, PolicyName: aws.String("p")})
		c.ok(err)
		c.ok(remove())
		_, err = c.GetRole(c.ctx, &iam.GetRoleInput{RoleName: r.RoleName})
		wantError[*types.NoSuchEntityException](t, err)
		wantMessage(t, err, "NoSuchEntity", "The role with name "+*r.RoleName+" cannot be found.")
	})
	iamRule(t, "roles are listed by path, in pages", "API Reference: ListRoles", func(t *testing.T, c iamCloud) {
		path := "/" + c.Name("path") + "/"
		var want, got []string
		for range 5 {
			out, err := c.CreateRole(c.ctx, &iam.CreateRoleInput{RoleName: aws.String(c.Name("role")), Path: &path, AssumeRolePolicyDocument: aws.String(trustLambda)})
			c.ok(err)
			want = append(want, *out.Role.RoleName)
		}
		c.role(trustLambda)
		pages := 0
		for p := iam.NewListRolesPaginator(c.Client, &iam.ListRolesInput{PathPrefix: &path, MaxItems: aws.Int32(2)}); p.HasMorePages(); pages++ {
			page, err := p.NextPage(c.ctx)
			c.ok(err)
			for _, r := range page.Roles {
				got = append(got, *r.RoleName)
			}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) || pages != 3 {
			t.Errorf("%q in %d pages, want %q in 3", got, pages, want)
		}
	})
	iamRule(t, "tags are the same key in any case, and up to 50", "User Guide: Tags for AWS Identity and Access Management resources", func(t *testing.T, c iamCloud) {
		r := c.role(trustLambda)
		tag := func(tags ...string) error {
			in := &iam.TagRoleInput{RoleName: r.RoleName}
			for _, kv := range tags {
				k, v, _ := strings.Cut(kv, "=")
				in.Tags = append(in.Tags, types.Tag{Key: &k, Value: &v})
			}
			_, err := c.TagRole(c.ctx, in)
			return err
		}
		c.ok(tag("Team=a", "cost=1"))
		c.ok(tag("team=b"))
		wantCode(t, tag("x=1", "X=2"), "InvalidInput")
		_, err := c.UntagRole(c.ctx, &iam.UntagRoleInput{RoleName: r.RoleName, TagKeys: []string{"COST"}})
		c.ok(err)
		out, err := c.ListRoleTags(c.ctx, &iam.ListRoleTagsInput{RoleName: r.RoleName})
		c.ok(err)
		if len(out.Tags) != 1 || *out.Tags[0].Key != "team" || *out.Tags[0].Value != "b" {
			t.Errorf("%+v", out.Tags)
		}
		var many []string
		for i := range 50 {
			many = append(many, "k"+string(rune('A'+i%26))+strings.Repeat("x", i/26+1)+"=v")
		}
		wantCode(t, tag(many...), "LimitExceeded")
	})
	iamRule(t, "a permissions boundary is a managed policy", "API Reference: PutRolePermissionsBoundary", func(t *testing.T, c iamCloud) {
		r := c.role(trustLambda)
		arn := c.policy(allow("sqs:*", "*"))
		_, err := c.PutRolePermissionsBoundary(c.ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: r.RoleName, PermissionsBoundary: aws.String(arn + "x")})
		wantError[*types.NoSuchEntityException](t, err)
		_, err = c.PutRolePermissionsBoundary(c.ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: r.RoleName, PermissionsBoundary: &arn})
		c.ok(err)
		got, err := c.GetRole(c.ctx, &iam.GetRoleInput{RoleName: r.RoleName})
		c.ok(err)
		if b := got.Role.PermissionsBoundary; b == nil || *b.PermissionsBoundaryArn != arn {
			t.Errorf("%+v", b)
		}
		_, err = c.DeletePolicy(c.ctx, &iam.DeletePolicyInput{PolicyArn: &arn})
		wantError[*types.DeleteConflictException](t, err)
		_, err = c.DeleteRolePermissionsBoundary(c.ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: r.RoleName})
		c.ok(err)
		_, err = c.DeletePolicy(c.ctx, &iam.DeletePolicyInput{PolicyArn: &arn})
		c.ok(err)
	})
}

func TestIAMUsers(t *testing.T) {
	iamRule(t, "a user has up to two access keys, whose secret is shown once", "API Reference: CreateAccessKey; User Guide: IAM quotas", func(t *testing.T, c iamCloud) {
		u, _ := c.user("")
		second, err := c.CreateAccessKey(c.ctx, &iam.CreateAccessKeyInput{UserName: u.UserName})
		c.ok(err)
		if k := second.AccessKey; !strings.HasPrefix(*k.AccessKeyId, "AKIA") || len(*k.SecretAccessKey) != 40 || k.Status != types.StatusTypeActive {
			t.Errorf("%+v", k)
		}
		_, err = c.CreateAccessKey(c.ctx, &iam.CreateAccessKeyInput{UserName: u.UserName})
		wantError[*types.LimitExceededException](t, err)
		_, err = c.UpdateAccessKey(c.ctx, &iam.UpdateAccessKeyInput{UserName: u.UserName, AccessKeyId: second.AccessKey.AccessKeyId, Status: types.StatusTypeInactive})
		c.ok(err)
		list, err := c.ListAccessKeys(c.ctx, &iam.ListAccessKeysInput{UserName: u.UserName})
		c.ok(err)
		states := map[types.StatusType]int{}
		for _, k := range list.AccessKeyMetadata {
			states[k.Status]++
		}
		if states[types.StatusTypeActive] != 1 || states[types.StatusTypeInactive] != 1 {
			t.Errorf("%v", states)
		}
		_, err = c.DeleteUser(c.ctx, &iam.DeleteUserInput{UserName: u.UserName})
		wantMessage(t, err, "DeleteConflict", "must delete access keys first")
	})
	iamRule(t, "an access key that was switched off is invalid", "User Guide: Manage access keys for IAM users", func(t *testing.T, c iamCloud) {
		u, config := c.user("")
		who := sts.NewFromConfig(config)
		_, err := who.GetCallerIdentity(c.ctx, &sts.GetCallerIdentityInput{})
		c.ok(err)
		key, err := config.Credentials.Retrieve(c.ctx)
		c.ok(err)
		_, err = c.UpdateAccessKey(c.ctx, &iam.UpdateAccessKeyInput{UserName: u.UserName, AccessKeyId: &key.AccessKeyID, Status: types.StatusTypeInactive})
		c.ok(err)
		_, err = who.GetCallerIdentity(c.ctx, &sts.GetCallerIdentityInput{})
		wantCode(t, err, "InvalidClientTokenId")
	})
	iamRule(t, "GetUser without a name is about the caller", "API Reference: GetUser", func(t *testing.T, c iamCloud) {
		u, config := c.user(allow("iam:GetUser", "*"))
		got, err := iam.NewFromConfig(config).GetUser(c.ctx, &iam.GetUserInput{})
		c.ok(err)
		if *got.User.Arn != *u.Arn || !strings.HasPrefix(*got.User.UserId, "AIDA") {
			t.Errorf("%+v, want %s", got.User, *u.Arn)
		}
	})
	iamRule(t, "a user is a member of groups, and a group with members is not deleted", "API Reference: AddUserToGroup, DeleteGroup", func(t *testing.T, c iamCloud) {
		u, _ := c.user("")
		g := aws.String(c.Name("group"))
		_, err := c.CreateGroup(c.ctx, &iam.CreateGroupInput{GroupName: g})
		c.ok(err)
		_, err = c.AddUserToGroup(c.ctx, &iam.AddUserToGroupInput{GroupName: g, UserName: u.UserName})
		c.ok(err)
		got, err := c.GetGroup(c.ctx, &iam.GetGroupInput{GroupName: g})
		c.ok(err)
		in, err := c.ListGroupsForUser(c.ctx, &iam.ListGroupsForUserInput{UserName: u.UserName})
		c.ok(err)
		if len(got.Users) != 1 || *got.Users[0].Arn != *u.Arn || len(in.Groups) != 1 || *in.Groups[0].GroupName != *g {
			t.Errorf("%+v and %+v", got.Users, in.Groups)
		}
		_, err = c.DeleteGroup(c.ctx, &iam.DeleteGroupInput{GroupName: g})
		wantError[*types.DeleteConflictException](t, err)
		_, err = c.RemoveUserFromGroup(c.ctx, &iam.RemoveUserFromGroupInput{GroupName: g, UserName: u.UserName})
		c.ok(err)
		_, err = c.DeleteGroup(c.ctx, &iam.DeleteGroupInput{GroupName: g})
		c.ok(err)
	})
	iamRule(t, "instance profiles and service-linked roles are refused by the local cloud", "not offered", func(t *testing.T, c iamCloud) {
		c.Control()
		_, err := c.CreateInstanceProfile(c.ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String("p")})
		wantMessage(t, err, "InvalidAction", "CreateInstanceProfile")
		_, err = c.CreateServiceLinkedRole(c.ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("sqs.amazonaws.com")})
		wantMessage(t, err, "InvalidAction", "CreateServiceLinkedRole")
	})
}

func TestIAMPolicies(t *testing.T) {
	iamRule(t, "an inline policy is kept as it was given", "API Reference: PutRolePolicy, GetRolePolicy", func(t *testing.T, c iamCloud) {
		r := c.role(trustLambda)
		document := "{ \"Version\": \"2012-10-17\",\n \"Statement\": {\"Effect\":\"Allow\",\"Action\":\"sqs:*\",\"Resource\":\"*\"} }"
		_, err := c.PutRolePolicy(c.ctx, &iam.PutRolePolicyInput{RoleName: r.RoleName, PolicyName: aws.String("p"), PolicyDocument: &document})
		c.ok(err)
		got, err := c.GetRolePolicy(c.ctx, &iam.GetRolePolicyInput{RoleName: r.RoleName, PolicyName: aws.String("p")})
		c.ok(err)
		if text, _ := url.PathUnescape(*got.PolicyDocument); text != document || *got.RoleName != *r.RoleName {
			t.Errorf("%q, want %q", text, document)
		}
		list, err := c.ListRolePolicies(c.ctx, &iam.ListRolePoliciesInput{RoleName: r.RoleName})
		c.ok(err)
		if !slices.Equal(list.PolicyNames, []string{"p"}) {
			t.Errorf("%q", list.PolicyNames)
		}
		_, err = c.GetRolePolicy(c.ctx, &iam.GetRolePolicyInput{RoleName: r.RoleName, PolicyName: aws.String("q")})
		wantMessage(t, err, "NoSuchEntity", "The role policy with name q cannot be found.")
	})
	iamRule(t, "inline policies have a size together, without white space", "User Guide: IAM and AWS STS quotas, character limits", func(t *testing.T, c iamCloud) {
		u, _ := c.user("")
		put := func(name string, padding int, with string) error {
			document := `{"Version":"2012-10-17","Statement":[{"Sid":"` + strings.Repeat("x", padding) + `","Effect":"Allow",` + with + `"Action":"sqs:*","Resource":"*"}]}`
			_, err := c.PutUserPolicy(c.ctx, &iam.PutUserPolicyInput{UserName: u.UserName, PolicyName: &name, PolicyDocument: &document})
			return err
		}
		c.ok(put("a", 1000, strings.Repeat(" ", 2000)))
		wantMessage(t, put("b", 1000, ""), "LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user "+*u.UserName)
		c.ok(put("a", 1500, ""))
	})
	iamRule(t, "a policy is checked when it is stored", "User Guide: IAM JSON policy grammar; recorded 2026 in versitygw's IAM tests", func(t *testing.T, c iamCloud) {
		for document, message := range map[string]string{
			`{`: "Syntax errors in policy.",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"GetObject","Resource":"*"}]}`:            "Actions/Conditions must be prefaced by a vendor",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*"}]}`:                                "Policy statement must contain resources.",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}`: "Policy document should not specify a principal.",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}]}`:            `Resource bucket must be in ARN format or "*".`,
			`{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`:                                        "Policy document must be version 2012-10-17 or greater.",
		} {
			_, err := c.CreatePolicy(c.ctx, &iam.CreatePolicyInput{PolicyName: aws.String(c.Name("p")), PolicyDocument: &document})
			wantError[*types.MalformedPolicyDocumentException](t, err)
			wantMessage(t, err, "MalformedPolicyDocument", message)
		}
	})
	iamRule(t, "a managed policy has up to five versions, one of them the default", "User Guide: Versioning IAM policies", func(t *testing.T, c iamCloud) {
		arn := c.policy(allow("sqs:*", "*"))
		version := func(standard bool) (*iam.CreatePolicyVersionOutput, error) {
			return c.CreatePolicyVersion(c.ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: aws.String(allow("sns:*", "*")), SetAsDefault: standard})
		}
		for i := range 4 {
			_, err := version(i == 1)
			c.ok(err)
		}
		_, err := version(false)
		wantError[*types.LimitExceededException](t, err)
		got, err := c.GetPolicy(c.ctx, &iam.GetPolicyInput{PolicyArn: &arn})
		c.ok(err)
		if *got.Policy.DefaultVersionId != "v3" {
			t.Errorf("%s, want v3", *got.Policy.DefaultVersionId)
		}
		_, err = c.DeletePolicyVersion(c.ctx, &iam.DeletePolicyVersionInput{PolicyArn: &arn, VersionId: aws.String("v3")})
		wantError[*types.DeleteConflictException](t, err)
		_, err = c.DeletePolicyVersion(c.ctx, &iam.DeletePolicyVersionInput{PolicyArn: &arn, VersionId: aws.String("v5")})
		c.ok(err)
		again, err := version(false)
		c.ok(err)
		if *again.PolicyVersion.VersionId != "v6" {
			t.Errorf("%s, want v6: a number is not given twice", *again.PolicyVersion.VersionId)
		}
		_, err = c.DeletePolicy(c.ctx, &iam.DeletePolicyInput{PolicyArn: &arn})
		wantMessage(t, err, "DeleteConflict", "more than one version")
	})
	iamRule(t, "a policy's name is taken once, whatever its path", "API Reference: CreatePolicy, EntityAlreadyExists", func(t *testing.T, c iamCloud) {
		name := aws.String(c.Name("policy"))
		for i, path := range []string{"/", "/team/"} {
			_, err := c.CreatePolicy(c.ctx, &iam.CreatePolicyInput{PolicyName: name, Path: &path, PolicyDocument: aws.String(allow("sqs:*", "*"))})
			if i == 1 {
				wantError[*types.EntityAlreadyExistsException](t, err)
			} else {
				c.ok(err)
			}
		}
	})
	iamRule(t, "attaching needs the ARN of a policy that is there, and may be done again", "recorded 2023: test_role_attach_policy", func(t *testing.T, c iamCloud) {
		r, arn := c.role(trustLambda), c.policy(allow("sqs:*", "*"))
		attach := func(arn string) error {
			_, err := c.AttachRolePolicy(c.ctx, &iam.AttachRolePolicyInput{RoleName: r.RoleName, PolicyArn: &arn})
			return err
		}
		wantMessage(t, attach("longpolicynamebutnoarn"), "InvalidInput", "ARN longpolicynamebutnoarn is not valid.")
		wantMessage(t, attach(arn+"123"), "NoSuchEntity", "Policy "+arn+"123 does not exist or is not attachable.")
		c.ok(attach(arn))
		c.ok(attach(arn))
		got, err := c.GetPolicy(c.ctx, &iam.GetPolicyInput{PolicyArn: &arn})
		c.ok(err)
		if *got.Policy.AttachmentCount != 1 {
			t.Errorf("attached %d times", *got.Policy.AttachmentCount)
		}
		_, err = c.DeletePolicy(c.ctx, &iam.DeletePolicyInput{PolicyArn: &arn})
		wantMessage(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
		users, err := c.ListEntitiesForPolicy(c.ctx, &iam.ListEntitiesForPolicyInput{PolicyArn: &arn})
		c.ok(err)
		if len(users.PolicyRoles) != 1 || *users.PolicyRoles[0].RoleName != *r.RoleName {
			t.Errorf("%+v", users.PolicyRoles)
		}
	})
	iamRule(t, "ten managed policies are attached to a role at most", "User Guide: IAM and AWS STS quotas", func(t *testing.T, c iamCloud) {
		r := c.role(trustLambda)
		for i := range 11 {
			arn := c.policy(allow("sqs:*", "*"))
			_, err := c.AttachRolePolicy(c.ctx, &iam.AttachRolePolicyInput{RoleName: r.RoleName, PolicyArn: &arn})
			if i == 10 {
				wantMessage(t, err, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")
			} else {
				c.ok(err)
			}
		}
	})
	iamRule(t, "policies that AWS manages are there with their documents", "AWS Managed Policy Reference Guide: AWSLambdaSQSQueueExecutionRole", func(t *testing.T, c iamCloud) {
		arn := aws.String("arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole")
		p, err := c.GetPolicy(c.ctx, &iam.GetPolicyInput{PolicyArn: arn})
		c.ok(err)
		v, err := c.GetPolicyVersion(c.ctx, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: p.Policy.DefaultVersionId})
		c.ok(err)
		text, _ := url.PathUnescape(*v.PolicyVersion.Document)
		for _, action := range []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "logs:PutLogEvents"} {
			if !strings.Contains(text, `"`+action+`"`) {
				t.Errorf("%s is not in %s", action, text)
			}
		}
		_, err = c.DeletePolicy(c.ctx, &iam.DeletePolicyInput{PolicyArn: arn})
		wantCode(t, err, "AccessDenied")
	})
	iamRule(t, "a user's policies are simulated", "API Reference: SimulatePrincipalPolicy", func(t *testing.T, c iamCloud) {
		u, _ := c.user(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"},{"Effect":"Deny","Action":"sqs:PurgeQueue","Resource":"*"}]}`)
		out, err := c.SimulatePrincipalPolicy(c.ctx, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: u.Arn, ActionNames: []string{"sns:Publish", "sqs:PurgeQueue", "sqs:SendMessage"}})
		c.ok(err)
		var got []string
		for _, r := range out.EvaluationResults {
			got = append(got, *r.EvalActionName+" "+string(r.EvalDecision))
		}
		if want := []string{"sns:Publish implicitDeny", "sqs:PurgeQueue explicitDeny", "sqs:SendMessage allowed"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
