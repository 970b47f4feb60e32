package messaging

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// Settings hold for every stack of an app.
type Settings struct {
	// Prod keeps queues, topics, keys and logs when their stack is deleted, keeps logs for three months instead of a week, and
	// protects the stack from deletion by mistake.
	Prod bool
	// AlarmEmail gets the alarms. Without it an alarm is seen on the dashboard and in the console only, and the stack needs no KMS
	// key of its own.
	AlarmEmail string
	// Architecture of the functions: arm64 or x86_64.
	Architecture string
	// FunctionTimeout and VisibilityTimeout are in seconds, MaxReceives is how often a message is received before it is a dead letter.
	FunctionTimeout, VisibilityTimeout, MaxReceives *float64
	// Code gives the code of a handler, such as "workqueue/sqs", to a stack.
	Code func(stack awscdk.Stack, handler string) awslambda.Code
	// Parameters, if there is one, makes parameters in a stack and changes its settings to them.
	Parameters func(stack awscdk.Stack, settings *Settings)
}

// The defaults: a visibility timeout of six times the function's timeout, and five receives, are what AWS advises for a queue that
// a function works.
// Source: Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping" (2026-12-01).
const (
	DefaultFunctionTimeout   = 10
	VisibilityTimeoutFactor  = 6
	DefaultMaxReceives       = 5
	DefaultVisibilityTimeout = VisibilityTimeoutFactor * DefaultFunctionTimeout
)

// FromContext reads settings from the app's context, which cdk takes by -c name=value. Its error says all that is wrong.
//
//	stage             sandbox, the default, or prod
//	alarm-email       who gets the alarms; prod must have one
//	architecture      arm64, the default, or x86_64
//	function-timeout  in seconds, 2 to 900; the default is 10
//	max-receives      1 to 1000; the default is 5
func FromContext(lookup func(name string) any) (Settings, error) {
	var wrong []error
	text := func(name, fallback string) string {
		v := lookup(name)
		if v == nil || v == "" {
			return fallback
		}
		return fmt.Sprint(v)
	}
	one := func(name string, values ...string) string {
		v := text(name, values[0])
		if !slices.Contains(values, v) {
			wrong = append(wrong, fmt.Errorf("-c %s=%s: it must be %s", name, v, strings.Join(values, " or ")))
		}
		return v
	}
	number := func(name string, least, most, fallback int) *float64 {
		v := text(name, strconv.Itoa(fallback))
		n, err := strconv.Atoi(v)
		if err != nil || n < least || n > most {
			wrong = append(wrong, fmt.Errorf("-c %s=%s: it must be a whole number from %d to %d", name, v, least, most))
		}
		return jsii.Number(n)
	}
	s := Settings{
		Prod: one("stage", "sandbox", "prod") == "prod", Architecture: one("architecture", "arm64", "x86_64"), AlarmEmail: text("alarm-email", ""),
		FunctionTimeout: number("function-timeout", 2, 900, DefaultFunctionTimeout), MaxReceives: number("max-receives", 1, 1000, DefaultMaxReceives),
	}
	s.VisibilityTimeout = jsii.Number(VisibilityTimeoutFactor * *s.FunctionTimeout)
	if s.AlarmEmail != "" && !strings.Contains(s.AlarmEmail, "@") {
		wrong = append(wrong, fmt.Errorf("-c alarm-email=%s: it is not an address", s.AlarmEmail))
	}
	if s.Prod && s.AlarmEmail == "" {
		wrong = append(wrong, errors.New("-c stage=prod needs -c alarm-email=ADDRESS: nobody watches a dashboard at night"))
	}
	return s, errors.Join(wrong...)
}

// Stage is the value of the tag stage.
func (s Settings) Stage() string {
	if s.Prod {
		return "prod"
	}
	return "sandbox"
}
