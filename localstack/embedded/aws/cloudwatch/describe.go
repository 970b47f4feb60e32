package cloudwatch

import (
	"maps"
	"slices"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

type describeAlarmsInput struct {
	AlarmNames                                           []string
	AlarmNamePrefix, StateValue, ActionPrefix, NextToken string
	AlarmTypes                                           []string
	ChildrenOfAlarmName, ParentsOfAlarmName              string
	MaxRecords                                           *int
}

type describeAlarmsOutput struct {
	MetricAlarms    []metricAlarmDescription
	CompositeAlarms []compositeAlarmDescription
	NextToken       string `json:",omitempty"`
}

type metricAlarmDescription struct {
	AlarmName, AlarmArn                string
	AlarmDescription                   *string `json:",omitempty"`
	AlarmConfigurationUpdatedTimestamp api.Timestamp
	ActionsEnabled                     bool
	OKActions                          []string
	AlarmActions                       []string
	InsufficientDataActions            []string
	StateValue, StateReason            string
	StateReasonData                    string `json:",omitempty"`
	StateUpdatedTimestamp              api.Timestamp
	StateTransitionedTimestamp         api.Timestamp
	MetricName                         string `json:",omitempty"`
	Namespace                          string `json:",omitempty"`
	Statistic                          string `json:",omitempty"`
	ExtendedStatistic                  string `json:",omitempty"`
	Dimensions                         []Dimension
	Period                             *int64 `json:",omitempty"`
	Unit                               string `json:",omitempty"`
	EvaluationPeriods                  *int
	DatapointsToAlarm                  *int `json:",omitempty"`
	Threshold                          *float64
	ComparisonOperator                 string
	TreatMissingData                   string            `json:",omitempty"`
	EvaluateLowSampleCountPercentile   string            `json:",omitempty"`
	Metrics                            []metricDataQuery `json:",omitempty"`
}

type compositeAlarmDescription struct {
	AlarmName, AlarmArn                string
	AlarmDescription                   *string `json:",omitempty"`
	AlarmConfigurationUpdatedTimestamp api.Timestamp
	ActionsEnabled                     bool
	AlarmRule                          string
	OKActions                          []string
	AlarmActions                       []string
	InsufficientDataActions            []string
	StateValue, StateReason            string
	StateReasonData                    string `json:",omitempty"`
	StateUpdatedTimestamp              api.Timestamp
	StateTransitionedTimestamp         api.Timestamp
}

func list(values []string) []string { return append([]string{}, values...) }

func (a *alarm) describeMetric() metricAlarmDescription {
	in := a.metric.input
	return metricAlarmDescription{
		AlarmName: a.name, AlarmArn: a.arn, AlarmDescription: a.description, AlarmConfigurationUpdatedTimestamp: api.At(a.configured),
		ActionsEnabled: a.actionsEnabled, OKActions: list(a.actions[stateOK]), AlarmActions: list(a.actions[stateAlarm]),
		InsufficientDataActions: list(a.actions[stateInsufficient]), StateValue: a.state, StateReason: a.reason, StateReasonData: a.reasonData,
		StateUpdatedTimestamp: api.At(a.updated), StateTransitionedTimestamp: api.At(a.transitioned),
		MetricName: in.MetricName, Namespace: in.Namespace, Statistic: in.Statistic, ExtendedStatistic: in.ExtendedStatistic,
		Dimensions: append([]Dimension{}, in.Dimensions...), Period: in.Period, Unit: in.Unit, EvaluationPeriods: in.EvaluationPeriods,
		DatapointsToAlarm: in.DatapointsToAlarm, Threshold: in.Threshold, ComparisonOperator: in.ComparisonOperator,
		TreatMissingData: in.TreatMissingData, EvaluateLowSampleCountPercentile: in.EvaluateLowSampleCountPercentile, Metrics: in.Metrics,
	}
}

func (a *alarm) describeComposite() compositeAlarmDescription {
	return compositeAlarmDescription{
		AlarmName: a.name, AlarmArn: a.arn, AlarmDescription: a.description, AlarmConfigurationUpdatedTimestamp: api.At(a.configured),
		ActionsEnabled: a.actionsEnabled, AlarmRule: a.rule.text, OKActions: list(a.actions[stateOK]), AlarmActions: list(a.actions[stateAlarm]),
		InsufficientDataActions: list(a.actions[stateInsufficient]), StateValue: a.state, StateReason: a.reason, StateReasonData: a.reasonData,
		StateUpdatedTimestamp: api.At(a.updated), StateTransitionedTimestamp: api.At(a.transitioned),
	}
}

func (s *Service) describeAlarms(c *api.Call, in *describeAlarmsInput) (*describeAlarmsOutput, error) {
	most, err := maxRecords(in.MaxRecords)
	switch {
	case err != nil:
		return nil, err
	case len(in.AlarmNames) > maxAlarmsCall:
		return nil, validation("The collection AlarmNames must not have a size greater than %d.", maxAlarmsCall)
	case len(in.AlarmNames) > 0 && in.AlarmNamePrefix != "":
		return nil, validation("AlarmNamePrefix and AlarmNames cannot be specified together.")
	case in.StateValue != "" && !slices.Contains(states, in.StateValue):
		return nil, validation("1 validation error detected: Value '%s' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]", in.StateValue)
	}
	types := in.AlarmTypes
	if len(types) == 0 { // metric alarms only, unless a relation is asked for, which composite alarms have
		types = []string{"MetricAlarm"}
		if in.ChildrenOfAlarmName != "" || in.ParentsOfAlarmName != "" {
			types = []string{"MetricAlarm", "CompositeAlarm"}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	alarms := s.alarms[placeOf(c)]
	var related []string
	if name := in.ChildrenOfAlarmName; name != "" {
		if a := alarms[name]; a != nil && a.rule != nil {
			related = a.rule.names()
		}
	}
	var found []*alarm
	for _, name := range slices.Sorted(maps.Keys(alarms)) {
		a := alarms[name]
		kind := "MetricAlarm"
		if a.rule != nil {
			kind = "CompositeAlarm"
		}
		switch {
		case !slices.Contains(types, kind), len(in.AlarmNames) > 0 && !slices.Contains(in.AlarmNames, name),
			!strings.HasPrefix(name, in.AlarmNamePrefix), in.StateValue != "" && a.state != in.StateValue,
			in.ActionPrefix != "" && !a.hasAction(in.ActionPrefix), in.ChildrenOfAlarmName != "" && !slices.Contains(related, name),
			in.ParentsOfAlarmName != "" && (a.rule == nil || !slices.Contains(a.rule.names(), in.ParentsOfAlarmName)):
			continue
		}
		found = append(found, a)
	}
	found, next, err := paged(found, in.NextToken, most)
	if err != nil {
		return nil, err
	}
	out := &describeAlarmsOutput{MetricAlarms: []metricAlarmDescription{}, CompositeAlarms: []compositeAlarmDescription{}, NextToken: next}
	for _, a := range found {
		if a.rule != nil {
			out.CompositeAlarms = append(out.CompositeAlarms, a.describeComposite())
		} else {
			out.MetricAlarms = append(out.MetricAlarms, a.describeMetric())
		}
	}
	return out, nil
}

func (a *alarm) hasAction(prefix string) bool {
	for _, actions := range a.actions {
		if slices.ContainsFunc(actions, func(action string) bool { return strings.HasPrefix(action, prefix) }) {
			return true
		}
	}
	return false
}

func maxRecords(n *int) (int, error) {
	if n == nil {
		return alarmsPerPage, nil
	}
	if *n < 1 || *n > 100 {
		return 0, validation("1 validation error detected: Value '%d' at 'maxRecords' failed to satisfy constraint: Member must have value between 1 and 100", *n)
	}
	return *n, nil
}

type describeAlarmsForMetricInput struct {
	MetricName, Namespace, Statistic, ExtendedStatistic, Unit string
	Dimensions                                                []Dimension
	Period                                                    *int64
}

type describeAlarmsForMetricOutput struct{ MetricAlarms []metricAlarmDescription }

func (s *Service) describeAlarmsForMetric(c *api.Call, in *describeAlarmsForMetricInput) (*describeAlarmsForMetricOutput, error) {
	if in.MetricName == "" {
		return nil, missing("MetricName")
	}
	if in.Namespace == "" {
		return nil, missing("Namespace")
	}
	wanted := keyOf(placeOf(c), in.Namespace, in.MetricName, sortedDimensions(in.Dimensions))
	s.mu.Lock()
	defer s.mu.Unlock()
	alarms := s.alarms[placeOf(c)]
	out := &describeAlarmsForMetricOutput{MetricAlarms: []metricAlarmDescription{}}
	for _, name := range slices.Sorted(maps.Keys(alarms)) {
		a := alarms[name]
		if a.metric == nil || len(a.metric.input.Metrics) > 0 {
			continue
		}
		p := a.metric.input
		if keyOf(a.place, p.Namespace, p.MetricName, sortedDimensions(p.Dimensions)) != wanted ||
			in.Statistic != "" && in.Statistic != p.Statistic || in.ExtendedStatistic != "" && in.ExtendedStatistic != p.ExtendedStatistic ||
			in.Unit != "" && in.Unit != p.Unit || in.Period != nil && *in.Period != *p.Period {
			continue
		}
		out.MetricAlarms = append(out.MetricAlarms, a.describeMetric())
	}
	return out, nil
}
