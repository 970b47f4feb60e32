package cloudwatch

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// checkAction refuses an action that would never run.
func (s *Service) checkAction(c *api.Call, arn string) error {
	parts := strings.Split(arn, ":")
	switch {
	case len(parts) < 6 || parts[0] != "arn":
		return validation("Invalid arn syntax: %s", arn)
	case parts[2] != "sns" && parts[2] != "lambda", parts[2] == "sns" && s.notify == nil, parts[2] == "lambda" && s.invoke == nil:
		return notOfferedHere("The alarm action " + arn)
	case parts[3] != c.Region:
		return validation("Invalid region %s specified. Only %s is supported.", parts[3], c.Region)
	}
	return nil
}

// transition gives an alarm a state, and lets follow what follows from a change: history, actions, composite alarms. The caller
// holds mu.
func (s *Service) transition(a *alarm, now time.Time, state, reason, data string) {
	old := alarmMoment{a.state, a.reason, a.reasonData, a.updated}
	a.state, a.reason, a.reasonData, a.updated = state, reason, data, now
	if state == old.value {
		return
	}
	a.transitioned = now
	s.record(a, now, "StateUpdate", fmt.Sprintf("Alarm updated from %s to %s", old.value, state), map[string]any{
		"oldState": old.history(), "newState": alarmMoment{state, reason, data, now}.history(),
	})
	if a.actionsEnabled && len(a.actions[state]) > 0 {
		actions := append([]string{}, a.actions[state]...)
		message, event := a.message(old), a.event(old)
		subject := fmt.Sprintf("%s: \"%s\" in %s", state, a.name, regionName(a.region))
		s.start(func() {
			for _, arn := range actions {
				s.act(a, now, arn, subject, message, event)
			}
		})
	}
	s.evaluateComposites(a.place, now, a)
}

// act runs one action and records how it went.
func (s *Service) act(a *alarm, changed time.Time, arn, subject string, message, event []byte) {
	published := string(message)
	var err error
	if strings.Contains(arn, ":lambda:") {
		published = string(event)
		err = s.invoke(s.ctx, arn, event)
	} else {
		err = s.notify(s.ctx, arn, subject, published)
	}
	data := map[string]any{"actionState": "Succeeded", "notificationResource": arn, "stateUpdateTimestamp": changed.UnixMilli(), "publishedMessage": published}
	summary := "Successfully executed action " + arn
	if err != nil {
		data["actionState"], data["error"] = "Failed", err.Error()
		summary = "Failed to execute action " + arn + ". Received error: \"" + err.Error() + "\""
		s.log.Warn("an alarm's action failed", "service", "cloudwatch", "alarm", a.arn, "action", arn, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(a, time.Now(), "Action", summary, data)
}

// alarmMoment is a state that an alarm has or had.
type alarmMoment struct {
	value, reason, data string
	at                  time.Time
}

func (m alarmMoment) history() map[string]any {
	h := map[string]any{"stateValue": m.value, "stateReason": m.reason}
	if m.data != "" {
		h["stateReasonData"] = json.RawMessage(m.data)
	}
	return h
}

// The message of an alarm, as a subscriber of its topic gets it.
// Source: messages of the service in public repositories, 2017 to 2025 (checked 2026-12-01).

type alarmMessage struct {
	AlarmName                          string
	AlarmDescription                   *string
	AWSAccountId                       string
	AlarmConfigurationUpdatedTimestamp string
	NewStateValue, NewStateReason      string
	StateChangeTime                    string
	Region, AlarmArn, OldStateValue    string
	OKActions, AlarmActions            []string
	InsufficientDataActions            []string
	Trigger                            *trigger          `json:",omitempty"`
	AlarmRule                          string            `json:",omitempty"`
	TriggeringChildren                 []triggeringChild `json:",omitempty"`
}

type trigger struct {
	MetricName        string             `json:",omitempty"`
	Namespace         string             `json:",omitempty"`
	StatisticType     string             `json:",omitempty"`
	Statistic         string             `json:",omitempty"`
	ExtendedStatistic string             `json:",omitempty"`
	Unit              json.RawMessage    `json:",omitempty"` // null if the alarm has none
	Dimensions        []triggerDimension `json:",omitzero"`
	Period            int64
	EvaluationPeriods int
	DatapointsToAlarm *int `json:",omitempty"`

	ComparisonOperator               string
	Threshold                        decimal
	TreatMissingData                 string
	EvaluateLowSampleCountPercentile string
	Metrics                          []triggerQuery `json:",omitempty"`
}

type triggerDimension struct {
	Value string `json:"value"`
	Name  string `json:"name"`
}

type triggerQuery struct {
	Id         string
	Expression string       `json:",omitempty"`
	Label      string       `json:",omitempty"`
	MetricStat *triggerStat `json:",omitempty"`
	ReturnData bool
}

type triggerStat struct {
	Metric struct {
		Dimensions            []triggerDimension
		MetricName, Namespace string
	}
	Period int64
	Stat   string
	Unit   string `json:",omitempty"`
}

type triggeringChild struct {
	Arn   string
	State struct{ Value, Timestamp string }
}

// statisticNames are the names of statistics in messages.
var statisticNames = map[string]string{"SampleCount": "SAMPLE_COUNT", "Average": "AVERAGE", "Sum": "SUM", "Minimum": "MINIMUM", "Maximum": "MAXIMUM"}

func triggerDimensions(dimensions []Dimension) []triggerDimension {
	out := []triggerDimension{}
	for _, d := range dimensions {
		out = append(out, triggerDimension{d.Value, d.Name})
	}
	return out
}

func (a *alarm) message(old alarmMoment) []byte {
	m := alarmMessage{
		AlarmName: a.name, AlarmDescription: a.description, AWSAccountId: a.account, AlarmConfigurationUpdatedTimestamp: stamp(a.configured),
		NewStateValue: a.state, NewStateReason: a.reason, StateChangeTime: stamp(a.transitioned), Region: regionName(a.region), AlarmArn: a.arn,
		OldStateValue: old.value, OKActions: list(a.actions[stateOK]), AlarmActions: list(a.actions[stateAlarm]),
		InsufficientDataActions: list(a.actions[stateInsufficient]),
	}
	if a.rule != nil {
		m.AlarmRule = a.rule.text
		var data struct{ TriggeringAlarms []triggeringAlarm }
		if json.Unmarshal([]byte(a.reasonData), &data) == nil {
			for _, t := range data.TriggeringAlarms {
				child := triggeringChild{Arn: t.ARN}
				child.State.Value, child.State.Timestamp = t.State.Value, t.State.Timestamp
				m.TriggeringChildren = append(m.TriggeringChildren, child)
			}
		}
	} else {
		m.Trigger = a.metric.trigger()
	}
	return marshal(m)
}

func (m *metricAlarm) trigger() *trigger {
	in := m.input
	t := &trigger{
		Period: m.period, EvaluationPeriods: m.n, DatapointsToAlarm: in.DatapointsToAlarm, ComparisonOperator: in.ComparisonOperator,
		Threshold: decimal(*in.Threshold), TreatMissingData: in.TreatMissingData, EvaluateLowSampleCountPercentile: in.EvaluateLowSampleCountPercentile,
	}
	if t.TreatMissingData == "" {
		t.TreatMissingData = "missing"
	}
	if len(in.Metrics) == 0 {
		t.MetricName, t.Namespace, t.Dimensions = in.MetricName, in.Namespace, triggerDimensions(in.Dimensions)
		t.Unit = json.RawMessage("null")
		if in.Unit != "" {
			t.Unit = marshal(in.Unit)
		}
		t.StatisticType, t.Statistic = "Statistic", statisticNames[in.Statistic]
		if in.ExtendedStatistic != "" {
			t.StatisticType, t.ExtendedStatistic = "ExtendedStatistic", in.ExtendedStatistic
		}
		return t
	}
	for _, q := range in.Metrics {
		out := triggerQuery{Id: q.Id, Expression: q.Expression, Label: q.Label, ReturnData: q.ReturnData == nil || *q.ReturnData}
		if q.MetricStat != nil {
			stat := &triggerStat{Period: q.MetricStat.Period, Stat: q.MetricStat.Stat, Unit: q.MetricStat.Unit}
			stat.Metric.Dimensions = triggerDimensions(q.MetricStat.Metric.Dimensions)
			stat.Metric.MetricName, stat.Metric.Namespace = q.MetricStat.Metric.MetricName, q.MetricStat.Metric.Namespace
			out.MetricStat = stat
		}
		t.Metrics = append(t.Metrics, out)
	}
	return t
}

// The reason data of a composite alarm.

type triggeringAlarm struct {
	ARN   string     `json:"arn"`
	State alarmState `json:"state"`
}

type alarmState struct {
	Value     string `json:"value"`
	Timestamp string `json:"timestamp"`
}

func compositeReasonData(triggers []triggeringAlarm) string {
	if triggers == nil {
		triggers = []triggeringAlarm{}
	}
	return string(marshal(struct {
		TriggeringAlarms []triggeringAlarm `json:"triggeringAlarms"`
	}{triggers}))
}

// event is what a Lambda function gets.
// Source: Amazon CloudWatch User Guide, "Invoke a Lambda function from an alarm" (checked 2026-12-01).
func (a *alarm) event(old alarmMoment) []byte {
	moment := func(m alarmMoment) map[string]any {
		state := map[string]any{"value": m.value, "reason": m.reason, "timestamp": stamp(m.at)}
		if m.data != "" {
			state["reasonData"] = m.data
		}
		return state
	}
	configuration := map[string]any{}
	if a.description != nil {
		configuration["description"] = *a.description
	}
	if a.rule != nil {
		configuration["alarmRule"] = a.rule.text
	} else {
		var metrics []any
		for i := range a.metric.queries {
			q := &a.metric.queries[i]
			out := map[string]any{"id": q.id, "returnData": q.returnData}
			if q.stat != nil {
				dimensions := map[string]string{}
				for _, d := range q.stat.Metric.Dimensions {
					dimensions[d.Name] = d.Value
				}
				out["metricStat"] = map[string]any{
					"metric": map[string]any{"namespace": q.stat.Metric.Namespace, "name": q.stat.Metric.MetricName, "dimensions": dimensions},
					"period": q.stat.Period, "stat": q.stat.Stat,
				}
			} else {
				out["expression"] = a.metric.input.Metrics[i].Expression
			}
			metrics = append(metrics, out)
		}
		configuration["metrics"] = metrics
	}
	return marshal(map[string]any{
		"source": "aws.cloudwatch", "alarmArn": a.arn, "accountId": a.account, "time": stamp(a.transitioned), "region": a.region,
		"alarmData": map[string]any{
			"alarmName": a.name, "state": moment(alarmMoment{a.state, a.reason, a.reasonData, a.updated}), "previousState": moment(old),
			"configuration": configuration,
		},
	})
}

func marshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types always marshal
	}
	return text
}

// regionNames are the regions' names in messages.
var regionNames = map[string]string{
	"us-east-1": "US East (N. Virginia)", "us-east-2": "US East (Ohio)", "us-west-1": "US West (N. California)", "us-west-2": "US West (Oregon)",
	"af-south-1": "Africa (Cape Town)", "ap-east-1": "Asia Pacific (Hong Kong)", "ap-south-1": "Asia Pacific (Mumbai)",
	"ap-south-2": "Asia Pacific (Hyderabad)", "ap-southeast-1": "Asia Pacific (Singapore)", "ap-southeast-2": "Asia Pacific (Sydney)",
	"ap-southeast-3": "Asia Pacific (Jakarta)", "ap-southeast-4": "Asia Pacific (Melbourne)", "ap-northeast-1": "Asia Pacific (Tokyo)",
	"ap-northeast-2": "Asia Pacific (Seoul)", "ap-northeast-3": "Asia Pacific (Osaka)", "ca-central-1": "Canada (Central)",
	"ca-west-1": "Canada West (Calgary)", "eu-central-1": "EU (Frankfurt)", "eu-central-2": "Europe (Zurich)", "eu-west-1": "EU (Ireland)",
	"eu-west-2": "EU (London)", "eu-west-3": "EU (Paris)", "eu-north-1": "EU (Stockholm)", "eu-south-1": "EU (Milan)",
	"eu-south-2": "Europe (Spain)", "il-central-1": "Israel (Tel Aviv)", "me-central-1": "Middle East (UAE)", "me-south-1": "Middle East (Bahrain)",
	"sa-east-1": "South America (Sao Paulo)",
}

func regionName(region string) string {
	if name, ok := regionNames[region]; ok {
		return name
	}
	return region
}
