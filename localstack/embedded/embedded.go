// Package embedded is the local cloud: every broker of the course inside one Go process.
//
// Start serves it on loopback sockets, for any client in any language. InMemory serves it on nothing at all:
// clients reach it through in-memory connections, so that client and cloud run together in a testing/synctest bubble
// and a visibility timeout of twelve hours is waited out in no time. Both give each client's configuration:
//
//	cloud := embedded.InMemory(embedded.Options{})
//	defer cloud.Close()
//	queues := sqs.NewFromConfig(cloud.AWS())
//	cache := redis.NewClient(cloud.Redis())
//	stream, err := kgo.NewClient(cloud.Kafka()...)
//	rabbit, err := amqp091.DialConfig(cloud.RabbitMQ())
//
// Clouds share nothing: a process may hold as many as it likes. The services' own packages are below this one,
// and each says there which of its rules come from where and what it does not offer.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	amqp091 "github.com/rabbitmq/amqp091-go"
	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/cloudformation"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/cloudwatch"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/eventsource"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/iam"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/kms"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/lambda"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/logs"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/s3"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sns"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sqs"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/ssm"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/sts"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/kafka"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/redis"
)

// The services of the cloud, as Options.Services and Endpoint.Service name them.
const (
	AWS      = "aws"
	Redis    = "redis"
	Kafka    = "kafka"
	RabbitMQ = "rabbitmq"
)

// Services returns the names of all services, in the order that they are shown in.
func Services() []string { return []string{AWS, Redis, Kafka, RabbitMQ} }

// Ports says which ports Start listens on.
type Ports int

// Standard takes each service's usual port, and a free one where that is taken. Auto takes free ports only.
const (
	Standard Ports = iota
	Auto
)

var standardPorts = map[string][]int{AWS: {4566}, Redis: {6379}, Kafka: {9092, 9093, 9094}, RabbitMQ: {5672, 15672, 15692}}

// Options are what Start and InMemory take. The zero value starts every service and logs nothing.
type Options struct {
	Services []string     // some of Services(); empty: all
	Ports    Ports        // Start only
	Log      *slog.Logger // nil discards
	// Permit names deprecated features of RabbitMQ to permit, as deprecated_features.permit.* in its configuration does.
	Permit []string
	// IAM says whether policies decide who may do what in the AWS services: IAMOff (the default) or IAMEnforce. The access key "test"
	// and those of 12 digits are their account's root, which may do everything in it.
	IAM string
}

func (o Options) services() ([]string, error) {
	if o.IAM != "" && !slices.Contains(IAMModes(), o.IAM) {
		return nil, fmt.Errorf("IAM cannot be %q: it is %s", o.IAM, strings.Join(IAMModes(), " or "))
	}
	if len(o.Services) == 0 {
		return Services(), nil
	}
	for _, name := range o.Services {
		if !slices.Contains(Services(), name) {
			return nil, fmt.Errorf("no service is called %q: the services are %s", name, strings.Join(Services(), ", "))
		}
	}
	return o.Services, nil
}

// Cloud is a running local cloud.
type Cloud struct {
	sqs            *sqs.Service
	sns            *sns.Service
	lambda         *lambda.Service
	eventSources   *eventsource.Service
	cloudformation *cloudformation.Service
	s3             *s3.Service
	watch          *cloudwatch.Service
	logs           *logs.Service
	iam            *iam.Service
	sts            *sts.Service
	kms            *kms.Service
	ssm            *ssm.Service
	authority      *authority
	redis          *redis.Server
	kafka          *kafka.Cluster
	rabbit         *rabbitmq.Server
	services       *aws.Endpoint // those of AWS
	awsURL         string        // where they are

	inMemory  bool
	hosts     hosts
	servers   []*http.Server
	served    sync.WaitGroup // by servers
	endpoints []Endpoint
	close     sync.Once
	closeErr  error
}

// Endpoint is where one service of a started cloud is reached.
type Endpoint struct {
	Service string // "aws"; RabbitMQ has two more endpoints, "rabbitmq-management" and "rabbitmq-metrics"
	Title   string // what is behind it: "Kafka, 3 brokers"
	Address string // as its clients take it: "http://127.0.0.1:4566", "127.0.0.1:6379", three brokers with commas
	Setting string // which setting of the clients takes the address
	Wanted  []int  // the usual ports that were taken and are replaced
}

// EnvVar is one environment variable that makes clients in other processes use the cloud.
type EnvVar struct{ Name, Value string }

// Start starts the cloud on 127.0.0.1. What it started is closed again if it returns an error; ctx ends the start only.
func Start(ctx context.Context, o Options) (*Cloud, error) {
	c, err := start(ctx, o)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func start(ctx context.Context, o Options) (*Cloud, error) {
	c := &Cloud{}
	names, err := o.services()
	if err != nil {
		return c, err
	}
	log := o.log()
	var config net.ListenConfig
	for _, name := range Services() {
		if !slices.Contains(names, name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return c, err
		}
		listeners, wanted, err := listen(ctx, config, name, o.Ports)
		if err != nil {
			return c, err
		}
		var addresses []string
		for _, l := range listeners {
			addresses = append(addresses, l.Addr().String())
		}
		e := Endpoint{Service: name, Address: strings.Join(addresses, ","), Wanted: wanted}
		switch name {
		case AWS:
			e.Title, e.Setting = "AWS", "AWS_ENDPOINT_URL"
			e.Address = "http://" + e.Address
			c.startAWS(log, loopbackHTTP(), e.Address, o.IAM)
			c.serve(listeners[0], c.services, log)
		case Redis:
			e.Title, e.Setting = "Redis", "REDIS_URL"
			c.redis = redis.New(redis.Options{Log: log})
			err = c.redis.Serve(listeners[0])
		case Kafka:
			e.Title, e.Setting = "Kafka, 3 brokers", "bootstrap.servers"
			c.kafka, err = kafka.New(kafka.Options{Log: log, Listeners: listeners})
		case RabbitMQ:
			e.Title, e.Setting = "RabbitMQ", "AMQP_URL"
			e.Address = "amqp://" + addresses[0] + "/"
			c.rabbit = rabbitmq.New(rabbitmq.Options{Log: log, Permit: o.Permit})
			err = c.rabbit.Serve(listeners[0])
			c.serve(listeners[1], c.rabbit.Management(), log)
			c.serve(listeners[2], c.rabbit.Metrics(), log)
		}
		if err != nil {
			return c, fmt.Errorf("start %s: %w", name, err)
		}
		if name != RabbitMQ {
			c.endpoints = append(c.endpoints, e)
			continue
		}
		for i, e := range []Endpoint{
			e,
			{Service: "rabbitmq-management", Title: "RabbitMQ's management API", Setting: "user " + rabbitmq.DefaultUser + ", password " + rabbitmq.DefaultPassword, Address: "http://" + addresses[1]},
			{Service: "rabbitmq-metrics", Title: "RabbitMQ's metrics", Setting: "Prometheus", Address: "http://" + addresses[2] + "/metrics"},
		} {
			e.Wanted = nil
			if port := standardPorts[RabbitMQ][i]; slices.Contains(wanted, port) {
				e.Wanted = []int{port}
			}
			c.endpoints = append(c.endpoints, e)
		}
	}
	return c, nil
}

// serve serves HTTP on l until Close.
func (c *Cloud) serve(l net.Listener, h http.Handler, log *slog.Logger) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	c.servers = append(c.servers, server)
	c.served.Go(func() { _ = server.Serve(l) }) // ErrServerClosed, after Close
}

// listen opens a service's listeners, on its standard ports where they are wanted and free.
func listen(ctx context.Context, config net.ListenConfig, service string, ports Ports) (listeners []net.Listener, wanted []int, err error) {
	for _, port := range standardPorts[service] {
		var l net.Listener
		if ports == Standard {
			if l, err = config.Listen(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
				wanted = append(wanted, port)
			}
		}
		if l == nil {
			if l, err = config.Listen(ctx, "tcp4", "127.0.0.1:0"); err != nil {
				for _, l := range listeners {
					_ = l.Close()
				}
				return nil, nil, fmt.Errorf("listen for %s on loopback: %w", service, err)
			}
		}
		listeners = append(listeners, l)
	}
	return listeners, wanted, nil
}

// InMemory starts the cloud without a socket. In a testing/synctest bubble, call it inside the bubble, and Close it there.
// It panics if o names a service that does not exist: that is a mistake in the calling code.
func InMemory(o Options) *Cloud {
	names, err := o.services()
	if err != nil {
		panic("embedded: " + err.Error())
	}
	log := o.log()
	c := &Cloud{inMemory: true, hosts: hosts{handlers: map[string]http.Handler{}}}
	for _, name := range Services() {
		if !slices.Contains(names, name) {
			continue
		}
		switch name {
		case AWS:
			c.startAWS(log, &c.hosts, "", o.IAM)
		case Redis:
			c.redis = redis.New(redis.Options{Log: log})
		case Kafka:
			if c.kafka, err = kafka.New(kafka.Options{Log: log}); err != nil {
				panic("embedded: start kafka: " + err.Error()) // its options are ours, and nothing outside the process takes part
			}
		case RabbitMQ:
			c.rabbit = rabbitmq.New(rabbitmq.Options{Log: log, Permit: o.Permit})
		}
	}
	return c
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// Close ends the cloud and all that is connected to it. It may be called more than once.
func (c *Cloud) Close() error {
	c.close.Do(func() {
		var errs []error
		for _, server := range c.servers {
			errs = append(errs, server.Close())
		}
		c.served.Wait()
		if c.services != nil {
			errs = append(errs, c.closeAWS())
		}
		if c.redis != nil {
			errs = append(errs, c.redis.Close())
		}
		if c.kafka != nil {
			errs = append(errs, c.kafka.Close())
		}
		if c.rabbit != nil {
			errs = append(errs, c.rabbit.Close())
		}
		c.closeErr = errors.Join(errs...)
	})
	return c.closeErr
}

// Endpoints says where a started cloud's services are. A cloud in memory has none.
func (c *Cloud) Endpoints() []Endpoint { return slices.Clone(c.endpoints) }

// Env returns what clients in other processes need in their environment to use a started cloud.
func (c *Cloud) Env() []EnvVar {
	var env []EnvVar
	for _, e := range c.endpoints {
		switch e.Service {
		case AWS:
			env = append(env,
				EnvVar{"AWS_ENDPOINT_URL", e.Address},
				EnvVar{"AWS_REGION", aws.DefaultRegion},
				EnvVar{"AWS_DEFAULT_REGION", aws.DefaultRegion}, // the AWS CLI reads this one
				EnvVar{"AWS_ACCESS_KEY_ID", accessKey},
				EnvVar{"AWS_SECRET_ACCESS_KEY", accessKey},
				EnvVar{"AWS_SESSION_TOKEN", ""}, // one left over from a real account would go along with the key
			)
		case Redis:
			env = append(env, EnvVar{"REDIS_URL", "redis://" + e.Address + "/0"})
		case Kafka:
			env = append(env, EnvVar{"KAFKA_BOOTSTRAP_SERVERS", e.Address})
		case RabbitMQ:
			env = append(env, EnvVar{"AMQP_URL", withUser(e.Address)})
		}
	}
	return env
}

func withUser(url string) string {
	return strings.Replace(url, "://", "://"+rabbitmq.DefaultUser+":"+rabbitmq.DefaultPassword+"@", 1)
}

// accessKey is no secret: the local cloud takes any.
const accessKey = "test"

// inMemoryURL is where clients seem to find the AWS services of a cloud in memory.
const inMemoryURL = "http://127.0.0.1:4566"

// AWS returns the configuration of clients of AWS services: sqs.NewFromConfig(cloud.AWS()).
// Account and region are aws.DefaultAccount and aws.DefaultRegion; set Credentials (an access key id of 12 digits is
// the account) or Region in the copy for others. It panics if the cloud runs without AWS.
func (c *Cloud) AWS() awssdk.Config {
	c.need(c.sqs != nil, AWS)
	config := awssdk.Config{
		Region:      aws.DefaultRegion,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, accessKey, ""),
	}
	if c.inMemory {
		config.BaseEndpoint = awssdk.String(inMemoryURL)
		config.HTTPClient = &http.Client{Transport: aws.Transport{Handler: c.services}}
	} else {
		config.BaseEndpoint = awssdk.String(c.endpoint(AWS))
	}
	return config
}

// Redis returns the options of a Redis client: redis.NewClient(cloud.Redis()). It panics if the cloud runs without Redis.
func (c *Cloud) Redis() *goredis.Options {
	c.need(c.redis != nil, Redis)
	if !c.inMemory {
		return &goredis.Options{Addr: c.endpoint(Redis)}
	}
	return &goredis.Options{
		Addr: "127.0.0.1:6379", // an address of digits: a host's name would be looked up
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return c.redis.Dial(ctx)
		},
	}
}

// Kafka returns the options of a Kafka client: kgo.NewClient(cloud.Kafka()...). It panics if the cloud runs without Kafka.
func (c *Cloud) Kafka() []kgo.Opt {
	c.need(c.kafka != nil, Kafka)
	return c.kafka.ClientOptions()
}

// RabbitMQ returns the URL and the configuration of a RabbitMQ client: amqp091.DialConfig(cloud.RabbitMQ()).
// It panics if the cloud runs without RabbitMQ.
func (c *Cloud) RabbitMQ() (url string, config amqp091.Config) {
	c.need(c.rabbit != nil, RabbitMQ)
	config = amqp091.Config{Heartbeat: 10 * time.Second, Locale: "en_US"}
	if !c.inMemory {
		return withUser(c.endpoint(RabbitMQ)), config
	}
	config.Dial = func(string, string) (net.Conn, error) { return c.rabbit.Dial(context.Background()) }
	return withUser("amqp://127.0.0.1:5672/"), config
}

// SQS returns the service itself, for what only the broker can do: deliver a message twice, say.
func (c *Cloud) SQS() *sqs.Service { return c.sqs }

// SNS returns the service itself.
func (c *Cloud) SNS() *sns.Service { return c.sns }

// S3 returns the service itself.
func (c *Cloud) S3() *s3.Service { return c.s3 }

// Lambda returns the service itself, to register functions that run in this process.
func (c *Cloud) Lambda() *lambda.Service { return c.lambda }

// Logs returns the service itself.
func (c *Cloud) Logs() *logs.Service { return c.logs }

// CloudWatch returns the service itself.
func (c *Cloud) CloudWatch() *cloudwatch.Service { return c.watch }

// RedisServer returns the server itself, for what only the broker can do: cut connections, say.
func (c *Cloud) RedisServer() *redis.Server { return c.redis }

// KafkaCluster returns the cluster itself, for what only the operator can do: stop a broker, say.
func (c *Cloud) KafkaCluster() *kafka.Cluster { return c.kafka }

// RabbitMQServer returns the server itself: its management API, and what only the operator can do, such as cut connections.
func (c *Cloud) RabbitMQServer() *rabbitmq.Server { return c.rabbit }

func (c *Cloud) need(running bool, service string) {
	if !running {
		panic("embedded: the cloud was started without " + service)
	}
}

func (c *Cloud) endpoint(service string) string {
	i := slices.IndexFunc(c.endpoints, func(e Endpoint) bool { return e.Service == service })
	return c.endpoints[i].Address
}
