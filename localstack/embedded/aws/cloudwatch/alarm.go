package cloudwatch

import (
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// The states of an alarm.
const (
	stateOK           = "OK"
	stateAlarm        = "ALARM"
	stateInsufficient = "INSUFFICIENT_DATA"
)

var states = []string{stateOK, stateAlarm, stateInsufficient}

// Limits of alarms.
const (
	maxAlarmName   = 255
	maxDescription = 1024
	maxActions     = 5 // a state
	maxAlarmsCall  = 100
	alarmsPerPage  = 50
)

// alarm is a metric alarm, or a composite one if it has a rule.
type alarm struct {
	place
	name, arn      string
	description    *string
	actionsEnabled bool
	actions        map[string][]string // by state
	tags           map[string]string
	configured     time.Time

	state, reason, reasonData string
	updated, transitioned     time.Time

	metric *metricAlarm
	rule   *rule
	gone   bool
	timer  *time.Timer // of the next evaluation; composite alarms have none
}

func alarmARN(p place, name string) string {
	return "arn:aws:cloudwatch:" + p.region + ":" + p.account + ":alarm:" + name
}

// metricAlarm is what is evaluated.
type metricAlarm struct {
	input     *putMetricAlarmInput
	queries   []query
	watched   string // id of the query that is compared with the threshold
	period    int64
	n, m      int
	compare   comparison
	lowSample float64 // 0, or how many samples a period must have so that the state may change
}

type comparison struct {
	breaches func(v, threshold float64) bool
	words    string
}

var comparisons = map[string]comparison{
	"GreaterThanThreshold":          {func(v, t float64) bool { return v > t }, "greater than"},
	"GreaterThanOrEqualToThreshold": {func(v, t float64) bool { return v >= t }, "greater than or equal to"},
	"LessThanThreshold":             {func(v, t float64) bool { return v < t }, "less than"},
	"LessThanOrEqualToThreshold":    {func(v, t float64) bool { return v <= t }, "less than or equal to"},
}

var treatments = []string{"", "missing", "ignore", "breaching", "notBreaching"}

type tag struct{ Key, Value string }

type putMetricAlarmInput struct {
	AlarmName                                           string
	AlarmDescription                                    *string
	ActionsEnabled                                      *bool
	OKActions, AlarmActions, InsufficientDataActions    []string
	MetricName, Namespace, Statistic, ExtendedStatistic string
	Dimensions                                          []Dimension
	Period                                              *int64
	Unit                                                string
	EvaluationPeriods, DatapointsToAlarm                *int
	Threshold                                           *float64
	ComparisonOperator                                  string
	TreatMissingData                                    string
	EvaluateLowSampleCountPercentile                    string
	Metrics                                             []metricDataQuery
	Tags                                                []tag
	ThresholdMetricId                                   string
	EvaluationInterval                                  *int
	EvaluationCriteria, EvaluationWindow                *struct{}
	ActionConfiguration, WarmUpConfiguration            *struct{}
}

func (s *Service) putMetricAlarm(c *api.Call, in *putMetricAlarmInput) (*struct{}, error) {
	for _, refused := range []struct {
		name  string
		given bool
	}{
		{"ThresholdMetricId: an alarm of anomaly detection", in.ThresholdMetricId != ""}, {"EvaluationCriteria", in.EvaluationCriteria != nil},
		{"EvaluationInterval", in.EvaluationInterval != nil}, {"EvaluationWindow", in.EvaluationWindow != nil},
		{"ActionConfiguration", in.ActionConfiguration != nil}, {"WarmUpConfiguration", in.WarmUpConfiguration != nil},
		{"ComparisonOperator " + in.ComparisonOperator, strings.Contains(in.ComparisonOperator, "UpperThreshold") || strings.Contains(in.ComparisonOperator, "LowerThreshold")},
	} {
		if refused.given {
			return nil, notOfferedHere(refused.name)
		}
	}
	m, err := newMetricAlarm(c.Account, in)
	if err != nil {
		return nil, err
	}
	a := &alarm{
		place: placeOf(c), name: in.AlarmName, description: in.AlarmDescription, actionsEnabled: in.ActionsEnabled == nil || *in.ActionsEnabled, metric: m,
		actions: map[string][]string{stateOK: in.OKActions, stateAlarm: in.AlarmActions, stateInsufficient: in.InsufficientDataActions},
	}
	if err := s.putAlarm(c, a, in.Tags); err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

// putAlarm checks what all alarms have in common and creates the alarm, or replaces the configuration of the one of its name.
func (s *Service) putAlarm(c *api.Call, a *alarm, tags []tag) error {
	switch {
	case a.name == "":
		return missing("AlarmName")
	case utf8.RuneCountInString(a.name) > maxAlarmName || strings.ContainsFunc(a.name, isControl):
		return validation("1 validation error detected: Value '%s' at 'alarmName' failed to satisfy constraint: Member must have length less than or equal to %d", a.name, maxAlarmName)
	case a.description != nil && utf8.RuneCountInString(*a.description) > maxDescription:
		return validation("1 validation error detected: Value at 'alarmDescription' failed to satisfy constraint: Member must have length less than or equal to %d", maxDescription)
	}
	for _, state := range states {
		if len(a.actions[state]) > maxActions {
			return validation("1 validation error detected: the actions of %s failed to satisfy constraint: Member must have length less than or equal to %d", state, maxActions)
		}
		for i, action := range a.actions[state] {
			if err := s.checkAction(c, action); err != nil {
				return err
			}
			if slices.Contains(a.actions[state][:i], action) {
				return validation("The action %s is given more than once.", action)
			}
		}
	}
	kept, err := addTags(map[string]string{}, tags)
	if err != nil {
		return err
	}
	a.arn = alarmARN(a.place, a.name)
	now := time.Now()
	a.configured = now

	s.mu.Lock()
	defer s.mu.Unlock()
	if a.rule != nil {
		if err := s.checkRule(a); err != nil {
			return err
		}
	}
	alarms := s.alarms[a.place]
	if alarms == nil {
		alarms = map[string]*alarm{}
		s.alarms[a.place] = alarms
	}
	old := alarms[a.name]
	switch {
	case old == nil:
		a.tags = kept
		a.state, a.reason, a.updated, a.transitioned = stateInsufficient, "Unchecked: Initial alarm creation", now, now
		alarms[a.name] = a
		s.record(a, now, "ConfigurationUpdate", `Alarm "`+a.name+`" created`, map[string]any{"type": "Create", "createdAlarm": a.configuration()})
	case (old.rule == nil) != (a.rule == nil):
		return validation("An alarm of another type has the name %s.", a.name)
	default:
		before := old.configuration()
		old.description, old.actionsEnabled, old.actions, old.metric, old.rule, old.configured = a.description, a.actionsEnabled, a.actions, a.metric, a.rule, now
		a = old
		s.record(a, now, "ConfigurationUpdate", `Alarm "`+a.name+`" updated`, map[string]any{"type": "Update", "originalUpdatedFields": before, "updatedAlarm": a.configuration()})
	}
	if a.rule != nil {
		s.evaluateComposites(a.place, now, nil)
	} else {
		s.arm(a, now)
	}
	return nil
}

func newMetricAlarm(account string, in *putMetricAlarmInput) (*metricAlarm, error) {
	m := &metricAlarm{input: in, compare: comparisons[in.ComparisonOperator]}
	switch {
	case in.AlarmName == "":
		return nil, missing("AlarmName")
	case in.ComparisonOperator == "":
		return nil, missing("ComparisonOperator")
	case m.compare.breaches == nil:
		return nil, validation("1 validation error detected: Value '%s' at 'comparisonOperator' failed to satisfy constraint: Member must satisfy enum value set: %v", in.ComparisonOperator, slices.Sorted(maps.Keys(comparisons)))
	case in.Threshold == nil:
		return nil, missing("Threshold")
	case in.EvaluationPeriods == nil:
		return nil, missing("EvaluationPeriods")
	case *in.EvaluationPeriods < 1:
		return nil, validation("1 validation error detected: Value '%d' at 'evaluationPeriods' failed to satisfy constraint: Member must have value greater than or equal to 1", *in.EvaluationPeriods)
	case !slices.Contains(treatments, in.TreatMissingData):
		return nil, validation("Treat missing data value %s is not supported. Valid values: breaching, notBreaching, ignore, missing.", in.TreatMissingData)
	case in.Unit != "" && !slices.Contains(units, in.Unit):
		return nil, validation("1 validation error detected: Value '%s' at 'unit' failed to satisfy constraint: Member must satisfy enum value set", in.Unit)
	}
	m.n = *in.EvaluationPeriods
	m.m = m.n
	if in.DatapointsToAlarm != nil {
		m.m = *in.DatapointsToAlarm
	}
	if m.m < 1 || m.m > m.n {
		return nil, validation("The parameter DatapointsToAlarm must be between 1 and the parameter EvaluationPeriods.")
	}
	var err error
	if len(in.Metrics) > 0 {
		err = m.ofExpression(account)
	} else {
		err = m.ofMetric(account)
	}
	if err != nil {
		return nil, err
	}
	total := m.period * int64(m.n)
	if limit := int64(7 * day / time.Second); total > limit || m.period < 3600 && total > int64(day/time.Second) {
		return nil, validation("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400), or a week if the period is an hour or longer.")
	}
	return m, nil
}

func (m *metricAlarm) ofMetric(account string) error {
	in := m.input
	switch {
	case in.MetricName == "":
		return missing("MetricName")
	case in.Namespace == "":
		return missing("Namespace")
	case in.Period == nil:
		return missing("Period")
	case *in.Period != 10 && *in.Period != 20 && *in.Period != 30 && (*in.Period < 60 || *in.Period%60 != 0):
		return validation("Period must be 10, 20, 30 or a multiple of 60")
	case (in.Statistic == "") == (in.ExtendedStatistic == ""):
		return invalidCombination("Exactly one of Statistic and ExtendedStatistic must be specified.")
	}
	if err := checkDimensions("PutMetricAlarm", in.Dimensions); err != nil {
		return err
	}
	stat := in.Statistic + in.ExtendedStatistic
	if _, basic := basicStatistics[stat]; basic != (in.Statistic != "") {
		return validation("The statistic %s is not supported by the parameter that it is given in.", stat)
	}
	if match := percentile.FindStringSubmatch(stat); match != nil && in.EvaluateLowSampleCountPercentile == "ignore" {
		m.lowSample = samplesNeeded(stat)
	}
	switch low := in.EvaluateLowSampleCountPercentile; {
	case low != "" && low != "evaluate" && low != "ignore":
		return validation("Option %s is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and ignore.", low)
	case low != "" && in.ExtendedStatistic == "":
		return validation("EvaluateLowSampleCountPercentile can only be specified for alarms with percentile statistics.")
	}
	m.watched, m.period = "m1", *in.Period
	var err error
	m.queries, err = parseQueries(account, []metricDataQuery{{Id: "m1", MetricStat: &metricStat{
		Metric: metric{in.Namespace, in.MetricName, in.Dimensions}, Period: *in.Period, Stat: stat, Unit: in.Unit,
	}}})
	return err
}

func (m *metricAlarm) ofExpression(account string) error {
	in := m.input
	if in.MetricName != "" || in.Namespace != "" || in.Period != nil || in.Statistic != "" || in.ExtendedStatistic != "" || len(in.Dimensions) > 0 || in.Unit != "" {
		return validation("The parameters MetricName, Namespace, Dimensions, Period, Unit, Statistic and ExtendedStatistic cannot be used together with Metrics.")
	}
	var err error
	if m.queries, err = parseQueries(account, in.Metrics); err != nil {
		return err
	}
	for i := range m.queries {
		q := &m.queries[i]
		if q.returnData && m.watched != "" {
			return validation("Exactly two elements of the metrics list should return data.") // the text that the service has for it
		}
		if q.returnData {
			m.watched = q.id
		}
		if q.stat != nil {
			m.period = max(m.period, q.stat.Period)
		}
	}
	switch {
	case m.watched == "":
		return validation("Exactly one element of the metrics list should return data.")
	case m.period == 0:
		return validation("The expression of an alarm must use a metric.")
	}
	return nil
}

func (a *alarm) configuration() any {
	if a.rule != nil {
		return a.describeComposite()
	}
	return a.describeMetric()
}

type alarmNamesInput struct{ AlarmNames []string }

func (in *alarmNamesInput) check() error {
	if len(in.AlarmNames) == 0 {
		return missing("AlarmNames")
	}
	if len(in.AlarmNames) > maxAlarmsCall {
		return validation("The collection AlarmNames must not have a size greater than %d.", maxAlarmsCall)
	}
	return nil
}

func (s *Service) deleteAlarms(c *api.Call, in *alarmNamesInput) (*struct{}, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	alarms := s.alarms[placeOf(c)]
	composites := 0
	for _, name := range in.AlarmNames {
		a := alarms[name]
		if a == nil {
			continue
		}
		if a.rule != nil {
			if composites++; composites > 1 {
				return nil, validation("Only one composite alarm can be deleted at a time.")
			}
		}
		for _, other := range alarms {
			if other.rule != nil && other != a && slices.Contains(other.rule.names(), name) && !slices.Contains(in.AlarmNames, other.name) {
				return nil, validation("Cannot delete %s as there are composite alarm(s) depending on it.", name)
			}
		}
	}
	now := time.Now()
	for _, name := range in.AlarmNames {
		if a := alarms[name]; a != nil {
			a.stop()
			delete(alarms, name)
			s.record(a, now, "ConfigurationUpdate", `Alarm "`+name+`" deleted`, map[string]any{"type": "Delete", "deletedAlarm": a.configuration()})
		}
	}
	s.evaluateComposites(placeOf(c), now, nil)
	return &struct{}{}, nil
}

func (a *alarm) stop() {
	a.gone = true
	if a.timer != nil {
		a.timer.Stop()
	}
}

func (s *Service) enableAlarmActions(c *api.Call, in *alarmNamesInput) (*struct{}, error) {
	return s.setActionsEnabled(c, in, true)
}

func (s *Service) disableAlarmActions(c *api.Call, in *alarmNamesInput) (*struct{}, error) {
	return s.setActionsEnabled(c, in, false)
}

func (s *Service) setActionsEnabled(c *api.Call, in *alarmNamesInput, enabled bool) (*struct{}, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, name := range in.AlarmNames {
		if a := s.alarms[placeOf(c)][name]; a != nil && a.actionsEnabled != enabled {
			a.actionsEnabled, a.configured = enabled, now
			s.record(a, now, "ConfigurationUpdate", `Alarm "`+name+`" updated`, map[string]any{"type": "Update", "updatedAlarm": a.configuration()})
		}
	}
	return &struct{}{}, nil
}

type setAlarmStateInput struct{ AlarmName, StateValue, StateReason, StateReasonData string }

func (s *Service) setAlarmState(c *api.Call, in *setAlarmStateInput) (*struct{}, error) {
	switch {
	case in.AlarmName == "":
		return nil, missing("AlarmName")
	case in.StateReason == "":
		return nil, missing("StateReason")
	case !slices.Contains(states, in.StateValue):
		return nil, validation("1 validation error detected: Value '%s' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]", in.StateValue)
	case in.StateReasonData != "" && !isJSON(in.StateReasonData):
		return nil, &api.Error{Code: "InvalidFormatFault", QueryCode: "InvalidFormat", Message: "StateReasonData was not valid JSON"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.alarms[placeOf(c)][in.AlarmName]
	if a == nil {
		return nil, &api.Error{Code: "ResourceNotFound", Message: "Unable to find alarm " + in.AlarmName, Status: 404}
	}
	s.transition(a, time.Now(), in.StateValue, in.StateReason, in.StateReasonData)
	return &struct{}{}, nil
}
