package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

const (
	account = "111122223333"
	queue   = "arn:aws:sqs:us-east-1:111122223333:orders"
)

var (
	user    = policy.Principal{Account: account, ARN: "arn:aws:iam::111122223333:user/ann", ID: "AIDAANNANNANNANNANN1"}
	session = policy.Principal{Account: account, ARN: "arn:aws:sts::111122223333:assumed-role/worker/one", Role: "arn:aws:iam::111122223333:role/worker", ID: "AROAWORKERWORKER1234"}
	other   = policy.Principal{Account: "999999999999", ARN: "arn:aws:iam::999999999999:user/eve"}
	root    = policy.Principal{Account: account, ARN: "arn:aws:iam::111122223333:root"}
	service = policy.Principal{Service: "sns.amazonaws.com"}
	nobody  = policy.Principal{}
)

func parse(t *testing.T, kind policy.Kind, statements string) *policy.Document {
	t.Helper()
	d, err := policy.Parse(kind, `{"Version":"2012-10-17","Statement":[`+statements+`]}`)
	if err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	return d
}

// statement is a statement of sqs:SendMessage on the queue, with more elements.
func statement(effect, more string) string {
	s := `{"Effect":"` + effect + `"`
	for element, value := range map[string]string{"Action": `"sqs:SendMessage"`, "Resource": `"` + queue + `"`} {
		if !strings.Contains(more, element+`"`) {
			s += `,"` + element + `":` + value
		}
	}
	if more != "" {
		s += "," + more
	}
	return s + "}"
}

func send(who policy.Principal) *policy.Request {
	return &policy.Request{Principal: who, Action: "sqs:SendMessage", Resource: queue, Context: map[string][]string{
		"aws:username": {"ann"}, "aws:sourceip": {"10.1.2.3"}, "aws:currenttime": {"2026-12-01T12:00:00Z"}, "aws:securetransport": {"false"},
		"aws:tagkeys": {"team", "cost"}, "s3:max-keys": {"10"}, "aws:sourcearn": {"arn:aws:sns:us-east-1:111122223333:news"},
		"aws:principaltag/star": {"a*"},
	}}
}

func TestDocumentsAreRefusedWithTheTextOfIAM(t *testing.T) {
	for name, test := range map[string]struct {
		kind     policy.Kind
		document string
		want     string
	}{
		"no JSON":                        {document: `{`, want: "Syntax errors in policy."},
		"no statement":                   {document: `{"Version":"2012-10-17"}`, want: "Syntax errors in policy."},
		"an empty list of statements":    {document: `{"Version":"2012-10-17","Statement":[]}`, want: "Syntax errors in policy."},
		"null for a statement":           {document: `{"Version":"2012-10-17","Statement":null}`, want: "Syntax errors in policy."},
		"an unknown element":             {document: `{"Version":"2012-10-17","Statement":[` + statement("Allow", `"Actoin":"a"`) + `]}`, want: "Syntax errors in policy."},
		"a year for a version":           {document: `{"Version":"2020-01-01","Statement":[` + statement("Allow", "") + `]}`, want: "Syntax errors in policy."},
		"no version":                     {document: `{"Statement":[` + statement("Allow", "") + `]}`, want: "Policy document must be version 2012-10-17 or greater."},
		"perhaps":                        {document: doc(statement("Maybe", "")), want: "Syntax errors in policy."},
		"a number for an action":         {document: doc(statement("Allow", `"Action":1`)), want: "Syntax errors in policy."},
		"Action and NotAction":           {document: doc(statement("Allow", `"Action":"a:b","NotAction":"a:b"`)), want: "Syntax errors in policy."},
		"no action":                      {document: doc(`{"Effect":"Allow","Resource":"*"}`), want: "Policy statement must contain actions."},
		"no resource":                    {document: doc(`{"Effect":"Allow","Action":"sqs:*"}`), want: "Policy statement must contain resources."},
		"an empty list of resources":     {document: doc(statement("Allow", `"Resource":[]`)), want: "Policy statement must contain resources."},
		"an action without a service":    {document: doc(statement("Allow", `"Action":"SendMessage"`)), want: "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		"an action with a blank":         {document: doc(statement("Allow", `"Action":"iam :Get"`)), want: "Vendor iam  is not valid"},
		"a resource that is no ARN":      {document: doc(statement("Allow", `"Resource":"orders"`)), want: `Resource orders must be in ARN format or "*".`},
		"another partition":              {document: doc(statement("Allow", `"Resource":"arn:aws2:s3:::b/*"`)), want: `Partition "aws2" is not valid for resource "arn:aws2:s3:::b/*".`},
		"an ARN without arn":             {document: doc(statement("Allow", `"Resource":"s3::b/*"`)), want: `Partition "" is not valid for resource "arn::b/*:*:*:*".`},
		"two statements of one id":       {document: doc(statement("Allow", `"Sid":"A"`) + "," + statement("Deny", `"Sid":"A"`)), want: "Statement IDs (SID) in a single policy must be unique."},
		"a principal in a user's policy": {document: doc(statement("Allow", `"Principal":"*"`)), want: "Policy document should not specify a principal."},
		"an operator that there is not":  {document: doc(statement("Allow", `"Condition":{"StringMatches":{"aws:username":"a"}}`)), want: "Syntax errors in policy."},
		"NullIfExists":                   {document: doc(statement("Allow", `"Condition":{"NullIfExists":{"aws:username":"true"}}`)), want: "Syntax errors in policy."},
		"a network that is none":         {document: doc(statement("Allow", `"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/40"}}`)), want: "Syntax errors in policy."},
		"a trust policy with a resource": {kind: policy.Trust, document: doc(statement("Allow", `"Action":"sts:AssumeRole","Principal":"*"`)), want: "Has prohibited field Resource"},
		"a trust policy of another action": {kind: policy.Trust, document: doc(`{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage"}`),
			want: "AssumeRole policy may only specify STS AssumeRole actions."},
		"a role with a wildcard":     {kind: policy.Resource, document: doc(statement("Allow", `"Principal":{"AWS":"arn:aws:iam::111122223333:role/*"}`)), want: `Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/*"`},
		"a service that is none":     {kind: policy.Resource, document: doc(statement("Allow", `"Principal":{"Service":"sns"}`)), want: `Invalid principal in policy: "SERVICE":"sns"`},
		"nobody in a queue's policy": {kind: policy.Resource, document: doc(statement("Allow", "")), want: "Missing required field Principal"},
		"all but one are allowed":    {kind: policy.Resource, document: doc(statement("Allow", `"NotPrincipal":{"AWS":"111122223333"}`)), want: "Allow with NotPrincipal is not allowed."},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Parse(test.kind, test.document)
			var e *policy.Error
			if !errors.As(err, &e) || e.Message != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func doc(statements string) string {
	return `{"Version":"2012-10-17","Statement":[` + statements + `]}`
}

func TestAnOperatorThatIsNotThereIsNamed(t *testing.T) {
	_, err := policy.Parse(policy.Identity, doc(statement("Allow", `"Condition":{"StringMatches":{"aws:username":"a"}}`)))
	if err == nil || !strings.Contains(err.Error(), "StringMatches") {
		t.Errorf("%v does not name StringMatches", err)
	}
}

func TestStatementsApply(t *testing.T) {
	for name, test := range map[string]struct {
		more string
		want bool
	}{
		"to the action and the resource that they name": {``, true},
		"to actions in any case":                        {`"Action":"SQS:sendmessage"`, true},
		"to actions by wildcard":                        {`"Action":["sns:*","sqs:Send*"]`, true},
		"not to another service's action":               {`"Action":"sns:SendMessage"`, false},
		"to all but some actions":                       {`"NotAction":"sqs:Receive*"`, true},
		"not to an action left out":                     {`"NotAction":"sqs:*"`, false},
		"to resources by wildcard":                      {`"Resource":"arn:aws:sqs:*:111122223333:ord?rs"`, true},
		"to an ARN that is cut short":                   {`"Resource":"arn:aws:sqs"`, true},
		"not across the parts of an ARN":                {`"Resource":"arn:aws:sqs:us-*:orders"`, false},
		"to resources in their own case only":           {`"Resource":"arn:aws:sqs:us-east-1:111122223333:Orders"`, false},
		"to all but some resources":                     {`"NotResource":"arn:aws:sqs:us-east-1:111122223333:other"`, true},
		"by a policy variable":                          {`"Resource":"*","Condition":{"StringEquals":{"aws:username":"${aws:UserName}"}}`, true},
		"not by a variable without a value":             {`"Resource":"arn:aws:sqs:*:*:${aws:PrincipalTag/team}"`, false},
		"by a variable's default":                       {`"Resource":"arn:aws:sqs:*:*:${aws:PrincipalTag/team, 'orders'}"`, true},
		"a variable's value is no pattern":              {`"Condition":{"StringLike":{"aws:username":"${aws:PrincipalTag/star}"}}`, false},
		"StringEquals":                                  {condition("StringEquals", "aws:username", `["bob","ann"]`), true},
		"StringEquals in its own case":                  {condition("StringEquals", "aws:username", `"Ann"`), false},
		"StringEqualsIgnoreCase":                        {condition("StringEqualsIgnoreCase", "aws:username", `"Ann"`), true},
		"StringNotEquals":                               {condition("StringNotEquals", "aws:username", `["bob","ann"]`), false},
		"StringNotEquals of a key that is not there":    {condition("StringNotEquals", "aws:PrincipalTag/x", `"y"`), true},
		"StringEquals of a key that is not there":       {condition("StringEquals", "aws:PrincipalTag/x", `"y"`), false},
		"StringEqualsIfExists":                          {condition("StringEqualsIfExists", "aws:PrincipalTag/x", `"y"`), true},
		"StringLike":                                    {condition("StringLike", "aws:username", `"a?n"`), true},
		"StringNotLike":                                 {condition("StringNotLike", "aws:username", `"b*"`), true},
		"keys in any case":                              {condition("StringEquals", "AWS:UserName", `"ann"`), true},
		"NumericLessThanEquals":                         {condition("NumericLessThanEquals", "s3:max-keys", `10`), true},
		"NumericGreaterThan":                            {condition("NumericGreaterThan", "s3:max-keys", `"10"`), false},
		"NumericNotEquals":                              {condition("NumericNotEquals", "s3:max-keys", `"11"`), true},
		"DateLessThan":                                  {condition("DateLessThan", "aws:CurrentTime", `"2026-12-02"`), true},
		"DateGreaterThan in seconds":                    {condition("DateGreaterThan", "aws:CurrentTime", `"1796126400"`), false},
		"Bool":                                          {condition("Bool", "aws:SecureTransport", `false`), true},
		"IpAddress":                                     {condition("IpAddress", "aws:SourceIp", `["192.0.2.0/24","10.0.0.0/8"]`), true},
		"NotIpAddress":                                  {condition("NotIpAddress", "aws:SourceIp", `"10.1.2.3"`), false},
		"ArnLike":                                       {condition("ArnLike", "aws:SourceArn", `"arn:aws:sns:*:*:n*"`), true},
		"ArnEquals takes wildcards":                     {condition("ArnEquals", "aws:SourceArn", `"arn:aws:sns:*:111122223333:news"`), true},
		"ArnNotLike":                                    {condition("ArnNotLike", "aws:SourceArn", `"arn:aws:sns:*:*:*"`), false},
		"Null true of a key that is not there":          {condition("Null", "aws:TokenIssueTime", `"true"`), true},
		"Null true of a key that is there":              {condition("Null", "aws:username", `"true"`), false},
		"ForAllValues":                                  {condition("ForAllValues:StringEquals", "aws:TagKeys", `["team","cost","x"]`), true},
		"ForAllValues with one too many":                {condition("ForAllValues:StringEquals", "aws:TagKeys", `["team"]`), false},
		"ForAllValues of a key that is not there":       {condition("ForAllValues:StringEquals", "aws:PrincipalTag/x", `["y"]`), true},
		"ForAnyValue":                                   {condition("ForAnyValue:StringLike", "aws:TagKeys", `["c*"]`), true},
		"ForAnyValue of a key that is not there":        {condition("ForAnyValue:StringLike", "aws:PrincipalTag/x", `["*"]`), false},
		"only if all conditions hold":                   {`"Condition":{"StringEquals":{"aws:username":"ann","s3:max-keys":"11"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := parse(t, policy.Identity, statement("Allow", test.more))
			if got := (policy.Policies{Identity: []*policy.Document{d}}).Evaluate(send(user)); got.Allowed != test.want {
				t.Errorf("%s: %+v", test.more, got)
			}
		})
	}
}

func condition(operator, key, values string) string {
	return fmt.Sprintf(`"Condition":{%q:{%q:%s}}`, operator, key, values)
}

func TestTheDecisionComesFromAllPolicies(t *testing.T) {
	allow := parse(t, policy.Identity, statement("Allow", ""))
	deny := parse(t, policy.Identity, statement("Deny", ""))
	elsewhere := parse(t, policy.Identity, statement("Allow", `"Action":"sns:Publish"`))
	grants := func(effect, principal string) *policy.Document {
		return parse(t, policy.Resource, statement(effect, `"Principal":`+principal))
	}
	list := func(d ...*policy.Document) []*policy.Document { return d }
	const (
		noIdentity = "because no identity-based policy allows the sqs:SendMessage action"
		noResource = "because no resource-based policy allows the sqs:SendMessage action"
	)
	for name, test := range map[string]struct {
		who  policy.Principal
		p    policy.Policies
		want string // the reason of a denial; empty: allowed
	}{
		"nothing allows":                                      {user, policy.Policies{}, noIdentity},
		"an identity policy allows":                           {user, policy.Policies{Identity: list(elsewhere, allow)}, ""},
		"a deny wins":                                         {user, policy.Policies{Identity: list(allow, deny)}, "with an explicit deny in an identity-based policy"},
		"the queue's policy allows the user":                  {user, policy.Policies{Resource: grants("Allow", `{"AWS":"arn:aws:iam::111122223333:user/ann"}`)}, ""},
		"the queue's policy allows another user":              {user, policy.Policies{Resource: grants("Allow", `{"AWS":"arn:aws:iam::111122223333:user/bob"}`)}, noIdentity},
		"the queue's policy allows everybody":                 {session, policy.Policies{Resource: grants("Allow", `"*"`)}, ""},
		"naming the account leaves it to the account":         {user, policy.Policies{Resource: grants("Allow", `{"AWS":"111122223333"}`)}, noIdentity},
		"the queue's policy denies":                           {user, policy.Policies{Identity: list(allow), Resource: grants("Deny", `"*"`)}, "with an explicit deny in a resource-based policy"},
		"a boundary that does not allow":                      {user, policy.Policies{Identity: list(allow), Boundary: elsewhere}, "because no permissions boundary allows the sqs:SendMessage action"},
		"a boundary alone allows nothing":                     {user, policy.Policies{Boundary: allow}, noIdentity},
		"a boundary does not limit a user that is named":      {user, policy.Policies{Boundary: elsewhere, Resource: grants("Allow", `{"AWS":"arn:aws:iam::111122223333:user/ann"}`)}, ""},
		"a boundary limits a role that is named":              {session, policy.Policies{Boundary: elsewhere, Resource: grants("Allow", `{"AWS":"arn:aws:iam::111122223333:role/worker"}`)}, "because no permissions boundary allows the sqs:SendMessage action"},
		"a role that is named":                                {session, policy.Policies{Resource: grants("Allow", `{"AWS":"arn:aws:iam::111122223333:role/worker"}`)}, ""},
		"a session policy limits":                             {session, policy.Policies{Identity: list(allow), Session: list(elsewhere)}, "because no session policy allows the sqs:SendMessage action"},
		"a session that is named is not limited":              {session, policy.Policies{Session: list(elsewhere), Resource: grants("Allow", `{"AWS":"arn:aws:sts::111122223333:assumed-role/worker/one"}`)}, ""},
		"across accounts, the identity alone":                 {other, policy.Policies{Owner: account, Identity: list(allow)}, noResource},
		"across accounts, the queue alone":                    {other, policy.Policies{Owner: account, Resource: grants("Allow", `{"AWS":"999999999999"}`)}, noIdentity},
		"across accounts, both":                               {other, policy.Policies{Owner: account, Identity: list(allow), Resource: grants("Allow", `{"AWS":"999999999999"}`)}, ""},
		"a service without a policy":                          {service, policy.Policies{Owner: account}, noResource},
		"a service that is named":                             {service, policy.Policies{Owner: account, Resource: grants("Allow", `{"Service":"sns.amazonaws.com"}`)}, ""},
		"another service that is named":                       {service, policy.Policies{Owner: account, Resource: grants("Allow", `{"Service":"s3.amazonaws.com"}`)}, noResource},
		"nobody, where everybody is allowed":                  {nobody, policy.Policies{Owner: account, Resource: grants("Allow", `"*"`)}, ""},
		"nobody, where the account is allowed":                {nobody, policy.Policies{Owner: account, Resource: grants("Allow", `{"AWS":"111122223333"}`)}, noResource},
		"a policy that decides, without naming the user":      {user, policy.Policies{Decides: true, Identity: list(allow), Resource: grants("Allow", `{"AWS":"999999999999"}`)}, noResource},
		"a policy that decides and leaves it to the account":  {user, policy.Policies{Decides: true, Identity: list(allow), Resource: grants("Allow", `{"AWS":"111122223333"}`)}, ""},
		"the account's root is allowed by naming the account": {root, policy.Policies{Decides: true, Resource: grants("Allow", `{"AWS":"arn:aws:iam::111122223333:root"}`)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.p.Evaluate(send(test.who))
			if got.Allowed != (test.want == "") || got.Reason != test.want {
				t.Errorf("%+v, want %q", got, test.want)
			}
		})
	}
	except := func(names string) policy.Policies {
		return policy.Policies{Identity: list(allow), Resource: parse(t, policy.Resource, statement("Deny", `"NotPrincipal":{"AWS":[`+names+`]}`))}
	}
	if got := except(`"111122223333","arn:aws:iam::111122223333:user/ann"`).Evaluate(send(user)); !got.Allowed {
		t.Errorf("NotPrincipal denied who it names: %+v", got)
	}
	if got := except(`"arn:aws:iam::111122223333:user/ann"`).Evaluate(send(user)); got.Allowed {
		t.Error("NotPrincipal spared a user whose account it does not name")
	}
}

func TestKeysAreThoseOfConditionsAndVariables(t *testing.T) {
	d := parse(t, policy.Identity, statement("Allow", `"Resource":"arn:aws:sqs:*:*:${aws:PrincipalTag/Team}","Condition":{"StringLike":{"aws:UserId":"${aws:username, 'x'}${*}"}}`))
	if got, want := d.Keys(), []string{"aws:principaltag/team", "aws:userid", "aws:username"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(0, doc(statement("Allow", `"Condition":{"ForAllValues:StringLike":{"aws:TagKeys":["${aws:username,'a'}",1,true]}}`)), queue)
	f.Add(1, doc(statement("Deny", `"NotPrincipal":{"AWS":["111122223333"],"Service":"sns.amazonaws.com"}`)), "*")
	f.Add(2, doc(`{"Effect":"Allow","Principal":{"Federated":"x"},"Action":"sts:AssumeRole"}`), "arn:aws:iam::1:role/x")
	f.Add(0, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"${"}}`, "a:b")
	f.Fuzz(func(t *testing.T, kind int, text, resource string) {
		d, err := policy.Parse(policy.Kind(uint(kind)%3), text)
		var e *policy.Error
		if err != nil {
			if !errors.As(err, &e) || e.Message == "" {
				t.Fatalf("%v is no *policy.Error with a message", err)
			}
			return
		}
		d.Keys()
		r := send(user)
		r.Resource = resource
		p := policy.Policies{Identity: []*policy.Document{d}, Resource: d}
		first := p.Evaluate(r)
		if again := p.Evaluate(r); again != first {
			t.Fatalf("%+v and %+v of the same request", first, again)
		}
		if first.Allowed == (first.Reason != "") {
			t.Fatalf("allowed %v with reason %q", first.Allowed, first.Reason)
		}
	})
}
