// Command infra is the CDK app: cdk deploy workqueue, and so on. See README.md.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/brokerdojo/brokerdojo/infra/internal/bundle"
	"github.com/brokerdojo/brokerdojo/infra/internal/messaging"
	"github.com/brokerdojo/brokerdojo/infra/internal/stacks"
)

func main() {
	err := run()
	jsii.Close()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	app := awscdk.NewApp(nil)
	settings, err := messaging.FromContext(func(name string) any { return app.Node().TryGetContext(&name) })
	if err != nil {
		return err
	}
	target, err := bundle.TargetFor(settings.Architecture, os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		return err
	}
	settings.Architecture = target.Architecture()
	if settings.Code, err = stacks.Bundled("..", target); err != nil {
		return fmt.Errorf("%w: cdk runs this program in the folder infra", err)
	}
	stacks.Add(app, settings)
	stacks.Check(app)
	app.Synth(nil)
	return nil
}
