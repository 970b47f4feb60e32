package stacks_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/brokerdojo/brokerdojo/infra/internal/messaging"
	"github.com/brokerdojo/brokerdojo/infra/internal/stacks"
)

var update = flag.Bool("update", false, "write templates/ anew")

const folder = "../../templates"

// parametrized makes a stack's settings its parameters, so that its template can be deployed without this module: see templates/README.md.
func parametrized(stack awscdk.Stack, settings *messaging.Settings) {
	parameter := func(id string, p awscdk.CfnParameterProps) awscdk.CfnParameter {
		return awscdk.NewCfnParameter(stack, &id, &p)
	}
	number := func(id, description string, least, most, fallback float64) *float64 {
		return parameter(id, awscdk.CfnParameterProps{
			Type: jsii.String("Number"), Description: &description, Default: &fallback, MinValue: &least, MaxValue: &most,
		}).ValueAsNumber()
	}
	settings.Architecture = *parameter("Architecture", awscdk.CfnParameterProps{
		Type: jsii.String("String"), Description: jsii.String("What the functions were built for"),
		Default: jsii.String("arm64"), AllowedValues: jsii.Strings("arm64", "x86_64"),
	}).ValueAsString()
	settings.FunctionTimeout = number("FunctionTimeout", "Of a function, in seconds", 2, 900, messaging.DefaultFunctionTimeout)
	settings.VisibilityTimeout = number("VisibilityTimeout", "Of a queue, in seconds: six times FunctionTimeout, and never less than it",
		0, 43200, messaging.DefaultVisibilityTimeout)
	settings.MaxReceives = number("MaxReceives", "How often a message is received before it is a dead letter",
		1, 1000, messaging.DefaultMaxReceives)

	bucket := parameter("CodeBucket", awscdk.CfnParameterProps{
		Type: jsii.String("String"), Description: jsii.String("The S3 bucket that has the functions' zips"),
	}).ValueAsString()
	handlers := map[string]any{}
	keys := map[string]*string{}
	settings.Code = func(_ awscdk.Stack, handler string) awslambda.Code {
		if keys[handler] == nil {
			id := "CodeKey"
			for _, part := range strings.Split(handler, "/") {
				id += strings.ToUpper(part[:1]) + part[1:]
			}
			keys[handler] = parameter(id, awscdk.CfnParameterProps{
				Type:        jsii.String("String"),
				Description: jsii.String("The key of the zip of functions/" + handler + ": another one for other code, or nothing is updated"),
			}).ValueAsString()
			handlers[id] = handler
			stack.AddMetadata(jsii.String("Handlers"), handlers)
		}
		return codeAt(stack, bucket, keys[handler])
	}
}

func TestTemplatesAreWhatTheStacksAre(t *testing.T) {
	app := newApp(t)
	s := settings(t, nil)
	s.Parameters = parametrized
	stacks.Add(app, s)
	assembly := app.Synth(nil)
	for _, name := range append(slices.Clone(names), "budget") {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(*assembly.GetStackByName(jsii.String("brokerdojo-" + name)).TemplateFullPath())
			if err != nil {
				t.Fatal(err)
			}
			got := tidy(t, b)
			file := filepath.Join(folder, name+".template.json")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what the stack is: %s\nrun go test ./internal/stacks -update, and read what changed", file, firstDifference(got, want))
			}
		})
	}
}

// tidy leaves out of a template what is of the CDK CLI alone: the check of its bootstrap stack, and where in the program a resource is.
func tidy(t *testing.T, b []byte) []byte {
	t.Helper()
	var template map[string]any
	if err := json.Unmarshal(b, &template); err != nil {
		t.Fatal(err)
	}
	parameters, _ := template["Parameters"].(map[string]any)
	delete(parameters, "BootstrapVersion")
	delete(template, "Rules")
	for _, r := range template["Resources"].(map[string]any) {
		delete(r.(map[string]any), "Metadata")
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(template); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func firstDifference(got, want []byte) string {
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "line " + strconv.Itoa(i+1) + " is\n" + g[i] + "\nwant\n" + w[i]
		}
	}
	return "one is longer"
}

// A template names every handler that its code parameters are for, so that a program can fill them in.
func TestTemplatesNameTheirHandlers(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"workqueue":  {"CodeKeyWorkqueueSqs": "workqueue/sqs"},
		"fanout":     {"CodeKeyFanoutSqs": "fanout/sqs"},
		"routing":    {"CodeKeyRoutingSqs": "routing/sqs"},
		"deadletter": {"CodeKeyDeadletterSqs": "deadletter/sqs", "CodeKeyDeadletterRedrive": "deadletter/redrive"},
	} {
		b, err := os.ReadFile(filepath.Join(folder, name+".template.json"))
		if err != nil {
			t.Fatal(err)
		}
		var template struct {
			Parameters map[string]any
			Metadata   struct{ Handlers map[string]string }
		}
		if err := json.Unmarshal(b, &template); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(template.Metadata.Handlers, want) {
			t.Errorf("%s has the handlers %v, want %v", name, template.Metadata.Handlers, want)
		}
		for parameter, handler := range template.Metadata.Handlers {
			if template.Parameters[parameter] == nil {
				t.Errorf("%s has no parameter %s", name, parameter)
			}
			if _, err := os.Stat(filepath.Join("../../../functions", handler, "main.go")); err != nil {
				t.Error(err)
			}
		}
	}
}

// The handlers' package has the filter policies, too; it cannot be imported here, so its source is read.
func TestRoutesAreThoseOfTheHandler(t *testing.T) {
	want := map[string][]string{} // scope and policy by route
	literal(t, "../../../functions/routing/routing.go", "Filters", func(key, value ast.Expr) {
		for _, e := range value.(*ast.CompositeLit).Elts {
			want[unquoted(t, key)] = append(want[unquoted(t, key)], unquoted(t, e))
		}
	})
	got := map[string][]string{}
	for _, r := range stacks.Routes() {
		got[r.Name] = []string{r.Scope, r.Policy}
	}
	if !maps.EqualFunc(got, want, slices.Equal[[]string]) || len(want) == 0 {
		t.Errorf("routes %v, want %v", got, want)
	}
}

func TestSubscribersAreThoseOfTheHandler(t *testing.T) {
	var want []string
	literal(t, "../../../functions/fanout/fanout.go", "Subscribers", func(key, _ ast.Expr) { want = append(want, unquoted(t, key)) })
	if !slices.Equal(stacks.Subscribers(), want) || len(want) == 0 {
		t.Errorf("subscribers %v, want %v", stacks.Subscribers(), want)
	}
}

// literal calls do with each key and value of a map in a Go file.
func literal(t *testing.T, file, variable string, do func(key, value ast.Expr)) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && spec.Names[0].Name == variable {
			for _, e := range spec.Values[0].(*ast.CompositeLit).Elts {
				pair := e.(*ast.KeyValueExpr)
				do(pair.Key, pair.Value)
			}
		}
		return true
	})
}

func unquoted(t *testing.T, e ast.Expr) string {
	t.Helper()
	s, err := strconv.Unquote(e.(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContextIsCheckedAsAWhole(t *testing.T) {
	_, err := messaging.FromContext(func(name string) any {
		return map[string]any{
			"stage": "production", "architecture": "amd64", "alarm-email": "me", "function-timeout": "soon", "max-receives": 0,
		}[name]
	})
	for _, want := range []string{"stage=production", "architecture=amd64", "alarm-email=me", "function-timeout=soon", "max-receives=0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not speak of %s: %v", want, err)
		}
	}
	if _, err := messaging.FromContext(func(name string) any { return map[string]any{"stage": "prod"}[name] }); err == nil {
		t.Error("a stage prod whose alarms nobody hears is accepted")
	}
	s, err := messaging.FromContext(func(name string) any { return map[string]any{"function-timeout": "20"}[name] })
	if err != nil || *s.VisibilityTimeout != 120 {
		t.Errorf("visibility timeout %v, %v", *s.VisibilityTimeout, err)
	}
}
