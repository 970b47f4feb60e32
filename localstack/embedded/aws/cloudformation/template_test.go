package cloudformation

import (
	"strings"
	"testing"
)

func TestYAMLAndJSONAreTheSameTemplate(t *testing.T) {
	yaml, err := parseText("Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      DelaySeconds: !If [Slow, 9, !Ref AWS::NoValue]\n      QueueName: !Sub '${A}-${B.Name}'\n      Text: |\n        two\n        lines\n      On: yes\n      Octal: 010\n")
	if err != nil {
		t.Fatal(err)
	}
	json, err := parseText(`{"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"DelaySeconds":{"Fn::If":["Slow",9,{"Ref":"AWS::NoValue"}]},"QueueName":{"Fn::Sub":"${A}-${B.Name}"},"Text":"two\nlines\n","On":"yes","Octal":8}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := canonical(yaml), canonical(json); a != b {
		t.Errorf("%s\nwant\n%s", a, b)
	}
}

func TestAliasesCannotMakeATemplateExplode(t *testing.T) {
	text := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'k'; c++ {
		text += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 10) + "]\n"
	}
	if _, err := parseText(text); err == nil {
		t.Error("a template of ten billion values is taken")
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(`{"Resources":{"Q":{"Type":"AWS::SQS::Queue","Properties":{"DelaySeconds":{"Ref":"D"}}}},"Parameters":{"D":{"Type":"Number","Default":1}}}`)
	f.Add("Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties: {A: !Join ['-', [!Select [0, !Split [',', 'a,b']], !Sub '${AWS::Region}']]}\nConditions:\n  C: !Equals [a, !FindInMap [M, a, b]]\nMappings: {M: {a: {b: c}}}\n")
	f.Add("Rules: {R: {Assertions: [{Assert: !Not [!Equals [a, b]]}]}}\nResources: {A: {Type: Custom::X, DependsOn: [A]}}")
	f.Fuzz(func(t *testing.T, text string) {
		template, err := parseTemplate(text)
		if err != nil {
			return
		}
		sc := &scope{
			template: template, parameters: map[string]any{}, conditions: map[string]bool{}, pseudo: map[string]any{"AWS::Region": "us-east-1"},
			ref: func(n string) (any, error) { return n, nil }, attribute: func(n, a string) (any, error) { return n + a, nil },
			imported: func(n string) (any, error) { return n, nil },
		}
		_ = sc.assert()
		for name := range template.conditions {
			_, _ = sc.condition(name)
		}
		for name, d := range template.resources {
			v, err := sc.evaluate(d.Properties)
			if err != nil {
				continue
			}
			if kind, ok := typeOf(d.Type); ok {
				properties, _ := v.(map[string]any)
				if _, unknown := findUnknown(properties); unknown {
					t.Errorf("%s has an unknown value", name)
				}
				kind.addTags(properties, nil)
			}
		}
	})
}
