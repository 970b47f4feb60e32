package conformance_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
)

type snsMessageAttributes = map[string]snstypes.MessageAttributeValue

func TestSNSFilterByAttributes(t *testing.T) {
	tests := []struct {
		page, name, policy string
		match, differ      []snsMessageAttributes
	}{
		{"String value matching", "a string matches exactly, case included", `{"a":["x","y"]}`,
			[]snsMessageAttributes{{"a": snsText("x")}, {"a": snsText("y"), "b": snsText("z")}}, []snsMessageAttributes{{"a": snsText("X")}, {"b": snsText("x")}, nil}},
		{"AND/OR logic", "all names of a policy must match", `{"a":["x"],"b":["y"]}`,
			[]snsMessageAttributes{{"a": snsText("x"), "b": snsText("y")}}, []snsMessageAttributes{{"a": snsText("x")}, {"a": snsText("x"), "b": snsText("x")}}},
		{"AND/OR logic", "of $or one object must match", `{"a":["x"],"$or":[{"b":["y"]},{"c":[{"numeric":["<",3]}]}]}`,
			[]snsMessageAttributes{{"a": snsText("x"), "b": snsText("y")}, {"a": snsText("x"), "c": snsNumber("2")}}, []snsMessageAttributes{{"a": snsText("x")}, {"b": snsText("y")}, {"a": snsText("x"), "c": snsNumber("3")}}},
		{"String value matching", "prefix", `{"a":[{"prefix":"bas"}]}`, []snsMessageAttributes{{"a": snsText("baseball")}}, []snsMessageAttributes{{"a": snsText("rugby")}, {"a": snsText("Baseball")}}},
		{"String value matching", "suffix", `{"a":[{"suffix":"ball"}]}`, []snsMessageAttributes{{"a": snsText("football")}}, []snsMessageAttributes{{"a": snsText("balls")}}},
		{"String value matching", "equals-ignore-case", `{"a":[{"equals-ignore-case":"tennis"}]}`, []snsMessageAttributes{{"a": snsText("TENNIS")}}, []snsMessageAttributes{{"a": snsText("tenni")}}},
		{"String value matching", "anything-but", `{"a":[{"anything-but":["rugby","tennis"]}]}`, []snsMessageAttributes{{"a": snsText("football")}}, []snsMessageAttributes{{"a": snsText("rugby")}}},
		{"String value matching", "anything-but does not match when the attribute is missing", `{"a":[{"anything-but":"x"}]}`, []snsMessageAttributes{{"a": snsText("y")}}, []snsMessageAttributes{{"b": snsText("y")}, nil}},
		{"String value matching", "anything-but with a prefix", `{"a":[{"anything-but":{"prefix":"order-"}}]}`, []snsMessageAttributes{{"a": snsText("data-1")}}, []snsMessageAttributes{{"a": snsText("order-1")}}},
		{"String value matching", "cidr matches addresses of a network", `{"ip":[{"cidr":"10.0.0.0/24"}]}`, []snsMessageAttributes{{"ip": snsText("10.0.0.255")}}, []snsMessageAttributes{{"ip": snsText("10.1.1.0")}}},
		{"Numeric value matching", "numeric equality compares numbers, however they are written", `{"a":[{"numeric":["=",301.5]}]}`, []snsMessageAttributes{{"a": snsNumber("301.5")}, {"a": snsNumber("3.015e2")}}, []snsMessageAttributes{{"a": snsNumber("301")}}},
		{"Numeric value matching", "a numeric range can be open or closed at each end", `{"a":[{"numeric":[">",0,"<=",150]}]}`, []snsMessageAttributes{{"a": snsNumber("0.1")}, {"a": snsNumber("150")}}, []snsMessageAttributes{{"a": snsNumber("0")}, {"a": snsNumber("150.1")}}},
		{"Numeric value matching", "anything-but with numbers", `{"a":[{"anything-but":[100,500]}]}`, []snsMessageAttributes{{"a": snsNumber("101")}}, []snsMessageAttributes{{"a": snsNumber("100")}, {"a": snsNumber("500")}}},
		{"Key matching", "exists true", `{"a":[{"exists":true}]}`, []snsMessageAttributes{{"a": snsText("x")}, {"a": snsNumber("0")}}, []snsMessageAttributes{{"b": snsText("x")}, nil}},
		{"Key matching", "exists true does not match an empty array", `{"a":[{"exists":true}]}`, []snsMessageAttributes{{"a": snsList(`["x"]`)}}, []snsMessageAttributes{{"a": snsList(`[]`)}}},
		{"Key matching", "exists false matches if there is another attribute, and not if there is none", `{"a":[{"exists":false}]}`, []snsMessageAttributes{{"b": snsText("x")}}, []snsMessageAttributes{{"a": snsText("x")}, nil}},
		{"String value matching", "of an array one element must match", `{"a":["rugby","tennis"]}`, []snsMessageAttributes{{"a": snsList(`["golf","tennis"]`)}}, []snsMessageAttributes{{"a": snsList(`["golf"]`)}}},
		{"Filter policy constraints", "an attribute of the type Binary does not exist to a filter", `{"a":[{"exists":true}]}`, []snsMessageAttributes{{"a": snsText("x")}}, []snsMessageAttributes{{"a": {DataType: aws.String("Binary"), BinaryValue: []byte("x")}}}},
	}
	for _, tt := range tests {
		snsRule(t, snsGuide(tt.page), "filter by attributes: "+tt.name, func(s *snsCloud) {
			topic, q := s.subscribed(snsAttributes{"FilterPolicy": tt.policy, "RawMessageDelivery": "true"})
			var want []string
			for i, a := range tt.match {
				want = append(want, fmt.Sprint("match ", i))
				s.publish(&sns.PublishInput{TopicArn: &topic, Message: &want[i], MessageAttributes: a})
			}
			for i, a := range tt.differ {
				s.publish(&sns.PublishInput{TopicArn: &topic, Message: aws.String(fmt.Sprint("differ ", i)), MessageAttributes: a})
			}
			s.gets(q, want...)
		})
	}
}

func TestSNSFilterByBody(t *testing.T) {
	tests := []struct {
		page, name, policy string
		match, differ      []string
	}{
		{"Amazon SNS message filtering", "a body that is no JSON object matches nothing", `{"a":[{"exists":true}]}`, []string{`{"a":1}`}, []string{`text`, `"text"`, `[{"a":1}]`}},
		{"Filter policy constraints", "names can be nested", `{"order":{"customer":{"city":["Kyiv"]}}}`, []string{`{"order":{"customer":{"city":"Kyiv"}}}`}, []string{`{"order":{"city":"Kyiv"}}`, `{"city":"Kyiv"}`}},
		{"Filter policy constraints", "numbers, true, false and null match themselves", `{"a":[1,true,null]}`, []string{`{"a":1.0}`, `{"a":null}`, `{"a":true}`}, []string{`{"a":"1"}`, `{"a":false}`, `{}`}},
		{"String value matching", "of an array one element must match", `{"to":["q1"]}`, []string{`{"to":["q1","q2"]}`, `{"to":["q1"]}`}, []string{`{"to":["q2"]}`, `{"to":[]}`}},
		{"String value matching", "anything-but matches an array with another element", `{"a":[{"anything-but":["rugby","tennis"]}]}`, []string{`{"a":"football"}`, `{"a":["rugby","football"]}`}, []string{`{"a":"rugby"}`, `{"a":["rugby"]}`, `{}`}},
		{"Key matching", "exists looks at leaves only", `{"a":[{"exists":true}]}`, []string{`{"a":"x"}`}, []string{`{"a":{"b":"x"}}`, `{"a":null}`, `{"a":[]}`, `{"a":""}`}},
		{"AND/OR logic", "$or can be nested", `{"m":["x"],"d":{"$or":[{"a":[1]},{"b":[2]}]}}`, []string{`{"m":"x","d":{"a":1}}`, `{"m":"x","d":{"b":2}}`}, []string{`{"m":"x","d":{"c":3}}`, `{"d":{"a":1}}`}},
		{"Amazon SNS message filtering", "names within the objects of an array are matched", `{"Records":{"s3":{"object":{"key":[{"prefix":"auto-"}]}},"eventName":[{"prefix":"ObjectCreated:"}]}}`,
			[]string{`{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"auto-1.xml"}}}]}`},
			[]string{`{"Records":[{"eventName":"ObjectRemoved:Delete","s3":{"object":{"key":"auto-1.xml"}}}]}`, `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"home-1.xml"}}}]}`}},
	}
	for _, tt := range tests {
		snsRule(t, snsGuide(tt.page), "filter by body: "+tt.name, func(s *snsCloud) {
			topic, q := s.subscribed(snsAttributes{"FilterPolicyScope": "MessageBody", "FilterPolicy": tt.policy, "RawMessageDelivery": "true"})
			for _, body := range slices.Concat(tt.differ, tt.match) {
				s.publish(&sns.PublishInput{TopicArn: &topic, Message: &body})
			}
			slices.Sort(tt.match)
			s.gets(q, tt.match...)
		})
	}
}

func TestSNSFilterPolicies(t *testing.T) {
	values := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`"v%d"`, i)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	snsRule(t, snsAPI("SetSubscriptionAttributes"), "the scope is shown beside a filter policy, and both go with an empty value", func(s *snsCloud) {
		sub := s.subscribe(s.topic(nil), s.queue(false), nil)
		if scope, ok := s.subscriptionAttributes(sub)["FilterPolicyScope"]; ok {
			s.Errorf("scope %q without a policy", scope)
		}
		s.must(s.setSubscription(sub, "FilterPolicy", `{"a":["x"]}`))
		if a := s.subscriptionAttributes(sub); a["FilterPolicy"] != `{"a":["x"]}` || a["FilterPolicyScope"] != "MessageAttributes" {
			s.Errorf("attributes %v", a)
		}
		s.must(s.setSubscription(sub, "FilterPolicy", ""))
		if policy, ok := s.subscriptionAttributes(sub)["FilterPolicy"]; ok {
			s.Errorf("policy %q after it was removed", policy)
		}
	})
	refused := map[string]snsAttributes{
		"more than 5 names":                              {"FilterPolicy": `{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}`},
		"more than 150 combinations in one list":         {"FilterPolicy": `{"a":` + values(151) + `}`},
		"more than 150 combinations, multiplied":         {"FilterPolicy": `{"a":` + values(100) + `,"b":` + values(2) + `}`},
		"more than 150 combinations with nested names":   {"FilterPolicyScope": "MessageBody", "FilterPolicy": `{"a":{"b":{"c":` + values(4) + `}},"d":{"e":` + values(3) + `},"f":` + values(3) + `}`},
		"nested names for attributes":                    {"FilterPolicy": `{"a":{"b":["x"]}}`},
		"a value that is no list":                        {"FilterPolicy": `{"a":"x"}`},
		"an empty list":                                  {"FilterPolicy": `{"a":[]}`},
		"a list in a list":                               {"FilterPolicy": `{"a":[["x"]]}`},
		"an unknown operator":                            {"FilterPolicy": `{"a":[{"like":"x"}]}`},
		"two operators at once":                          {"FilterPolicy": `{"a":[{"prefix":"x","suffix":"y"}]}`},
		"a prefix that is no string":                     {"FilterPolicy": `{"a":[{"prefix":1}]}`},
		"an exists that is neither true nor false":       {"FilterPolicy": `{"a":[{"exists":"yes"}]}`},
		"a numeric range whose bottom is above its top":  {"FilterPolicy": `{"a":[{"numeric":[">",3,"<",1]}]}`},
		"a numeric comparison with a string":             {"FilterPolicy": `{"a":[{"numeric":["=","1"]}]}`},
		"anything-but with another operator than prefix": {"FilterPolicy": `{"a":[{"anything-but":{"exists":false}}]}`},
	}
	for _, what := range slices.Sorted(maps.Keys(refused)) {
		snsRule(t, snsGuide("Filter policy constraints"), "refused in a filter policy: "+what, func(s *snsCloud) {
			_, err := s.trySubscribe(s.topic(nil), "sqs", s.queue(false).arn, refused[what])
			snsFails[*snstypes.InvalidParameterException](s, err)
		})
	}
	snsRule(t, snsGuide("Filter policy constraints"), "150 combinations are accepted", func(s *snsCloud) {
		s.subscribe(s.topic(nil), s.queue(false), snsAttributes{"FilterPolicy": `{"a":` + values(75) + `,"b":` + values(2) + `}`})
	})
}
