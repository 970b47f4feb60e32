package embedded

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/cloudformation"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/cloudwatch"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/eventsource"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/kms"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/lambda"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/logs"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/s3"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sns"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sqs"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/ssm"
)

// startAWS starts the AWS services and joins them. address is where they will be served; empty: in memory. iamMode is Options.IAM.
func (c *Cloud) startAWS(log *slog.Logger, subscribers http.RoundTripper, address, iamMode string) {
	c.awsURL = address
	if address == "" {
		c.awsURL = inMemoryURL
	}
	c.authority = c.startIAM(log, iamMode)
	c.watch = cloudwatch.New(cloudwatch.Options{
		Log: log, Notify: c.notify,
		Invoke: func(_ context.Context, functionARN string, event []byte) error {
			return c.lambda.InvokeAsync(functionARN, event)
		},
	})
	c.logs = logs.New(logs.Options{Log: log, Metrics: logMetrics{c.watch}})
	c.sqs = sqs.New(sqs.Options{Log: log, Metrics: queueMetrics{c.watch}})
	c.watch.Watch(sqsNamespace, c.sqs.Report)
	c.lambda = lambda.New(c.lambdaOptions(log, address))
	c.eventSources = eventsource.New(eventsource.Options{Log: log, Queues: mappedQueues{c.sqs}, Functions: mappedFunctions{c.lambda}, MayCall: c.authority.roleMay})
	c.sns = sns.New(sns.Options{Log: log, Queues: queues{c.sqs, c.authority}, Functions: subscribedFunctions{c.lambda, c.authority}, HTTP: subscribers, Metrics: topicMetrics{c.watch}})
	c.cloudformation = cloudformation.New(cloudformation.Options{
		Log: log,
		Invoke: func(ctx context.Context, from api.Caller, service, action string, in, out any) error {
			return c.services.Invoke(ctx, from, service, action, in, out)
		},
		Do: func(from api.Caller, service string, r *http.Request) (*http.Response, error) {
			return c.services.Do(from, service, r)
		},
		Assume: c.authority.assume,
	})
	c.s3 = s3.New(s3.Options{
		Log: log,
		Deliver: func(ctx context.Context, account, bucketARN, targetARN, event string) error {
			if err := c.authority.authorizeService("s3.amazonaws.com", sending(targetARN), targetARN, bucketARN); err != nil {
				return err
			}
			return c.deliver(ctx, account, targetARN, event, nil)
		},
		Exists: func(functionARN string) bool {
			_, _, _, ok := c.lambda.Find("", "", functionARN)
			return ok
		},
	})
	c.kms = kms.New(kms.Options{Log: log})
	c.ssm = ssm.New(ssm.Options{Log: log, Keys: parameterKeys{c.kms}, Caller: c.authority.callerARN})
	functions := c.lambda.API()
	c.eventSources.AddTo(functions)
	c.services = aws.NewEndpoint(log, c.sqs.API(), c.sns.API(), functions, c.s3.API(), c.watch.API(), c.logs.API(), c.cloudformation.API(), c.iam.API(), c.sts.API(), c.kms.API(), c.ssm.API())
	c.services.Account, c.services.Authorize = c.authority.account, c.authority.authorize
	c.authority.resources = map[string]resourcePolicies{"sqs": c.sqs, "sns": c.sns, "lambda": c.lambda, "s3": c.s3, "kms": c.kms}
	c.services.Page(sns.CertificatePath, c.sns.Certificate())
	c.services.Page(lambda.CodePath, c.lambda.Code())
	c.services.Page(cloudformation.ResponsePath, c.cloudformation.Responses())
}

// closeAWS ends the AWS services: who calls before who is called.
func (c *Cloud) closeAWS() error {
	c.cloudformation.Close()
	c.watch.Close()
	c.eventSources.Close()
	c.s3.Close()
	c.sns.Close()
	err := c.lambda.Close()
	c.sqs.Close()
	c.logs.Close()
	c.ssm.Close()
	c.kms.Close()
	c.sts.Close()
	c.iam.Close()
	return err
}
