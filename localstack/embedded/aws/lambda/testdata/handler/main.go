// The handler that the tests run as a process. The event says what to do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do, Text string
	Records  []json.RawMessage
}

func handle(ctx context.Context, e event) (any, error) {
	switch e.Do {
	case "environment":
		return os.Environ(), nil
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "left": time.Until(deadline).Seconds(), "name": lambdacontext.FunctionName}, nil
	case "log":
		fmt.Println(e.Text)
		log.Print("from the log package")
		return nil, nil
	case "flood":
		for range 20_000 {
			fmt.Println(strings.Repeat("x", 999))
		}
		return "done", nil
	case "fail":
		return nil, errors.New(e.Text)
	case "panic":
		panic(e.Text)
	case "exit":
		os.Exit(7)
	case "sleep":
		if e.Text != "" {
			if err := os.WriteFile(e.Text, fmt.Append(nil, os.Getpid()), 0o600); err != nil {
				return nil, err
			}
		}
		time.Sleep(time.Hour)
	case "big":
		return strings.Repeat("x", 7<<20), nil
	case "pid":
		time.Sleep(50 * time.Millisecond) // so that others run meanwhile
		return os.Getpid(), nil
	}
	return e, nil
}

func main() {
	switch os.Getenv("INIT") {
	case "exit":
		os.Exit(3)
	case "panic":
		panic("no configuration")
	}
	lambda.Start(handle)
}
