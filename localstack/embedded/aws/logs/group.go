package logs

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Rules of log groups.
const (
	maxName       = 512
	describeLimit = 50
	classStandard = "STANDARD"
	classRare     = "INFREQUENT_ACCESS" // neither metric filters nor embedded metrics
	classDelivery = "DELIVERY"
)

var (
	groupName       = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)
	streamName      = regexp.MustCompile(`^[^:*]{1,512}$`)
	retentionValues = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653} // days
)

type group struct {
	place
	name, class, key string
	created          time.Time
	retention        int // days; 0: for ever
	protected        bool
	tags             map[string]string
	streams          map[string]*stream
	filters          map[string]*metricFilter
	gone             bool
}

func (g *group) stop() {
	for _, f := range g.filters {
		f.stop()
	}
}

// expires is the time before which events are gone, in milliseconds since 1970.
func (g *group) expires(now time.Time) int64 {
	if g.retention == 0 {
		return 0
	}
	return now.AddDate(0, 0, -g.retention).UnixMilli()
}

func (g *group) bytes(now time.Time) (n int64) {
	for _, t := range g.streams {
		t.expire(g.expires(now))
		n += t.bytes
	}
	return n
}

func checkGroupName(name string) error {
	switch {
	case len(name) > maxName:
		return broken(name, "logGroupName", "Member must have length less than or equal to 512")
	case !groupName.MatchString(name):
		return broken(name, "logGroupName", `Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`)
	}
	return nil
}

func checkStreamName(name string) error {
	switch {
	case name == "":
		return broken("null", "logStreamName", "Member must not be null")
	case len(name) > maxName:
		return broken(name, "logStreamName", "Member must have length less than or equal to 512")
	case !streamName.MatchString(name):
		return broken(name, "logStreamName", "Member must satisfy regular expression pattern: [^:*]*")
	}
	return nil
}

type createLogGroupInput struct {
	LogGroupName, LogGroupClass, KmsKeyId string
	Tags                                  map[string]string
	DeletionProtectionEnabled             bool
}

func (s *Service) createLogGroup(c *api.Call, in *createLogGroupInput) (*struct{}, error) {
	if in.LogGroupName == "" {
		return nil, broken("null", "logGroupName", "Member must not be null")
	}
	if err := checkGroupName(in.LogGroupName); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(in.LogGroupName, "aws/"):
		return nil, invalid("Log groups starting with AWS/ are reserved for AWS.")
	case in.LogGroupClass == classDelivery:
		return nil, notOfferedHere("The log group class DELIVERY")
	case in.LogGroupClass != "" && in.LogGroupClass != classStandard && in.LogGroupClass != classRare:
		return nil, broken(in.LogGroupClass, "logGroupClass", "Member must satisfy enum value set: [DELIVERY, INFREQUENT_ACCESS, STANDARD]")
	}
	if err := checkTags(nil, in.Tags); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[placeOf(c)][in.LogGroupName] != nil {
		return nil, exists("log group")
	}
	g := s.newGroup(placeOf(c), in.LogGroupName)
	g.key, g.protected = in.KmsKeyId, in.DeletionProtectionEnabled
	maps.Copy(g.tags, in.Tags)
	if in.LogGroupClass != "" {
		g.class = in.LogGroupClass
	}
	return &struct{}{}, nil
}

// newGroup adds a group. The caller holds mu.
func (s *Service) newGroup(p place, name string) *group {
	if s.groups[p] == nil {
		s.groups[p] = map[string]*group{}
	}
	g := &group{place: p, name: name, class: classStandard, created: time.Now(), tags: map[string]string{}, streams: map[string]*stream{}, filters: map[string]*metricFilter{}}
	s.groups[p][name] = g
	return g
}

type groupInput struct{ LogGroupName string }

func (s *Service) deleteLogGroup(c *api.Call, in *groupInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.named(c, in.LogGroupName, "")
	if err != nil {
		return nil, err
	}
	if g.protected {
		return nil, invalid("The log group %s cannot be deleted while its deletion protection is enabled.", g.name)
	}
	g.gone = true
	g.stop()
	delete(s.groups[g.place], g.name)
	return &struct{}{}, nil
}

type protectionInput struct {
	LogGroupIdentifier        string
	DeletionProtectionEnabled bool
}

func (s *Service) putLogGroupDeletionProtection(c *api.Call, in *protectionInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.named(c, "", in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	g.protected = in.DeletionProtectionEnabled
	return &struct{}{}, nil
}

type describeLogGroupsInput struct {
	LogGroupNamePrefix, LogGroupNamePattern, LogGroupClass, NextToken string
	LogGroupIdentifiers, AccountIdentifiers                           []string
	IncludeLinkedAccounts                                             bool
	Limit                                                             *int
}

type describedGroup struct {
	Arn                       string `json:"arn"`
	CreationTime              int64  `json:"creationTime"`
	LogGroupName              string `json:"logGroupName"`
	LogGroupArn               string `json:"logGroupArn,omitempty"`
	LogGroupClass             string `json:"logGroupClass,omitempty"`
	KmsKeyId                  string `json:"kmsKeyId,omitempty"`
	RetentionInDays           int    `json:"retentionInDays,omitempty"`
	MetricFilterCount         int    `json:"metricFilterCount"`
	StoredBytes               int64  `json:"storedBytes"`
	DeletionProtectionEnabled bool   `json:"deletionProtectionEnabled,omitempty"`
}

type describeLogGroupsOutput struct {
	LogGroups []describedGroup `json:"logGroups"`
	NextToken string           `json:"nextToken,omitempty"`
}

func (s *Service) describeLogGroups(c *api.Call, in *describeLogGroupsInput) (*describeLogGroupsOutput, error) {
	most, err := limit(in.Limit, describeLimit, describeLimit)
	switch {
	case err != nil:
		return nil, err
	case in.LogGroupNamePrefix != "" && in.LogGroupNamePattern != "":
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	case in.IncludeLinkedAccounts || len(in.AccountIdentifiers) > 0:
		return nil, notOfferedHere("IncludeLinkedAccounts")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := s.groups[placeOf(c)]
	now := time.Now()
	all := []describedGroup{}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		g := groups[name]
		arn := groupARN(g.place, name)
		if !strings.HasPrefix(name, in.LogGroupNamePrefix) || !strings.Contains(name, in.LogGroupNamePattern) ||
			in.LogGroupClass != "" && in.LogGroupClass != g.class ||
			len(in.LogGroupIdentifiers) > 0 && !slices.Contains(in.LogGroupIdentifiers, name) && !slices.Contains(in.LogGroupIdentifiers, arn) {
			continue
		}
		all = append(all, describedGroup{
			Arn: arn + ":*", LogGroupArn: arn, LogGroupName: name, LogGroupClass: g.class, KmsKeyId: g.key, RetentionInDays: g.retention,
			CreationTime: g.created.UnixMilli(), MetricFilterCount: len(g.filters), StoredBytes: g.bytes(now), DeletionProtectionEnabled: g.protected,
		})
	}
	page, next, err := paged(all, in.NextToken, most)
	if err != nil {
		return nil, err
	}
	return &describeLogGroupsOutput{page, next}, nil
}

type retentionInput struct {
	LogGroupName    string
	RetentionInDays *int
}

func (s *Service) putRetentionPolicy(c *api.Call, in *retentionInput) (*struct{}, error) {
	if in.RetentionInDays == nil {
		return nil, broken("null", "retentionInDays", "Member must not be null")
	}
	if !slices.Contains(retentionValues, *in.RetentionInDays) {
		return nil, broken(strconv.Itoa(*in.RetentionInDays), "retentionInDays", fmt.Sprintf("Member must satisfy enum value set: %v", retentionValues))
	}
	return s.setRetention(c, in.LogGroupName, *in.RetentionInDays)
}

func (s *Service) deleteRetentionPolicy(c *api.Call, in *groupInput) (*struct{}, error) {
	return s.setRetention(c, in.LogGroupName, 0)
}

func (s *Service) setRetention(c *api.Call, name string, days int) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.named(c, name, "")
	if err != nil {
		return nil, err
	}
	g.bytes(time.Now()) // what has expired by the old policy does not come back
	g.retention = days
	return &struct{}{}, nil
}

type streamInput struct{ LogGroupName, LogStreamName string }

func (s *Service) createLogStream(c *api.Call, in *streamInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.named(c, in.LogGroupName, "")
	if err != nil {
		return nil, err
	}
	if err := checkStreamName(in.LogStreamName); err != nil {
		return nil, err
	}
	if g.streams[in.LogStreamName] != nil {
		return nil, exists("log stream")
	}
	g.streams[in.LogStreamName] = &stream{name: in.LogStreamName, created: time.Now()}
	return &struct{}{}, nil
}

func (s *Service) deleteLogStream(c *api.Call, in *streamInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.named(c, in.LogGroupName, "")
	if err != nil {
		return nil, err
	}
	if _, err := g.stream(in.LogStreamName); err != nil {
		return nil, err
	}
	delete(g.streams, in.LogStreamName)
	return &struct{}{}, nil
}

func (g *group) stream(name string) (*stream, error) {
	if err := checkStreamName(name); err != nil {
		return nil, err
	}
	t := g.streams[name]
	if t == nil {
		return nil, notFound("log stream")
	}
	return t, nil
}

type describeLogStreamsInput struct {
	LogGroupName, LogGroupIdentifier, LogStreamNamePrefix, OrderBy, NextToken string
	Descending                                                                bool
	Limit                                                                     *int
}

type describedStream struct {
	Arn                 string `json:"arn"`
	CreationTime        int64  `json:"creationTime"`
	LogStreamName       string `json:"logStreamName"`
	FirstEventTimestamp *int64 `json:"firstEventTimestamp,omitempty"`
	LastEventTimestamp  *int64 `json:"lastEventTimestamp,omitempty"`
	LastIngestionTime   *int64 `json:"lastIngestionTime,omitempty"`
	UploadSequenceToken string `json:"uploadSequenceToken"`
	StoredBytes         int64  `json:"storedBytes"` // always 0 since 2019
}

type describeLogStreamsOutput struct {
	LogStreams []describedStream `json:"logStreams"`
	NextToken  string            `json:"nextToken,omitempty"`
}

func (s *Service) describeLogStreams(c *api.Call, in *describeLogStreamsInput) (*describeLogStreamsOutput, error) {
	most, err := limit(in.Limit, describeLimit, describeLimit)
	switch {
	case err != nil:
		return nil, err
	case in.OrderBy != "" && in.OrderBy != "LogStreamName" && in.OrderBy != "LastEventTime":
		return nil, broken(in.OrderBy, "orderBy", "Member must satisfy enum value set: [LastEventTime, LogStreamName]")
	case in.OrderBy == "LastEventTime" && in.LogStreamNamePrefix != "":
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.named(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	g.bytes(time.Now())
	streams := []*stream{}
	for _, name := range slices.Sorted(maps.Keys(g.streams)) {
		if strings.HasPrefix(name, in.LogStreamNamePrefix) {
			streams = append(streams, g.streams[name])
		}
	}
	if in.OrderBy == "LastEventTime" {
		slices.SortStableFunc(streams, func(x, y *stream) int { return int(min(max(x.last-y.last, -1), 1)) })
	}
	if in.Descending {
		slices.Reverse(streams)
	}
	streams, next, err := paged(streams, in.NextToken, most)
	if err != nil {
		return nil, err
	}
	out := &describeLogStreamsOutput{LogStreams: []describedStream{}, NextToken: next}
	for _, t := range streams {
		d := describedStream{
			Arn: groupARN(g.place, g.name) + ":log-stream:" + t.name, CreationTime: t.created.UnixMilli(), LogStreamName: t.name,
			UploadSequenceToken: fmt.Sprintf("%056d", t.last),
		}
		if t.ingested != 0 {
			d.LastEventTimestamp, d.LastIngestionTime = &t.last, &t.ingested
			if len(t.events) > 0 {
				d.FirstEventTimestamp = &t.events[0].at
			}
		}
		out.LogStreams = append(out.LogStreams, d)
	}
	return out, nil
}

// limit is how many elements an answer has: as many as asked for, from 1 to most.
func limit(asked *int, fallback, most int) (int, error) {
	if asked == nil {
		return fallback, nil
	}
	if *asked < 1 {
		return 0, broken(strconv.Itoa(*asked), "limit", "Member must have value greater than or equal to 1")
	}
	if *asked > most {
		return 0, broken(strconv.Itoa(*asked), "limit", fmt.Sprintf("Member must have value less than or equal to %d", most))
	}
	return *asked, nil
}

// paged returns up to most elements from where the token says, and the token of the rest.
func paged[T any](all []T, token string, most int) ([]T, string, error) {
	skip := 0
	if token != "" {
		text, err := base64.RawURLEncoding.DecodeString(token)
		if err == nil {
			skip, err = strconv.Atoi(string(text))
		}
		if err != nil || skip < 0 {
			return nil, "", invalid("The specified nextToken is invalid.")
		}
	}
	rest := all[min(skip, len(all)):]
	if len(rest) <= most {
		return rest, "", nil
	}
	return rest[:most], base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(skip + most))), nil
}
