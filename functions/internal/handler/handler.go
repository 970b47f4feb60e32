// Package handler is what the Lambda handlers of the patterns have in common: configuration from the environment, structured logs,
// metrics, and the careful walk through a batch of messages.
package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// Environment reads a function's configuration. What is wrong is collected: a deployment that lacks three variables should not
// be mended in three deployments.
type Environment struct {
	lookup func(string) (string, bool)
	wrong  []error
}

// NewEnvironment reads variables with lookup; os.LookupEnv is the usual one.
func NewEnvironment(lookup func(string) (string, bool)) *Environment {
	return &Environment{lookup: lookup}
}

// Text is a variable that must be set.
func (e *Environment) Text(name string) string {
	v, _ := e.lookup(name)
	if v == "" {
		e.wrong = append(e.wrong, fmt.Errorf("%s is not set", name))
	}
	return v
}

// Number is a variable from least to most; fallback is its value where it is not set.
func (e *Environment) Number(name string, least, most, fallback int) int {
	v, ok := e.lookup(name)
	if !ok || v == "" {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		e.wrong = append(e.wrong, fmt.Errorf("%s is %q: it must be a number from %d to %d", name, v, least, most))
	}
	return n
}

// OneOf is a variable that must have one of the values.
func (e *Environment) OneOf(name string, values ...string) string {
	v, _ := e.lookup(name)
	for _, allowed := range values {
		if v == allowed {
			return v
		}
	}
	e.wrong = append(e.wrong, fmt.Errorf("%s is %q: it must be one of %s", name, v, strings.Join(values, ", ")))
	return v
}

// Err is nil, or says all that is wrong.
func (e *Environment) Err() error { return errors.Join(e.wrong...) }

// Setup is how every handler begins: it reads the configuration and finds the region and the credentials. If something is wrong it
// says all of it in the log and ends the process: Lambda reports the function as failing to start, and nothing is tried with half
// a configuration.
func Setup(read func(*Environment)) (*slog.Logger, aws.Config) {
	log := Logger(os.Stdout)
	env := NewEnvironment(os.LookupEnv)
	read(env)
	if err := env.Err(); err != nil {
		log.Error("the configuration is wrong", "error", err.Error())
		os.Exit(1)
	}
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Error("no AWS configuration", "error", err.Error())
		os.Exit(1)
	}
	return log, settings
}

// Logger returns a logger that writes JSON, one line a record, with the function's name and version in each.
func Logger(w io.Writer) *slog.Logger {
	level := slog.LevelInfo
	_ = level.UnmarshalText([]byte(os.Getenv("LOG_LEVEL"))) // info where it is not set or not a level
	log := slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	if name := os.Getenv("AWS_LAMBDA_FUNCTION_NAME"); name != "" {
		log = log.With("function", name, "version", os.Getenv("AWS_LAMBDA_FUNCTION_VERSION"))
	}
	return log
}

// Metrics writes metrics to the log in the Embedded Metric Format: CloudWatch makes metrics of them, and no call is needed.
// Source: CloudWatch User Guide, "Embedded metric format specification" (2026-12-01).
type Metrics struct {
	W         io.Writer
	Namespace string
	Pattern   string // the one dimension
}

// Value is one metric of a line.
type Value struct {
	Name, Unit string // Count, Milliseconds
	Value      float64
}

// Put writes one line with the metrics of one moment.
func (m *Metrics) Put(values ...Value) {
	type definition struct{ Name, Unit string }
	line := map[string]any{"pattern": m.Pattern}
	definitions := make([]definition, len(values))
	for i, v := range values {
		definitions[i] = definition{v.Name, v.Unit}
		line[v.Name] = v.Value
	}
	line["_aws"] = map[string]any{
		"Timestamp":         time.Now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{"Namespace": m.Namespace, "Dimensions": [][]string{{"pattern"}}, "Metrics": definitions}},
	}
	b, err := json.Marshal(line)
	if err != nil { // NaN, say
		return
	}
	_, _ = m.W.Write(append(b, '\n')) // a log that cannot be written is no reason to fail a message
}

type logKey struct{}

// WithLog returns a context that carries a logger: a message's, with its correlation id.
func WithLog(ctx context.Context, log *slog.Logger) context.Context {
	return context.WithValue(ctx, logKey{}, log)
}

// Log returns the context's logger, or the default one.
func Log(ctx context.Context) *slog.Logger {
	if log, ok := ctx.Value(logKey{}).(*slog.Logger); ok {
		return log
	}
	return slog.Default()
}
