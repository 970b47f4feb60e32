package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"github.com/brokerdojo/brokerdojo/localstack/conformance"
)

// The rules of Parameter Store. Their sources are the Systems Manager User Guide ("AWS Systems Manager Parameter Store") and API
// Reference.

const ssmChecked = "2026-12-01"

// ssmCloud is a Cloud with the calls that the rules make again and again; a failed call ends the rule.
type ssmCloud struct {
	*conformance.Cloud
	*ssm.Client
	t   *testing.T
	ctx context.Context
}

func ssmRule(t *testing.T, name, source string, f func(t *testing.T, c ssmCloud)) {
	t.Helper()
	conformance.Run(t, conformance.Rule{Name: name, Source: source, Checked: ssmChecked}, func(t *testing.T, c *conformance.Cloud) {
		f(t, ssmCloud{c, ssm.NewFromConfig(c.AWS()), t, t.Context()})
	})
}

func (c ssmCloud) ok(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// path returns a name of its own that is a path.
func (c ssmCloud) path() string { return "/" + c.Name("p") }

func (c ssmCloud) try(name, value string, settings ...func(*ssm.PutParameterInput)) (*ssm.PutParameterOutput, error) {
	in := &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeString}
	for _, set := range settings {
		set(in)
	}
	return c.PutParameter(c.ctx, in)
}

func (c ssmCloud) put(name, value string, settings ...func(*ssm.PutParameterInput)) int64 {
	c.t.Helper()
	out, err := c.try(name, value, settings...)
	c.ok(err)
	return out.Version
}

func overwrite(in *ssm.PutParameterInput) { in.Overwrite = aws.Bool(true) }

func ofType(kind types.ParameterType) func(*ssm.PutParameterInput) {
	return func(in *ssm.PutParameterInput) { in.Type = kind }
}

func ofTier(tier types.ParameterTier) func(*ssm.PutParameterInput) {
	return func(in *ssm.PutParameterInput) { in.Tier = tier }
}

func (c ssmCloud) get(name string, decrypt bool) (*types.Parameter, error) {
	out, err := c.GetParameter(c.ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: &decrypt})
	if err != nil {
		return nil, err
	}
	return out.Parameter, nil
}

func (c ssmCloud) value(name string) string {
	c.t.Helper()
	p, err := c.get(name, true)
	c.ok(err)
	return *p.Value
}

func TestSSMParameters(t *testing.T) {
	ssmRule(t, "a parameter has a version, a type and an ARN without a second slash", "API Reference: PutParameter, GetParameter", func(t *testing.T, c ssmCloud) {
		for _, name := range []string{c.path() + "/db/host", c.Name("plain")} {
			if v := c.put(name, "one"); v != 1 {
				t.Errorf("version %d of a new parameter", v)
			}
			p, err := c.get(name, false)
			c.ok(err)
			if !strings.HasSuffix(*p.ARN, ":parameter/"+strings.TrimPrefix(name, "/")) || *p.Value != "one" || p.Version != 1 || p.Type != types.ParameterTypeString || *p.DataType != "text" {
				t.Errorf("%+v", p)
			}
			byARN, err := c.get(*p.ARN, false)
			c.ok(err)
			if *byARN.Name != name {
				t.Errorf("by ARN: %s, want %s", *byARN.Name, name)
			}
		}
	})
	ssmRule(t, "a value is overwritten when asked only, and the version counts up", "API Reference: PutParameter, Overwrite, ParameterAlreadyExists", func(t *testing.T, c ssmCloud) {
		name := c.path()
		c.put(name, "one")
		_, err := c.try(name, "two")
		wantError[*types.ParameterAlreadyExists](t, err)
		if v := c.put(name, "two", overwrite); v != 2 || c.value(name) != "two" {
			t.Errorf("version %d with value %s", v, c.value(name))
		}
	})
	ssmRule(t, "a parameter that is not there is a typed error", "API Reference: GetParameter, ParameterNotFound", func(t *testing.T, c ssmCloud) {
		_, err := c.get(c.path(), false)
		wantError[*types.ParameterNotFound](t, err)
		_, err = c.DeleteParameter(c.ctx, &ssm.DeleteParameterInput{Name: aws.String(c.path())})
		wantError[*types.ParameterNotFound](t, err)
	})
	ssmRule(t, "a version is read by its number and by its label", "User Guide: Working with parameter versions, Working with parameter labels", func(t *testing.T, c ssmCloud) {
		name := c.path()
		c.put(name, "one")
		c.put(name, "two", overwrite)
		_, err := c.LabelParameterVersion(c.ctx, &ssm.LabelParameterVersionInput{Name: &name, ParameterVersion: aws.Int64(1), Labels: []string{"prod"}})
		c.ok(err)
		for selector, want := range map[string]string{":1": "one", ":2": "two", ":prod": "one", "": "two"} {
			if got := c.value(name + selector); got != want {
				t.Errorf("%s%s is %s, want %s", name, selector, got, want)
			}
		}
		p, err := c.get(name+":prod", false)
		c.ok(err)
		if p.Selector == nil || *p.Selector != ":prod" {
			t.Errorf("selector %v", p.Selector)
		}
		for _, selector := range []string{":9", ":test"} {
			_, err := c.get(name+selector, false)
			wantError[*types.ParameterVersionNotFound](t, err)
		}
	})
	ssmRule(t, "a label is at one version and moves; bad labels are reported", "User Guide: Working with parameter labels", func(t *testing.T, c ssmCloud) {
		name := c.path()
		c.put(name, "one")
		c.put(name, "two", overwrite)
		for _, version := range []int64{1, 2} {
			out, err := c.LabelParameterVersion(c.ctx, &ssm.LabelParameterVersionInput{Name: &name, ParameterVersion: &version, Labels: []string{"prod", "1st", "awsome"}})
			c.ok(err)
			if !slices.Equal(out.InvalidLabels, []string{"1st", "awsome"}) || out.ParameterVersion != version {
				t.Errorf("%+v", out)
			}
		}
		if got := c.value(name + ":prod"); got != "two" {
			t.Errorf("the label is at %s", got)
		}
		var many []string
		for i := range 10 {
			many = append(many, fmt.Sprint("label", i))
		}
		_, err := c.LabelParameterVersion(c.ctx, &ssm.LabelParameterVersionInput{Name: &name, Labels: many})
		wantError[*types.ParameterVersionLabelLimitExceeded](t, err)
		out, err := c.UnlabelParameterVersion(c.ctx, &ssm.UnlabelParameterVersionInput{Name: &name, ParameterVersion: aws.Int64(2), Labels: []string{"prod", "none"}})
		c.ok(err)
		if !slices.Equal(out.RemovedLabels, []string{"prod"}) || !slices.Equal(out.InvalidLabels, []string{"none"}) {
			t.Errorf("%+v", out)
		}
	})
	ssmRule(t, "the last hundred versions are kept, a labelled one longer", "User Guide: Working with parameter versions; ParameterMaxVersionLimitExceeded", func(t *testing.T, c ssmCloud) {
		name := c.path()
		c.put(name, "1")
		for i := 2; i <= 101; i++ {
			c.put(name, fmt.Sprint(i), overwrite)
		}
		_, err := c.get(name+":1", false)
		wantError[*types.ParameterVersionNotFound](t, err)
		var history []string
		for p := ssm.NewGetParameterHistoryPaginator(c.Client, &ssm.GetParameterHistoryInput{Name: &name}); p.HasMorePages(); {
			page, err := p.NextPage(c.ctx)
			c.ok(err)
			for _, v := range page.Parameters {
				history = append(history, *v.Value)
			}
		}
		if len(history) != 100 || history[0] != "2" || history[99] != "101" {
			t.Errorf("%d versions: %q", len(history), history)
		}
		_, err = c.LabelParameterVersion(c.ctx, &ssm.LabelParameterVersionInput{Name: &name, ParameterVersion: aws.Int64(2), Labels: []string{"keep"}})
		c.ok(err)
		_, err = c.try(name, "102", overwrite)
		wantError[*types.ParameterMaxVersionLimitExceeded](t, err)
	})
	ssmRule(t, "names have their form, and reserved prefixes", "User Guide: Creating Parameter Store parameters, requirements and constraints for parameter names", func(t *testing.T, c ssmCloud) {
		for name, want := range map[string]string{
			"awsome": "ValidationException", "ssm-x": "ValidationException", "/ssm/x": "ValidationException", "a b": "ValidationException", "a/b": "ValidationException",
			"/aws/service/x": "AccessDeniedException", strings.Repeat("/x", 16): "HierarchyLevelLimitExceededException", "/a//b": "ValidationException",
		} {
			_, err := c.try(name, "v")
			var e smithy.APIError
			if !errors.As(err, &e) || e.ErrorCode() != want {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	})
	ssmRule(t, "AWS's public parameters are not in the local cloud", "local cloud: package ssm", func(t *testing.T, c ssmCloud) {
		c.Control()
		_, err := c.get("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64", false)
		wantError[*types.ParameterNotFound](t, err)
	})
	ssmRule(t, "a standard parameter has 4,096 characters, an advanced one 8,192", "User Guide: Managing parameter tiers", func(t *testing.T, c ssmCloud) {
		name := c.path()
		_, err := c.try(name, strings.Repeat("x", 4097))
		wantMessage(t, err, "ValidationException", "Standard tier parameters support a maximum parameter value of 4096 characters")
		c.put(name, strings.Repeat("x", 8192), ofTier(types.ParameterTierAdvanced))
		_, err = c.try(name, strings.Repeat("x", 8193), overwrite)
		wantCode(t, err, "ValidationException")
		_, err = c.try(name, "x", overwrite, ofTier(types.ParameterTierStandard))
		wantMessage(t, err, "ValidationException", "You can't downgrade a parameter")
		out, err := c.try(c.path(), strings.Repeat("x", 5000), ofTier(types.ParameterTierIntelligentTiering))
		c.ok(err)
		if out.Tier != types.ParameterTierAdvanced {
			t.Errorf("tier %s of 5,000 characters", out.Tier)
		}
	})
	ssmRule(t, "a type does not change, and is needed at first only", "API Reference: PutParameter, HierarchyTypeMismatchException", func(t *testing.T, c ssmCloud) {
		name := c.path()
		_, err := c.try(name, "v", ofType(""))
		wantCode(t, err, "ValidationException")
		c.put(name, "a,b", ofType(types.ParameterTypeStringList))
		_, err = c.try(name, "v", overwrite)
		wantError[*types.HierarchyTypeMismatchException](t, err)
		c.put(name, "c", overwrite, ofType(""))
		if p, err := c.get(name, false); err != nil || p.Type != types.ParameterTypeStringList {
			t.Errorf("%+v %v", p, err)
		}
	})
	ssmRule(t, "a value must match the allowed pattern", "API Reference: PutParameter, AllowedPattern", func(t *testing.T, c ssmCloud) {
		digits := func(in *ssm.PutParameterInput) { in.AllowedPattern = aws.String(`^\d+$`) }
		name := c.path()
		_, err := c.try(name, "x", digits)
		wantError[*types.ParameterPatternMismatchException](t, err)
		c.put(name, "1", digits)
		_, err = c.try(name, "x", overwrite)
		wantError[*types.ParameterPatternMismatchException](t, err)
		_, err = c.try(c.path(), "x", func(in *ssm.PutParameterInput) { in.AllowedPattern = aws.String("(") })
		wantError[*types.InvalidAllowedPatternException](t, err)
	})
	ssmRule(t, "several parameters are read and deleted at once, and the unknown told", "API Reference: GetParameters, DeleteParameters", func(t *testing.T, c ssmCloud) {
		a, b, none := c.path(), c.path(), c.path()
		c.put(a, "1")
		c.put(b, "2")
		got, err := c.GetParameters(c.ctx, &ssm.GetParametersInput{Names: []string{a, none, b + ":1"}})
		c.ok(err)
		if len(got.Parameters) != 2 || !slices.Equal(got.InvalidParameters, []string{none}) {
			t.Errorf("%+v", got)
		}
		_, err = c.GetParameters(c.ctx, &ssm.GetParametersInput{Names: make([]string, 11)})
		wantCode(t, err, "ValidationException")
		deleted, err := c.DeleteParameters(c.ctx, &ssm.DeleteParametersInput{Names: []string{a, none, b}})
		c.ok(err)
		if !slices.Equal(deleted.DeletedParameters, []string{a, b}) || !slices.Equal(deleted.InvalidParameters, []string{none}) {
			t.Errorf("%+v", deleted)
		}
		_, err = c.get(a, false)
		wantError[*types.ParameterNotFound](t, err)
	})
	ssmRule(t, "a path gives its own parameters, and those below when asked, ten a page", "API Reference: GetParametersByPath", func(t *testing.T, c ssmCloud) {
		path := c.path()
		for i := range 12 {
			c.put(fmt.Sprintf("%s/p%02d", path, i), "v")
		}
		c.put(path+"/deep/q", "v")
		c.put(path+"x", "not below")
		read := func(recursive bool) (names []string, pages int) {
			for p := ssm.NewGetParametersByPathPaginator(c.Client, &ssm.GetParametersByPathInput{Path: &path, Recursive: &recursive}); p.HasMorePages(); pages++ {
				page, err := p.NextPage(c.ctx)
				c.ok(err)
				for _, got := range page.Parameters {
					names = append(names, strings.TrimPrefix(*got.Name, path))
				}
			}
			return names, pages
		}
		if names, pages := read(false); len(names) != 12 || pages != 2 || slices.Contains(names, "/deep/q") {
			t.Errorf("%q in %d pages", names, pages)
		}
		if names, _ := read(true); len(names) != 13 || !slices.Contains(names, "/deep/q") {
			t.Errorf("recursive: %q", names)
		}
		_, err := c.GetParametersByPath(c.ctx, &ssm.GetParametersByPathInput{Path: &path, MaxResults: aws.Int32(11)})
		wantCode(t, err, "ValidationException")
	})
	ssmRule(t, "parameters are described by filters, without values", "API Reference: DescribeParameters, ParameterStringFilter", func(t *testing.T, c ssmCloud) {
		path := c.path()
		c.put(path+"/a", "v", func(in *ssm.PutParameterInput) {
			in.Description = aws.String("d")
			in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("x")}}
		})
		c.put(path+"/b", "v,w", ofType(types.ParameterTypeStringList))
		describe := func(key, option string, values ...string) (names []string) {
			out, err := c.DescribeParameters(c.ctx, &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{
				{Key: aws.String("Path"), Option: aws.String("Recursive"), Values: []string{path}}, {Key: &key, Option: &option, Values: values}}})
			c.ok(err)
			for _, p := range out.Parameters {
				names = append(names, strings.TrimPrefix(*p.Name, path))
			}
			return names
		}
		for _, test := range []struct {
			key, option, value string
			want               []string
		}{
			{"Type", "Equals", "StringList", []string{"/b"}}, {"Name", "BeginsWith", path + "/a", []string{"/a"}}, {"Name", "Contains", "/", []string{"/a", "/b"}},
			{"tag:team", "Equals", "x", []string{"/a"}}, {"Tier", "Equals", "Advanced", nil},
		} {
			if got := describe(test.key, test.option, test.value); !slices.Equal(got, test.want) {
				t.Errorf("%s %s %s: %q, want %q", test.key, test.option, test.value, got, test.want)
			}
		}
		_, err := c.DescribeParameters(c.ctx, &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Colour"), Values: []string{"red"}}}})
		wantError[*types.InvalidFilterKey](t, err)
	})
	ssmRule(t, "tags are set at creation or on their own, not with an overwrite", "API Reference: PutParameter, AddTagsToResource", func(t *testing.T, c ssmCloud) {
		name := c.path()
		tagged := func(in *ssm.PutParameterInput) { in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}} }
		c.put(name, "v", tagged)
		_, err := c.try(name, "v", tagged, overwrite)
		wantMessage(t, err, "ValidationException", "tags and overwrite can't be used together")
		_, err = c.AddTagsToResource(c.ctx, &ssm.AddTagsToResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &name, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}})
		c.ok(err)
		_, err = c.RemoveTagsFromResource(c.ctx, &ssm.RemoveTagsFromResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &name, TagKeys: []string{"a"}})
		c.ok(err)
		out, err := c.ListTagsForResource(c.ctx, &ssm.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: &name})
		c.ok(err)
		if len(out.TagList) != 1 || *out.TagList[0].Key != "b" {
			t.Errorf("%+v", out.TagList)
		}
		_, err = c.ListTagsForResource(c.ctx, &ssm.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String(c.path())})
		wantError[*types.InvalidResourceId](t, err)
	})
	ssmRule(t, "parameters belong to a region", "User Guide: AWS Systems Manager Parameter Store", func(t *testing.T, c ssmCloud) {
		name := c.path()
		c.put(name, "v")
		_, err := ssm.NewFromConfig(c.AWS(), func(o *ssm.Options) { o.Region = "eu-west-1" }).GetParameter(c.ctx, &ssm.GetParameterInput{Name: &name})
		wantError[*types.ParameterNotFound](t, err)
	})
	ssmRule(t, "parameter policies are refused by the local cloud", "not offered", func(t *testing.T, c ssmCloud) {
		c.Control()
		_, err := c.try(c.path(), "v", func(in *ssm.PutParameterInput) { in.Policies = aws.String(`[{"Type":"Expiration"}]`) })
		wantMessage(t, err, "ValidationException", "Policies")
	})
}

func TestSSMSecureStrings(t *testing.T) {
	ssmRule(t, "a SecureString is ciphertext unless it is to be decrypted", "User Guide: SecureString parameters", func(t *testing.T, c ssmCloud) {
		name := c.path()
		c.put(name, "secret", ofType(types.ParameterTypeSecureString))
		p, err := c.get(name, false)
		c.ok(err)
		if strings.Contains(*p.Value, "secret") || c.value(name) != "secret" {
			t.Errorf("value %s, decrypted %s", *p.Value, c.value(name))
		}
		out, err := c.DescribeParameters(c.ctx, &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Name"), Values: []string{name}}}})
		c.ok(err)
		if len(out.Parameters) != 1 || *out.Parameters[0].KeyId != "alias/aws/ssm" {
			t.Errorf("%+v", out.Parameters)
		}
	})
	ssmRule(t, "a SecureString is encrypted with the key that is named, and gone with it", "AWS KMS Developer Guide: How Parameter Store uses AWS KMS", func(t *testing.T, c ssmCloud) {
		keys := kms.NewFromConfig(c.AWS())
		key, err := keys.CreateKey(c.ctx, &kms.CreateKeyInput{})
		c.ok(err)
		name := c.path()
		c.put(name, "secret", ofType(types.ParameterTypeSecureString), func(in *ssm.PutParameterInput) { in.KeyId = key.KeyMetadata.KeyId })
		if got := c.value(name); got != "secret" {
			t.Errorf("%s", got)
		}
		_, err = keys.ScheduleKeyDeletion(c.ctx, &kms.ScheduleKeyDeletionInput{KeyId: key.KeyMetadata.KeyId, PendingWindowInDays: aws.Int32(7)})
		c.ok(err)
		_, err = c.get(name, true)
		wantError[*types.InvalidKeyId](t, err)
		_, err = c.try(c.path(), "v", ofType(types.ParameterTypeSecureString), func(in *ssm.PutParameterInput) { in.KeyId = aws.String("alias/none") })
		wantError[*types.InvalidKeyId](t, err)
	})
	policyRule(t, "who may read a parameter is decided by its ARN, and decrypting needs the key", "User Guide: Restricting access to Parameter Store parameters using IAM policies", func(t *testing.T, c iamCloud) {
		s := ssmCloud{c.Cloud, ssm.NewFromConfig(c.AWS()), t, c.ctx}
		key, err := kms.NewFromConfig(c.AWS()).CreateKey(c.ctx, &kms.CreateKeyInput{})
		c.ok(err)
		path := s.path()
		s.put(path+"/plain", "v")
		s.put(path+"/secret", "v", ofType(types.ParameterTypeSecureString), func(in *ssm.PutParameterInput) { in.KeyId = key.KeyMetadata.KeyId })
		u, config := c.user(allow("ssm:GetParameter", "arn:aws:ssm:*:*:parameter"+path+"/*"))
		other := ssmCloud{c.Cloud, ssm.NewFromConfig(config), t, c.ctx}
		_, err = other.get(path+"/plain", false)
		c.ok(err)
		_, err = other.get(s.path(), false)
		wantMessage(t, err, "AccessDeniedException", "User: "+*u.Arn+" is not authorized to perform: ssm:GetParameter on resource: arn:aws:ssm:")
		_, err = other.get(path+"/secret", true)
		wantMessage(t, err, "AccessDeniedException", "kms:Decrypt on resource: "+*key.KeyMetadata.Arn)
		_, err = c.PutUserPolicy(c.ctx, &iam.PutUserPolicyInput{UserName: u.UserName, PolicyName: aws.String("key"), PolicyDocument: aws.String(allow("kms:Decrypt", *key.KeyMetadata.Arn))})
		c.ok(err)
		_, err = other.get(path+"/secret", true)
		c.ok(err)
	})
}
