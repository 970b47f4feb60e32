package cloudformation

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Source: Template Reference, AWS Lambda (checked 2026-12-01).

type functionCode struct {
	ImageUri, S3Bucket, S3Key, S3ObjectVersion, SourceKMSKeyArn, ZipFile string
}

type vpcConfig struct {
	Ipv6AllowedForDualStack     *bool    `json:",omitempty"`
	SecurityGroupIds, SubnetIds []string `json:",omitempty"`
}

// A function's properties, but for those with the tag json:"-", have the names of CreateFunction's parameters. What Lambda does not
// offer here it refuses itself.
type function struct {
	Architectures                []string                                                                   `json:",omitempty"`
	Code                         functionCode                                                               `json:"-" cfn:"required"`
	CodeSigningConfigArn         string                                                                     `json:",omitempty"`
	DeadLetterConfig             *struct{ TargetArn string }                                                `json:",omitempty"`
	Description                  string                                                                     `json:",omitempty"`
	Environment                  *struct{ Variables map[string]string }                                     `json:",omitempty"`
	EphemeralStorage             *struct{ Size int }                                                        `json:",omitempty"`
	FileSystemConfigs            []struct{ Arn, LocalMountPath string }                                     `json:",omitempty"`
	FunctionName                 string                                                                     `json:",omitempty"`
	Handler                      string                                                                     `json:",omitempty"`
	ImageConfig                  any                                                                        `json:",omitempty"`
	KmsKeyArn                    string                                                                     `json:"KMSKeyArn,omitempty"`
	Layers                       []string                                                                   `json:",omitempty"`
	LoggingConfig                *struct{ ApplicationLogLevel, LogFormat, LogGroup, SystemLogLevel string } `json:",omitempty"`
	MemorySize                   *int                                                                       `json:",omitempty"`
	PackageType                  string                                                                     `json:",omitempty"`
	RecursiveLoop                string                                                                     `json:"-"`
	ReservedConcurrentExecutions *int                                                                       `json:"-"`
	Role                         string                                                                     `json:",omitempty" cfn:"required"`
	Runtime                      string                                                                     `json:",omitempty"`
	RuntimeManagementConfig      any                                                                        `json:"-"`
	SnapStart                    any                                                                        `json:",omitempty"`
	Tags                         []tag                                                                      `json:"-"`
	Timeout                      *int                                                                       `json:",omitempty"`
	TracingConfig                *struct{ Mode string }                                                     `json:",omitempty"`
	VpcConfig                    *vpcConfig                                                                 `json:",omitempty"`
}

// fields is v's JSON as a map, to add to.
func fields(v any) map[string]any {
	b, err := json.Marshal(v)
	if err == nil {
		var m map[string]any
		if err = json.Unmarshal(b, &m); err == nil {
			return m
		}
	}
	panic("cloudformation: properties that are no JSON: " + err.Error())
}

// inline zips the source that a template has in itself, as the file that its runtime looks for.
func inline(source string) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("index.js")
	if err == nil {
		_, err = f.Write([]byte(source))
	}
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

func (f *function) code() (map[string]any, error) {
	code := map[string]any{}
	if f.Code.ZipFile != "" {
		zipped, err := inline(f.Code.ZipFile)
		if err != nil {
			return nil, err
		}
		code["ZipFile"] = zipped
	}
	optional(code, "ImageUri", f.Code.ImageUri)
	optional(code, "S3Bucket", f.Code.S3Bucket)
	optional(code, "S3Key", f.Code.S3Key)
	optional(code, "S3ObjectVersion", f.Code.S3ObjectVersion)
	optional(code, "SourceKMSKeyArn", f.Code.SourceKMSKeyArn)
	return code, nil
}

func (f *function) setConcurrency(c *call, name string) error {
	if f.ReservedConcurrentExecutions == nil {
		return c.invoke("lambda", "DeleteFunctionConcurrency", map[string]any{"FunctionName": name}, nil)
	}
	return c.invoke("lambda", "PutFunctionConcurrency", map[string]any{"FunctionName": name, "ReservedConcurrentExecutions": *f.ReservedConcurrentExecutions}, nil)
}

func (f *function) unsupported() error {
	if f.RuntimeManagementConfig != nil {
		return fmt.Errorf("the local cloud does not offer the property RuntimeManagementConfig")
	}
	if f.RecursiveLoop != "" && f.RecursiveLoop != "Terminate" {
		return fmt.Errorf("the local cloud does not offer the property RecursiveLoop")
	}
	return nil
}

type functionVersion struct {
	CodeSha256                   string
	Description                  string
	FunctionName                 string `cfn:"required"`
	ProvisionedConcurrencyConfig any
	RuntimePolicy                any
}

type versionWeight struct {
	FunctionVersion string
	FunctionWeight  float64
}

type functionAlias struct {
	Description                  string
	FunctionName                 string `cfn:"required"`
	FunctionVersion              string `cfn:"required"`
	Name                         string `cfn:"required"`
	ProvisionedConcurrencyConfig any
	RoutingConfig                *struct{ AdditionalVersionWeights []versionWeight }
}

func (a *functionAlias) parameters() map[string]any {
	weights := map[string]float64{}
	if a.RoutingConfig != nil {
		for _, w := range a.RoutingConfig.AdditionalVersionWeights {
			weights[w.FunctionVersion] = w.FunctionWeight
		}
	}
	return map[string]any{
		"FunctionName": a.FunctionName, "Name": a.Name, "FunctionVersion": a.FunctionVersion, "Description": a.Description,
		"RoutingConfig": map[string]any{"AdditionalVersionWeights": weights},
	}
}

type permission struct {
	Action                string `cfn:"required"`
	EventSourceToken      string `json:",omitempty"`
	FunctionName          string `cfn:"required"`
	FunctionUrlAuthType   string `json:",omitempty"`
	InvokedViaFunctionUrl *bool  `json:",omitempty"`
	Principal             string `cfn:"required"`
	PrincipalOrgID        string `json:",omitempty"`
	SourceAccount         string `json:",omitempty"`
	SourceArn             string `json:",omitempty"`
}

type filterPattern struct{ Pattern string }

// An event source mapping's properties have the names of CreateEventSourceMapping's parameters, which refuses what is not offered.
type eventSourceMapping struct {
	AmazonManagedKafkaEventSourceConfig any                                `json:",omitempty"`
	BatchSize                           *int                               `json:",omitempty"`
	BisectBatchOnFunctionError          *bool                              `json:",omitempty"`
	DestinationConfig                   any                                `json:",omitempty"`
	DocumentDBEventSourceConfig         any                                `json:",omitempty"`
	Enabled                             *bool                              `json:",omitempty"`
	EventSourceArn                      string                             `json:",omitempty"`
	FilterCriteria                      *struct{ Filters []filterPattern } `json:",omitempty"`
	FunctionName                        string                             `cfn:"required"`
	FunctionResponseTypes               []string                           `json:",omitempty"`
	KmsKeyArn                           string                             `json:"KMSKeyArn,omitempty"`
	MaximumBatchingWindowInSeconds      *int                               `json:",omitempty"`
	MaximumRecordAgeInSeconds           *int                               `json:",omitempty"`
	MaximumRetryAttempts                *int                               `json:",omitempty"`
	MetricsConfig                       any                                `json:",omitempty"`
	ParallelizationFactor               *int                               `json:",omitempty"`
	ProvisionedPollerConfig             any                                `json:",omitempty"`
	Queues                              []string                           `json:",omitempty"`
	ScalingConfig                       *struct{ MaximumConcurrency *int } `json:",omitempty"`
	SelfManagedEventSource              any                                `json:",omitempty"`
	SelfManagedKafkaEventSourceConfig   any                                `json:",omitempty"`
	SourceAccessConfigurations          any                                `json:",omitempty"`
	StartingPosition                    string                             `json:",omitempty"`
	StartingPositionTimestamp           *float64                           `json:",omitempty"`
	Tags                                []tag                              `json:"-"`
	Topics                              []string                           `json:",omitempty"`
	TumblingWindowInSeconds             *int                               `json:",omitempty"`
}

type eventInvokeConfig struct {
	DestinationConfig *struct {
		OnFailure, OnSuccess *struct{ Destination string } `json:",omitempty"`
	} `json:",omitempty"`
	FunctionName             string `cfn:"required"`
	MaximumEventAgeInSeconds *int   `json:",omitempty"`
	MaximumRetryAttempts     *int   `json:",omitempty"`
	Qualifier                string `cfn:"required"`
}

func retagLambda(c *call, arn string, now, old []tag) error {
	if gone := missing(asMap(old), asMap(now)); len(gone) > 0 {
		if err := c.invoke("lambda", "UntagResource", map[string]any{"Resource": arn, "TagKeys": gone}, nil); err != nil {
			return err
		}
	}
	if len(now) > 0 {
		return c.invoke("lambda", "TagResource", map[string]any{"Resource": arn, "Tags": asMap(now)}, nil)
	}
	return nil
}

func lambdaTypes() map[string]*resourceType {
	return map[string]*resourceType{
		"AWS::Lambda::Function": define(resourceType{replacing: []string{"FunctionName", "PackageType"}, named: "FunctionName", tags: tagList},
			func(c *call, f *function) (string, map[string]any, error) {
				if err := f.unsupported(); err != nil {
					return "", nil, err
				}
				in := fields(f)
				name := c.orGenerated(f.FunctionName, 64)
				code, err := f.code()
				if err != nil {
					return "", nil, err
				}
				in["FunctionName"], in["Code"] = name, code
				if len(f.Tags) > 0 {
					in["Tags"] = asMap(f.Tags)
				}
				var out struct{ FunctionArn string }
				if err := c.invoke("lambda", "CreateFunction", in, &out); err != nil {
					return "", nil, err
				}
				attributes := map[string]any{"Arn": out.FunctionArn}
				if f.ReservedConcurrentExecutions != nil {
					return name, attributes, f.setConcurrency(c, name)
				}
				return name, attributes, nil
			},
			func(c *call, name string, f, old *function) (map[string]any, error) {
				if err := f.unsupported(); err != nil {
					return nil, err
				}
				if f.Code != old.Code || canonical(f.Architectures) != canonical(old.Architectures) {
					in, err := f.code()
					if err != nil {
						return nil, err
					}
					in["FunctionName"] = name
					if len(f.Architectures) > 0 {
						in["Architectures"] = f.Architectures
					}
					if err := c.invoke("lambda", "UpdateFunctionCode", in, nil); err != nil {
						return nil, err
					}
				}
				now, was := fields(f), fields(old)
				for _, m := range []map[string]any{now, was} { // are not parameters of the configuration
					delete(m, "Architectures")
					delete(m, "PackageType")
					delete(m, "CodeSigningConfigArn")
				}
				if canonical(now) != canonical(was) {
					for name, v := range map[string]any{
						"Description": "", "Timeout": 3, "MemorySize": 128, "Environment": map[string]any{"Variables": map[string]string{}},
						"DeadLetterConfig": map[string]any{"TargetArn": ""}, "TracingConfig": map[string]any{"Mode": "PassThrough"}, "KMSKeyArn": "",
					} {
						if _, had := was[name]; had && now[name] == nil {
							now[name] = v // back to the default
						}
					}
					now["FunctionName"] = name
					if err := c.invoke("lambda", "UpdateFunctionConfiguration", now, nil); err != nil {
						return nil, err
					}
				}
				if canonical(f.ReservedConcurrentExecutions) != canonical(old.ReservedConcurrentExecutions) {
					if err := f.setConcurrency(c, name); err != nil {
						return nil, err
					}
				}
				return nil, retagLambda(c, c.arn("lambda", "function:"+name), f.Tags, old.Tags)
			},
			func(c *call, name string, _ *function) error {
				return c.invoke("lambda", "DeleteFunction", map[string]any{"FunctionName": name}, nil)
			}),
		"AWS::Lambda::Version": define(resourceType{replacing: []string{"FunctionName", "CodeSha256", "Description", "ProvisionedConcurrencyConfig", "RuntimePolicy"}},
			func(c *call, v *functionVersion) (string, map[string]any, error) {
				if v.ProvisionedConcurrencyConfig != nil || v.RuntimePolicy != nil {
					return "", nil, fmt.Errorf("the local cloud does not offer the properties ProvisionedConcurrencyConfig and RuntimePolicy")
				}
				in := map[string]any{"FunctionName": v.FunctionName}
				optional(in, "CodeSha256", v.CodeSha256)
				optional(in, "Description", v.Description)
				var out struct{ FunctionArn, Version string }
				err := c.invoke("lambda", "PublishVersion", in, &out)
				return out.FunctionArn, map[string]any{"FunctionArn": out.FunctionArn, "Version": out.Version}, err
			}, nil,
			func(c *call, arn string, _ *functionVersion) error {
				return c.invoke("lambda", "DeleteFunction", map[string]any{"FunctionName": arn[:strings.LastIndex(arn, ":")], "Qualifier": lastPart(arn, ":")}, nil)
			}),
		"AWS::Lambda::Alias": define(resourceType{replacing: []string{"FunctionName", "Name"}, named: "Name"},
			func(c *call, a *functionAlias) (string, map[string]any, error) {
				if a.ProvisionedConcurrencyConfig != nil {
					return "", nil, fmt.Errorf("the local cloud does not offer the property ProvisionedConcurrencyConfig")
				}
				var out struct{ AliasArn string }
				err := c.invoke("lambda", "CreateAlias", a.parameters(), &out)
				return out.AliasArn, map[string]any{"AliasArn": out.AliasArn}, err
			},
			func(c *call, _ string, a, _ *functionAlias) (map[string]any, error) {
				if a.ProvisionedConcurrencyConfig != nil {
					return nil, fmt.Errorf("the local cloud does not offer the property ProvisionedConcurrencyConfig")
				}
				return nil, c.invoke("lambda", "UpdateAlias", a.parameters(), nil)
			},
			func(c *call, _ string, a *functionAlias) error {
				return c.invoke("lambda", "DeleteAlias", map[string]any{"FunctionName": a.FunctionName, "Name": a.Name}, nil)
			}),
		"AWS::Lambda::Permission": define(resourceType{replacing: []string{"Action", "EventSourceToken", "FunctionName", "FunctionUrlAuthType", "InvokedViaFunctionUrl", "Principal", "PrincipalOrgID", "SourceAccount", "SourceArn"}},
			func(c *call, p *permission) (string, map[string]any, error) {
				in := fields(p)
				id := c.generated(100)
				in["StatementId"] = id
				return made(id, map[string]any{"Id": id}, c.invoke("lambda", "AddPermission", in, nil))
			}, nil,
			func(c *call, id string, p *permission) error {
				return c.invoke("lambda", "RemovePermission", map[string]any{"FunctionName": p.FunctionName, "StatementId": id}, nil)
			}),
		"AWS::Lambda::EventSourceMapping": define(resourceType{replacing: []string{"EventSourceArn", "SelfManagedEventSource", "StartingPosition", "StartingPositionTimestamp", "AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig"}, tags: tagList},
			func(c *call, m *eventSourceMapping) (string, map[string]any, error) {
				in := fields(m)
				if len(m.Tags) > 0 {
					in["Tags"] = asMap(m.Tags)
				}
				var out struct{ UUID, EventSourceMappingArn string }
				err := c.invoke("lambda", "CreateEventSourceMapping", in, &out)
				return out.UUID, map[string]any{"Id": out.UUID, "EventSourceMappingArn": out.EventSourceMappingArn}, err
			},
			func(c *call, id string, m, old *eventSourceMapping) (map[string]any, error) {
				in, was := fields(m), fields(old)
				delete(in, "EventSourceArn")
				for name, v := range map[string]any{
					"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "Enabled": true, "FunctionResponseTypes": []string{},
					"FilterCriteria": map[string]any{}, "ScalingConfig": map[string]any{},
				} {
					if _, had := was[name]; had && in[name] == nil {
						in[name] = v // back to the default
					}
				}
				in["UUID"] = id
				if err := c.invoke("lambda", "UpdateEventSourceMapping", in, nil); err != nil {
					return nil, err
				}
				return nil, retagLambda(c, c.arn("lambda", "event-source-mapping:"+id), m.Tags, old.Tags)
			},
			func(c *call, id string, _ *eventSourceMapping) error {
				return c.invoke("lambda", "DeleteEventSourceMapping", map[string]any{"UUID": id}, nil)
			}),
		"AWS::Lambda::EventInvokeConfig": define(resourceType{replacing: []string{"FunctionName", "Qualifier"}},
			func(c *call, e *eventInvokeConfig) (string, map[string]any, error) {
				return made(c.generated(100), nil, c.invoke("lambda", "PutFunctionEventInvokeConfig", fields(e), nil))
			},
			func(c *call, _ string, e, _ *eventInvokeConfig) (map[string]any, error) {
				return nil, c.invoke("lambda", "PutFunctionEventInvokeConfig", fields(e), nil)
			},
			func(c *call, _ string, e *eventInvokeConfig) error {
				return c.invoke("lambda", "DeleteFunctionEventInvokeConfig", map[string]any{"FunctionName": e.FunctionName, "Qualifier": e.Qualifier}, nil)
			}),
	}
}
