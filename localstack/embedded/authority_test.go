package embedded

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// The rules of policies that a client can see are in localstack/conformance, iam_enforce_test.go; here is what services of the cloud
// ask the authority.

const trustLambda = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// withAuthority runs f with a cloud of its own, in a bubble.
func withAuthority(t *testing.T, mode string, f func(t *testing.T, cloud *Cloud, a *authority, client *iam.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cloud := InMemory(Options{Services: []string{AWS}, IAM: mode})
		defer cloud.Close()
		f(t, cloud, cloud.authority, iam.NewFromConfig(cloud.AWS()))
	})
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestARoleIsGivenToAServiceByWhoMayPassIt(t *testing.T) {
	withAuthority(t, IAMEnforce, func(t *testing.T, cloud *Cloud, a *authority, client *iam.Client) {
		role, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: awssdk.String("worker"), AssumeRolePolicyDocument: awssdk.String(trustLambda)})
		ok(t, err)
		_, err = client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: awssdk.String("ann")})
		ok(t, err)
		_, err = client.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: awssdk.String("ann"), PolicyName: awssdk.String("pass"), PolicyDocument: awssdk.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}}]}`)})
		ok(t, err)
		key, err := client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: awssdk.String("ann")})
		ok(t, err)
		call := &api.Call{Context: t.Context(), Account: aws.DefaultAccount, Region: aws.DefaultRegion, AccessKeyID: *key.AccessKey.AccessKeyId,
			Authorize: func(string, ...string) error { return nil }}
		if err := a.passRole(call, *role.Role.Arn, "lambda.amazonaws.com"); err != nil {
			t.Errorf("to the service that the policy names: %v", err)
		}
		err = a.passRole(call, *role.Role.Arn, "states.amazonaws.com")
		var e *api.Error
		if !errors.As(err, &e) || e.Code != "AccessDeniedException" || !strings.Contains(e.Message, "iam:PassRole on resource: "+*role.Role.Arn) {
			t.Errorf("to another service: %v", err)
		}
		call.AccessKeyID = accessKey
		if err := a.passRole(call, *role.Role.Arn, "states.amazonaws.com"); err != nil {
			t.Errorf("by root: %v", err)
		}
	})
}

func TestARoleIsAssumableByTheServiceThatItTrusts(t *testing.T) {
	for _, mode := range IAMModes() {
		withAuthority(t, mode, func(t *testing.T, _ *Cloud, a *authority, client *iam.Client) {
			role, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: awssdk.String("worker"), AssumeRolePolicyDocument: awssdk.String(trustLambda)})
			ok(t, err)
			for _, test := range []struct {
				arn, service string
				want         bool
			}{
				{*role.Role.Arn, "lambda.amazonaws.com", true}, {*role.Role.Arn, "states.amazonaws.com", false}, {*role.Role.Arn + "x", "lambda.amazonaws.com", false},
			} {
				if got := a.assumable(test.arn, test.service); got != test.want {
					t.Errorf("%s: %s by %s: %v", mode, test.arn, test.service, got)
				}
			}
		})
	}
}

func TestADeliveryIsAuthorizedByTheTopicsOwnPolicy(t *testing.T) {
	withAuthority(t, IAMEnforce, func(t *testing.T, cloud *Cloud, a *authority, _ *iam.Client) {
		var out struct{ TopicArn string }
		endpoint := cloud.services
		// A caller without an access key is the cloud itself: no policy is asked.
		ok(t, endpoint.Invoke(t.Context(), api.Caller{Account: aws.DefaultAccount, Region: aws.DefaultRegion}, "sns", "CreateTopic", map[string]string{"Name": "alarms"}, &out))
		alarm := "arn:aws:cloudwatch:us-east-1:" + aws.DefaultAccount + ":alarm:a"
		if err := a.authorizeService("cloudwatch.amazonaws.com", "sns:Publish", out.TopicArn, alarm); err != nil {
			t.Errorf("an alarm of the topic's account: %v", err)
		}
		alarm = strings.Replace(alarm, aws.DefaultAccount, "999999999999", 1)
		if err := a.authorizeService("cloudwatch.amazonaws.com", "sns:Publish", out.TopicArn, alarm); err == nil {
			t.Error("an alarm of another account may publish")
		}
	})
}

func TestTheCloudItselfCreatesRolesWithTheMembersNamesOfTheAPI(t *testing.T) {
	withAuthority(t, IAMEnforce, func(t *testing.T, cloud *Cloud, _ *authority, _ *iam.Client) {
		endpoint, from := cloud.services, api.Caller{Account: aws.DefaultAccount, Region: aws.DefaultRegion}
		out := map[string]map[string]any{}
		ok(t, endpoint.Invoke(t.Context(), from, "iam", "CreateRole", map[string]any{
			"RoleName": "worker", "AssumeRolePolicyDocument": trustLambda, "Tags": []map[string]string{{"Key": "a", "Value": "1"}},
		}, &out))
		if id, _ := out["Role"]["RoleId"].(string); !strings.HasPrefix(id, "AROA") || out["Role"]["Arn"] != "arn:aws:iam::000000000000:role/worker" {
			t.Errorf("%v", out)
		}
		err := endpoint.Invoke(t.Context(), from, "iam", "CreateRole", map[string]any{"RoleName": "worker", "AssumeRolePolicyDocument": trustLambda}, nil)
		var e *api.Error
		if !errors.As(err, &e) || e.Code != "EntityAlreadyExists" {
			t.Errorf("again: %v", err)
		}
	})
}

func TestIAMIsOffOrEnforced(t *testing.T) {
	if _, err := Start(t.Context(), Options{Services: []string{AWS}, Ports: Auto, IAM: "on"}); err == nil || !strings.Contains(err.Error(), "off or enforce") {
		t.Errorf("%v does not say what IAM can be", err)
	}
}
