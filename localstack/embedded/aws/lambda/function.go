package lambda

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// A function is guarded by Service.mu.
type function struct {
	key
	latest    *version
	published []*version // in order of their number
	next      int        // number of the next version
	aliases   map[string]*alias
	reserve   *int                          // of concurrent executions
	running   int                           // concurrent executions, of all versions
	policies  map[string][]statement        // by qualifier, "" without
	asyncs    map[string]*eventInvokeConfig // by qualifier, "$LATEST" without
	tags      map[string]string
}

// A version is a function's code and configuration: $LATEST, which changes, or a published one.
type version struct {
	function *function
	number   string
	settings settings
	code     code
	handler  Handler // of a function in this process; nil: code is run
	modified time.Time
	revision string
	starts   int // of environments so far
	idle     []*instance
	retired  bool // its environments are not kept
}

// settings are what clients set of a version.
type settings struct {
	Description, Handler, Role, Runtime, KMSKeyArn string
	Timeout, MemorySize, EphemeralStorage          int
	Environment                                    map[string]string
	DeadLetter                                     string
	Architectures                                  []string
	LogFormat, LogGroup                            string
}

type alias struct {
	name, version, description, revision string
	weights                              map[string]float64 // of further versions
}

var (
	functionName = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,140}$`)
	roleARN      = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$`)
	variableName = regexp.MustCompile(`^[a-zA-Z]([a-zA-Z0-9_])+$`)
	aliasName    = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,128}$`)
	number       = regexp.MustCompile(`^[0-9]+$`)
)

// reservedVariables cannot be set: "Defined runtime environment variables".
var reservedVariables = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
	"AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

// all returns $LATEST and the published versions.
func (f *function) all() []*version { return append([]*version{f.latest}, f.published...) }

// version returns the version of that number, or nil.
func (f *function) version(number string) *version {
	for _, v := range f.all() {
		if v.number == number {
			return v
		}
	}
	return nil
}

// at returns the version that a qualifier stands for at the moment, or nil.
func (f *function) at(qualifier string) *version {
	a := f.aliases[qualifier]
	if a == nil {
		return f.version(cmp.Or(qualifier, "$LATEST"))
	}
	dice := rand.Float64()
	for _, v := range slices.Sorted(maps.Keys(a.weights)) {
		if dice -= a.weights[v]; dice < 0 {
			return f.version(v)
		}
	}
	return f.version(a.version)
}

// qualified tells whether a qualifier names something of the function.
func (f *function) qualified(qualifier string) bool { return f.at(qualifier) != nil }

func (v *version) arn() string { return v.function.arn() + ":" + v.number }

func (v *version) logGroup() string {
	return cmp.Or(v.settings.LogGroup, "/aws/lambda/"+v.function.name)
}

// changed gives a version a new revision. Environments of before are not used again.
func (s *Service) changed(v *version) {
	v.modified, v.revision = time.Now(), api.UUID()
	for _, i := range v.idle {
		i.end()
	}
	v.idle = nil
	v.starts++ // those in use are of an older generation
}

func (s *Service) retire(v *version) {
	v.retired = true
	s.changed(v)
}

type codeInput struct {
	ImageUri, S3Bucket, S3Key, S3ObjectVersion, SourceKMSKeyArn string
	ZipFile                                                     []byte
}

type environmentInput struct{ Variables map[string]string }

type loggingConfig struct {
	ApplicationLogLevel string `json:",omitempty"`
	LogFormat           string
	LogGroup            string
	SystemLogLevel      string `json:",omitempty"`
}

// functionInput has the parameters of creating a function and of updating its configuration.
type functionInput struct {
	FunctionName string `rest:"path"`         // updating
	Name         string `json:"FunctionName"` // creating

	Architectures    []string
	Code             codeInput
	DeadLetterConfig *struct{ TargetArn string }
	Description      *string
	Environment      *environmentInput
	EphemeralStorage *struct{ Size int }
	Handler          *string
	KMSKeyArn        *string
	LoggingConfig    *loggingConfig
	MemorySize       *int
	PackageType      string
	Publish          bool
	RevisionId       string
	Role             *string
	Runtime          *string
	Tags             map[string]string
	Timeout          *int
	TracingConfig    *struct{ Mode string }
	SnapStart        *struct{ ApplyOn string }
	VpcConfig        *struct{ SubnetIds, SecurityGroupIds []string }

	// Refused by name.
	Layers                                                            []string
	FileSystemConfigs                                                 []struct{ Arn string }
	CodeSigningConfigArn, PublishTo                                   string
	ImageConfig, CapacityProviderConfig, DurableConfig, TenancyConfig any
}

func (in *functionInput) unsupported() error {
	for _, of := range []struct {
		name  string
		given bool
	}{
		{"the package type " + in.PackageType, in.PackageType != "" && in.PackageType != "Zip"},
		{"layers", len(in.Layers) > 0}, {"FileSystemConfigs", len(in.FileSystemConfigs) > 0}, {"CodeSigningConfigArn", in.CodeSigningConfigArn != ""},
		{"ImageConfig", in.ImageConfig != nil}, {"CapacityProviderConfig", in.CapacityProviderConfig != nil}, {"DurableConfig", in.DurableConfig != nil},
		{"TenancyConfig", in.TenancyConfig != nil}, {"PublishTo", in.PublishTo != ""},
		{"SnapStart", in.SnapStart != nil && in.SnapStart.ApplyOn != "None"},
		{"X-Ray: leave the TracingConfig at PassThrough", in.TracingConfig != nil && in.TracingConfig.Mode != "PassThrough"},
		{"VPCs", in.VpcConfig != nil && len(in.VpcConfig.SubnetIds)+len(in.VpcConfig.SecurityGroupIds) > 0},
	} {
		if of.given {
			return notOffered(of.name)
		}
	}
	return nil
}

// apply checks the parameters and returns the settings with them.
func (in *functionInput) apply(set settings) (settings, error) {
	if err := in.unsupported(); err != nil {
		return set, err
	}
	if in.Description != nil {
		if len(*in.Description) > 256 {
			return set, constraint(*in.Description, "description", "Member must have length less than or equal to 256")
		}
		set.Description = *in.Description
	}
	if in.Handler != nil {
		set.Handler = *in.Handler
	}
	if in.KMSKeyArn != nil {
		set.KMSKeyArn = *in.KMSKeyArn
	}
	if in.Role != nil {
		if !roleARN.MatchString(*in.Role) {
			return set, constraint(*in.Role, "role", `Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`)
		}
		set.Role = *in.Role
	}
	if in.Runtime != nil {
		if *in.Runtime != "provided.al2023" && *in.Runtime != "provided.al2" {
			return set, notOffered("the runtime " + *in.Runtime + ": a Go function has provided.al2023")
		}
		set.Runtime = *in.Runtime
	}
	for _, number := range []struct {
		given       *int
		to          *int
		name        string
		least, most int
	}{{in.Timeout, &set.Timeout, "timeout", 1, 900}, {in.MemorySize, &set.MemorySize, "memorySize", 128, 10240}} {
		if number.given == nil {
			continue
		}
		if n := *number.given; n < number.least {
			return set, constraint(n, number.name, fmt.Sprintf("Member must have value greater than or equal to %d", number.least))
		} else if n > number.most {
			return set, constraint(n, number.name, fmt.Sprintf("Member must have value less than or equal to %d", number.most))
		}
		*number.to = *number.given
	}
	if in.EphemeralStorage != nil {
		if n := in.EphemeralStorage.Size; n < 512 || n > 10240 {
			return set, constraint(n, "ephemeralStorage.size", "Member must have value between 512 and 10240")
		}
		set.EphemeralStorage = in.EphemeralStorage.Size
	}
	if in.Environment != nil {
		if err := checkVariables(in.Environment.Variables); err != nil {
			return set, err
		}
		set.Environment = in.Environment.Variables
	}
	if in.DeadLetterConfig != nil {
		arn := in.DeadLetterConfig.TargetArn
		if arn != "" && !strings.HasPrefix(arn, "arn:aws:sqs:") && !strings.HasPrefix(arn, "arn:aws:sns:") {
			return set, invalid("The provided target arn of the dead letter config is not of a queue or a topic: %s", arn)
		}
		set.DeadLetter = arn
	}
	if len(in.Architectures) > 0 {
		if len(in.Architectures) != 1 || in.Architectures[0] != "x86_64" && in.Architectures[0] != "arm64" {
			return set, constraint(in.Architectures, "architectures", "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]]")
		}
		set.Architectures = in.Architectures
	}
	if l := in.LoggingConfig; l != nil {
		if l.LogFormat != "" && l.LogFormat != "Text" && l.LogFormat != "JSON" {
			return set, constraint(l.LogFormat, "loggingConfig.logFormat", "Member must satisfy enum value set: [JSON, Text]")
		}
		if l.ApplicationLogLevel != "" || l.SystemLogLevel != "" && l.SystemLogLevel != "INFO" {
			return set, notOffered("log levels")
		}
		set.LogFormat, set.LogGroup = cmp.Or(l.LogFormat, set.LogFormat), cmp.Or(l.LogGroup, set.LogGroup)
	}
	return set, nil
}

func checkVariables(variables map[string]string) error {
	var reserved []string
	size := 0
	for name, v := range variables {
		if !variableName.MatchString(name) {
			return constraint(name, "environment.variables", "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]")
		}
		if slices.Contains(reservedVariables, name) {
			reserved = append(reserved, name)
		}
		size += len(name) + len(v)
	}
	if len(reserved) > 0 {
		slices.Sort(reserved)
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(reserved, ", "))
	}
	if size > 4096 {
		return invalid("Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: %d bytes", size)
	}
	return nil
}

// configuration is a version as clients see it.
type configuration struct {
	Architectures                                 []string
	CodeSha256                                    string
	CodeSize                                      int
	DeadLetterConfig                              *target `json:",omitempty"`
	Description                                   string
	Environment                                   *environmentInput `json:",omitempty"`
	EphemeralStorage                              struct{ Size int }
	FunctionArn, FunctionName, Handler            string
	KMSKeyArn                                     string `json:",omitempty"`
	LastModified, LastUpdateStatus                string
	LoggingConfig                                 loggingConfig
	MemorySize                                    int
	PackageType, RevisionId, Role, Runtime, State string
	SnapStart                                     struct{ ApplyOn, OptimizationStatus string }
	Timeout                                       int
	TracingConfig                                 struct{ Mode string }
	Version                                       string
}

type target struct{ TargetArn string }

const modifiedLayout = "2006-01-02T15:04:05.000-0700"

// configuration shows v under the ARN that the client used.
func (v *version) configuration(arn string) *configuration {
	set := v.settings
	c := &configuration{
		Architectures: set.Architectures, CodeSha256: v.code.sha256(), CodeSize: len(v.code.zipped), Description: set.Description,
		FunctionArn: arn, FunctionName: v.function.name, Handler: set.Handler, KMSKeyArn: set.KMSKeyArn,
		LastModified: v.modified.UTC().Format(modifiedLayout), LastUpdateStatus: "Successful", MemorySize: set.MemorySize, PackageType: "Zip",
		RevisionId: v.revision, Role: set.Role, Runtime: set.Runtime, State: "Active", Timeout: set.Timeout, Version: v.number,
		LoggingConfig: loggingConfig{LogFormat: set.LogFormat, LogGroup: v.logGroup()},
	}
	c.EphemeralStorage.Size = set.EphemeralStorage
	c.SnapStart.ApplyOn, c.SnapStart.OptimizationStatus = "None", "Off"
	c.TracingConfig.Mode = "PassThrough"
	if set.DeadLetter != "" {
		c.DeadLetterConfig = &target{set.DeadLetter}
	}
	if len(set.Environment) > 0 {
		c.Environment = &environmentInput{set.Environment}
	}
	return c
}

func (s *Service) createFunction(c *api.Call, in *functionInput) (*configuration, error) {
	n, err := parseName(c.Account, c.Region, cmp.Or(in.Name, in.FunctionName), "")
	if err != nil {
		return nil, err
	}
	if len(n.name) > 64 {
		return nil, constraint(n.name, "functionName", "Member must have length less than or equal to 64")
	}
	if in.Role == nil {
		return nil, constraint("null", "role", "Member must not be null")
	}
	if in.Handler == nil || in.Runtime == nil {
		return nil, invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	set, err := in.apply(settings{Timeout: 3, MemorySize: 128, EphemeralStorage: 512, Architectures: []string{"x86_64"}, LogFormat: "Text"})
	if err != nil {
		return nil, err
	}
	if s.PassRole != nil {
		if err := s.PassRole(c, set.Role); err != nil {
			return nil, err
		}
	}
	code, err := s.readCode(c, in.Code)
	if err != nil {
		return nil, err
	}
	return s.add(n.key, set, code, nil, in.Tags, in.Publish)
}

// add adds a function.
func (s *Service) add(k key, set settings, code code, handler Handler, tags map[string]string, publish bool) (*configuration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &api.Error{Code: "ServiceException", Message: "The local cloud is closing.", Status: 500, Receiver: true}
	}
	if s.functions[k] != nil {
		return nil, conflict("Function already exist: %s", k.name)
	}
	f := &function{key: k, next: 1, aliases: map[string]*alias{}, policies: map[string][]statement{}, asyncs: map[string]*eventInvokeConfig{}, tags: map[string]string{}}
	maps.Copy(f.tags, tags)
	f.latest = &version{function: f, number: "$LATEST", settings: set, code: code, handler: handler}
	s.changed(f.latest)
	s.functions[k] = f
	s.prepare(code)
	if publish {
		v := s.publish(f, "")
		return v.configuration(v.arn()), nil
	}
	return f.latest.configuration(f.arn()), nil
}

type functionNameInput struct {
	FunctionName string `rest:"path"`
	Qualifier    string `rest:"query=Qualifier"`
}

type functionOutput struct {
	Configuration *configuration
	Code          struct{ RepositoryType, Location string }
	Tags          map[string]string  `json:",omitempty"`
	Concurrency   *concurrencyOutput `json:",omitempty"`
}

func (s *Service) getFunction(c *api.Call, in *functionNameInput) (*functionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, n, err := s.resolve(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	out := &functionOutput{Configuration: v.configuration(n.arn()), Tags: maps.Clone(v.function.tags)}
	out.Code.RepositoryType = "S3"
	out.Code.Location = c.Endpoint + CodePath + strings.Join([]string{n.account, n.region, n.name, v.number}, "/")
	if v.function.reserve != nil {
		out.Concurrency = &concurrencyOutput{v.function.reserve}
	}
	return out, nil
}

func (s *Service) getFunctionConfiguration(c *api.Call, in *functionNameInput) (*configuration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, n, err := s.resolve(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return v.configuration(n.arn()), nil
}

type listInput struct {
	FunctionName string `rest:"path"`
	Version      string `rest:"query=FunctionVersion"`
	Marker       string `rest:"query=Marker"`
	MaxItems     *int   `rest:"query=MaxItems"`
	MasterRegion string `rest:"query=MasterRegion"`
}

// paged returns the page that a marker stands for.
func paged[T any](all []T, marker string, most *int, fallback int) (page []T, next string, err error) {
	from, n := 0, fallback
	if marker != "" {
		if from, err = strconv.Atoi(marker); err != nil || from < 0 || from > len(all) {
			return nil, "", invalid("Invalid Marker.")
		}
	}
	if most != nil {
		if n = *most; n < 1 || n > 10_000 {
			return nil, "", constraint(n, "maxItems", "Member must have value between 1 and 10000")
		}
	}
	to := min(len(all), from+n)
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return append([]T{}, all[from:to]...), next, nil
}

type functionsOutput struct {
	Functions  []*configuration
	NextMarker string `json:",omitempty"`
}

func (s *Service) listFunctions(c *api.Call, in *listInput) (*functionsOutput, error) {
	if in.Version != "" && in.Version != "ALL" {
		return nil, constraint(in.Version, "functionVersion", "Member must satisfy enum value set: [ALL]")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*configuration
	for _, f := range s.sorted(c.Account, c.Region) {
		if in.Version == "" {
			all = append(all, f.latest.configuration(f.arn()))
			continue
		}
		for _, v := range f.all() {
			all = append(all, v.configuration(v.arn()))
		}
	}
	page, next, err := paged(all, in.Marker, in.MaxItems, 50)
	return &functionsOutput{page, next}, err
}

func (s *Service) deleteFunction(c *api.Call, in *functionNameInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, n, err := s.find(c, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if n.qualifier == "" {
		for _, v := range f.all() {
			s.retire(v)
		}
		delete(s.functions, f.key)
		return &struct{}{}, nil
	}
	if n.qualifier == "$LATEST" {
		return nil, invalid("$LATEST version cannot be deleted without deleting the function.")
	}
	for _, a := range f.aliases {
		if _, weighted := a.weights[n.qualifier]; weighted || a.version == n.qualifier {
			return nil, conflict("Version %s is being used by alias %s.", n.qualifier, a.name)
		}
	}
	if v := f.version(n.qualifier); v != nil { // no error if it is not there
		s.retire(v)
		f.published = slices.DeleteFunc(f.published, func(x *version) bool { return x == v })
	}
	return &struct{}{}, nil
}

type updateCodeInput struct {
	FunctionName                                                            string `rest:"path"`
	Architectures                                                           []string
	DryRun, Publish                                                         bool
	ImageUri, RevisionId, S3Bucket, S3Key, S3ObjectVersion, SourceKMSKeyArn string
	PublishTo                                                               string
	ZipFile                                                                 []byte
}

// precondition checks a revision that a client insists on.
func precondition(want, have string) error {
	if want != "" && want != have {
		return &api.Error{Code: "PreconditionFailedException", Status: 412,
			Message: "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"}
	}
	return nil
}

func (s *Service) updateFunctionCode(c *api.Call, in *updateCodeInput) (*configuration, error) {
	set, err := (&functionInput{Architectures: in.Architectures, PublishTo: in.PublishTo}).apply(settings{})
	if err != nil {
		return nil, err
	}
	code, err := s.readCode(c, codeInput{in.ImageUri, in.S3Bucket, in.S3Key, in.S3ObjectVersion, in.SourceKMSKeyArn, in.ZipFile})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(c, in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if err := precondition(in.RevisionId, f.latest.revision); err != nil {
		return nil, err
	}
	next := *f.latest
	next.code, next.handler = code, nil
	if set.Architectures != nil {
		next.settings.Architectures = set.Architectures
	}
	if in.DryRun {
		return next.configuration(f.arn()), nil
	}
	*f.latest = next
	s.changed(f.latest)
	s.prepare(code)
	if in.Publish {
		v := s.publish(f, "")
		return v.configuration(v.arn()), nil
	}
	return f.latest.configuration(f.arn()), nil
}

func (s *Service) updateFunctionConfiguration(c *api.Call, in *functionInput) (*configuration, error) {
	if s.PassRole != nil && in.Role != nil {
		if err := s.PassRole(c, *in.Role); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(c, cmp.Or(in.FunctionName, in.Name), "")
	if err != nil {
		return nil, err
	}
	if err := precondition(in.RevisionId, f.latest.revision); err != nil {
		return nil, err
	}
	set, err := in.apply(f.latest.settings)
	if err != nil {
		return nil, err
	}
	f.latest.settings = set
	s.changed(f.latest)
	return f.latest.configuration(f.arn()), nil
}

type publishVersionInput struct {
	FunctionName                        string `rest:"path"`
	CodeSha256, Description, RevisionId string
	PublishTo                           string
}

// publish makes $LATEST the next version, or returns the last one if nothing has changed since. The caller holds mu.
func (s *Service) publish(f *function, description string) *version {
	if n := len(f.published); n > 0 {
		last := f.published[n-1]
		a, b := last.settings, f.latest.settings
		a.Description, b.Description = "", ""
		if fmt.Sprint(a) == fmt.Sprint(b) && last.code.sha256() == f.latest.code.sha256() {
			return last
		}
	}
	v := &version{function: f, number: strconv.Itoa(f.next), settings: f.latest.settings, code: f.latest.code, handler: f.latest.handler}
	f.next++
	if description != "" {
		v.settings.Description = description
	}
	s.changed(v)
	f.published = append(f.published, v)
	return v
}

func (s *Service) publishVersion(c *api.Call, in *publishVersionInput) (*configuration, error) {
	if in.PublishTo != "" {
		return nil, notOffered("PublishTo")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(c, in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if err := precondition(in.RevisionId, f.latest.revision); err != nil {
		return nil, err
	}
	if have := f.latest.code.sha256(); in.CodeSha256 != "" && in.CodeSha256 != have {
		return nil, invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", in.CodeSha256, have)
	}
	v := s.publish(f, in.Description)
	return v.configuration(v.arn()), nil
}

type versionsOutput struct {
	Versions   []*configuration
	NextMarker string `json:",omitempty"`
}

func (s *Service) listVersionsByFunction(c *api.Call, in *listInput) (*versionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(c, in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	var all []*configuration
	for _, v := range f.all() {
		all = append(all, v.configuration(v.arn()))
	}
	page, next, err := paged(all, in.Marker, in.MaxItems, 50)
	return &versionsOutput{page, next}, err
}

type aliasInput struct {
	FunctionName    string `rest:"path"`
	Path            string `rest:"path=Name" json:"-"`
	Name            string
	FunctionVersion string
	Description     *string
	RevisionId      string
	RoutingConfig   *struct{ AdditionalVersionWeights map[string]float64 }
}

type routing struct{ AdditionalVersionWeights map[string]float64 }

type aliasOutput struct {
	AliasArn, Name, FunctionVersion, Description, RevisionId string
	RoutingConfig                                            *routing `json:",omitempty"`
}

func (f *function) show(a *alias) *aliasOutput {
	out := &aliasOutput{f.arn() + ":" + a.name, a.name, a.version, a.description, a.revision, nil}
	if len(a.weights) > 0 {
		out.RoutingConfig = &routing{a.weights}
	}
	return out
}

// set changes an alias as the parameters say.
func (f *function) set(a alias, in *aliasInput) (*alias, error) {
	if in.FunctionVersion != "" {
		if f.version(in.FunctionVersion) == nil {
			return nil, notFound("Function not found: %s:%s", f.arn(), in.FunctionVersion)
		}
		a.version = in.FunctionVersion
	}
	if in.Description != nil {
		a.description = *in.Description
	}
	if in.RoutingConfig != nil {
		a.weights = in.RoutingConfig.AdditionalVersionWeights
		if len(a.weights) > 1 {
			return nil, invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
		}
		for v, weight := range a.weights {
			switch {
			case v == "$LATEST" || a.version == "$LATEST":
				return nil, invalid("$LATEST is not supported for an alias pointing to more than 1 version")
			case f.version(v) == nil:
				return nil, notFound("Function not found: %s:%s", f.arn(), v)
			case v == a.version:
				return nil, invalid("Invalid function version %s. Function version %s is already included in routing configuration.", v, v)
			case weight < 0 || weight > 1:
				return nil, constraint(weight, "routingConfig.additionalVersionWeights", "Map value must satisfy constraint: [Member must have value between 0 and 1]")
			}
		}
	}
	a.revision = api.UUID()
	return &a, nil
}

func (s *Service) createAlias(c *api.Call, in *aliasInput) (*aliasOutput, error) {
	if !aliasName.MatchString(in.Name) || number.MatchString(in.Name) {
		return nil, constraint(in.Name, "name", "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(c, in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if f.aliases[in.Name] != nil {
		return nil, conflict("Alias already exists: %s:%s", f.arn(), in.Name)
	}
	if in.FunctionVersion == "" {
		return nil, constraint("null", "functionVersion", "Member must not be null")
	}
	a, err := f.set(alias{name: in.Name}, in)
	if err != nil {
		return nil, err
	}
	f.aliases[a.name] = a
	return f.show(a), nil
}

// alias finds the alias that a call names. The caller holds mu.
func (s *Service) alias(c *api.Call, functionName, name string) (*function, *alias, error) {
	f, _, err := s.find(c, functionName, "")
	if err != nil {
		return nil, nil, err
	}
	a := f.aliases[name]
	if a == nil {
		return f, nil, notFound("Cannot find alias arn: %s:%s", f.arn(), name)
	}
	return f, a, nil
}

func (s *Service) updateAlias(c *api.Call, in *aliasInput) (*aliasOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, a, err := s.alias(c, in.FunctionName, cmp.Or(in.Path, in.Name))
	if err != nil {
		return nil, err
	}
	if err := precondition(in.RevisionId, a.revision); err != nil {
		return nil, err
	}
	if a, err = f.set(*a, in); err != nil {
		return nil, err
	}
	f.aliases[a.name] = a
	return f.show(a), nil
}

type aliasNameInput struct {
	FunctionName string `rest:"path"`
	Name         string `rest:"path"`
}

func (s *Service) getAlias(c *api.Call, in *aliasNameInput) (*aliasOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, a, err := s.alias(c, in.FunctionName, in.Name)
	if err != nil {
		return nil, err
	}
	return f.show(a), nil
}

func (s *Service) deleteAlias(c *api.Call, in *aliasNameInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(c, in.FunctionName, "")
	if err == nil {
		delete(f.aliases, in.Name) // no error if it is not there
	}
	return &struct{}{}, err
}

type aliasesOutput struct {
	Aliases    []*aliasOutput
	NextMarker string `json:",omitempty"`
}

func (s *Service) listAliases(c *api.Call, in *listInput) (*aliasesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _, err := s.find(c, in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	var all []*aliasOutput
	for _, name := range slices.Sorted(maps.Keys(f.aliases)) {
		if a := f.aliases[name]; in.Version == "" || a.version == in.Version {
			all = append(all, f.show(a))
		}
	}
	page, next, err := paged(all, in.Marker, in.MaxItems, 50)
	return &aliasesOutput{page, next}, err
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(h[:])
}
