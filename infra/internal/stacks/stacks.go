// Package stacks has a stack for each pattern, and one that watches what a sandbox account costs. Each file is a stack; to see what a
// pattern needs on AWS, read that file.
package stacks

import (
	"context"
	"os"
	"path/filepath"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/brokerdojo/brokerdojo/infra/internal/bundle"
	"github.com/brokerdojo/brokerdojo/infra/internal/messaging"
)

// patterns are the stacks of patterns, by name.
var patterns = []struct {
	name string
	add  func(*messaging.Stack)
}{
	{"workqueue", workqueue},
	{"fanout", fanout},
	{"routing", routing},
	{"deadletter", deadletter},
}

// Add adds all stacks to an app. They do not depend on each other.
func Add(app awscdk.App, settings messaging.Settings) {
	for _, p := range patterns {
		s := messaging.NewStack(app, p.name, settings, props(p.name, "Brokerdojo: the pattern "+p.name))
		p.add(s)
		s.Dashboard()
		tag(s.Stack, settings, p.name)
	}
	tag(budget(app), settings, "budget")
}

func props(name, description string) awscdk.StackProps {
	return awscdk.StackProps{StackName: jsii.String("brokerdojo-" + name), Description: &description}
}

func tag(s awscdk.Stack, settings messaging.Settings, pattern string) {
	for name, value := range map[string]string{"project": "brokerdojo", "pattern": pattern, "stage": settings.Stage()} {
		awscdk.Tags_Of(s).Add(&name, &value, &awscdk.TagProps{
			ExcludeResourceTypes: jsii.Strings("AWS::CloudWatch::Dashboard"), // the local cloud's have none
		})
	}
}

// Check has cdk-nag look for what AWS's solutions architects would not let pass. What it finds keeps the stack from being deployed.
func Check(app awscdk.App) {
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true)}), nil)
}

// Bundled returns the code of handlers, built from the functions of the module in root. A handler is built when its stack is
// synthesized for deployment, and only then: cdk deploy workqueue builds nothing of the others.
func Bundled(root string, target bundle.Target) (func(awscdk.Stack, string) awslambda.Code, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "functions")); err != nil {
		return nil, err
	}
	return func(_ awscdk.Stack, handler string) awslambda.Code {
		return awslambda.Code_FromAsset(&root, &awss3assets.AssetOptions{
			AssetHashType: awscdk.AssetHashType_OUTPUT, // what counts is the program, not every file of the repository
			Bundling: &awscdk.BundlingOptions{
				Local: &local{root, handler, target}, OutputType: awscdk.BundlingOutput_ARCHIVED,
				Image:   awscdk.DockerImage_FromRegistry(jsii.String("no-container-is-needed")),
				Command: jsii.Strings(handler, target.OS, target.Arch), // tells handlers of the same source apart in CDK's cache
			},
		})
	}, nil
}

// local builds a handler where CDK would start a container.
type local struct {
	root, handler string
	target        bundle.Target
}

// TryBundle implements awscdk.ILocalBundling.
func (l *local) TryBundle(outputDir *string, _ *awscdk.BundlingOptions) *bool {
	zipped, err := bundle.Zip(context.Background(), l.root, l.handler, l.target)
	if err == nil {
		err = os.WriteFile(filepath.Join(*outputDir, "function.zip"), zipped, 0o644)
	}
	if err != nil {
		panic(err) // false would have CDK look for Docker
	}
	return jsii.Bool(true)
}
