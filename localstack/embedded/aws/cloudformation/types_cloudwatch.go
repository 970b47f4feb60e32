package cloudformation

// Source: Template Reference, Amazon CloudWatch (checked 2026-12-01).

type dimension struct{ Name, Value string }

type metricStat struct {
	Metric *struct {
		Dimensions []dimension `json:",omitempty"`
		MetricName string
		Namespace  string
	}
	Period int
	Stat   string
	Unit   string `json:",omitempty"`
}

type alarmMetric struct {
	AccountId  string      `json:",omitempty"`
	Expression string      `json:",omitempty"`
	Id         string      `json:",omitempty"`
	Label      string      `json:",omitempty"`
	MetricStat *metricStat `json:",omitempty"`
	Period     *int        `json:",omitempty"`
	ReturnData *bool       `json:",omitempty"`
}

// An alarm's properties have the names of PutMetricAlarm's parameters.
type alarm struct {
	ActionsEnabled                   *bool         `json:",omitempty"`
	AlarmActions                     []string      `json:",omitempty"`
	AlarmDescription                 string        `json:",omitempty"`
	AlarmName                        string        `json:",omitempty"`
	ComparisonOperator               string        `json:",omitempty" cfn:"required"`
	DatapointsToAlarm                *int          `json:",omitempty"`
	Dimensions                       []dimension   `json:",omitempty"`
	EvaluateLowSampleCountPercentile string        `json:",omitempty"`
	EvaluationPeriods                *int          `json:",omitempty" cfn:"required"`
	ExtendedStatistic                string        `json:",omitempty"`
	InsufficientDataActions          []string      `json:",omitempty"`
	MetricName                       string        `json:",omitempty"`
	Metrics                          []alarmMetric `json:",omitempty"`
	Namespace                        string        `json:",omitempty"`
	OKActions                        []string      `json:",omitempty"`
	Period                           *int          `json:",omitempty"`
	Statistic                        string        `json:",omitempty"`
	Tags                             []tag         `json:",omitempty"`
	Threshold                        *float64      `json:",omitempty"`
	ThresholdMetricId                string        `json:",omitempty"`
	TreatMissingData                 string        `json:",omitempty"`
	Unit                             string        `json:",omitempty"`
}

type compositeAlarm struct {
	ActionsEnabled          *bool    `json:",omitempty"`
	AlarmActions            []string `json:",omitempty"`
	AlarmDescription        string   `json:",omitempty"`
	AlarmName               string   `json:",omitempty"`
	AlarmRule               string   `cfn:"required"`
	InsufficientDataActions []string `json:",omitempty"`
	OKActions               []string `json:",omitempty"`
	Tags                    []tag    `json:",omitempty"`
}

type dashboard struct {
	DashboardBody string `cfn:"required"`
	DashboardName string
}

func putDashboard(c *call, name string, d *dashboard) error {
	return c.invoke("monitoring", "PutDashboard", map[string]any{"DashboardName": name, "DashboardBody": d.DashboardBody}, nil)
}

func retagAlarm(c *call, name string, now, old []tag) error {
	arn := c.arn("cloudwatch", "alarm:"+name)
	if gone := missing(asMap(old), asMap(now)); len(gone) > 0 {
		if err := c.invoke("monitoring", "UntagResource", map[string]any{"ResourceARN": arn, "TagKeys": gone}, nil); err != nil {
			return err
		}
	}
	if len(now) > 0 {
		return c.invoke("monitoring", "TagResource", map[string]any{"ResourceARN": arn, "Tags": now}, nil)
	}
	return nil
}

func deleteAlarm(c *call, name string) error {
	return c.invoke("monitoring", "DeleteAlarms", map[string]any{"AlarmNames": []string{name}}, nil)
}

func cloudWatchTypes() map[string]*resourceType {
	return map[string]*resourceType{
		"AWS::CloudWatch::Alarm": define(resourceType{replacing: []string{"AlarmName"}, named: "AlarmName", tags: tagList},
			func(c *call, a *alarm) (string, map[string]any, error) {
				a.AlarmName = c.orGenerated(a.AlarmName, 255)
				return made(a.AlarmName, map[string]any{"Arn": c.arn("cloudwatch", "alarm:"+a.AlarmName)}, c.invoke("monitoring", "PutMetricAlarm", a, nil))
			},
			func(c *call, name string, a, old *alarm) (map[string]any, error) {
				put := *a
				put.AlarmName, put.Tags = name, nil // of an alarm that exists they are not changed by putting it
				if err := c.invoke("monitoring", "PutMetricAlarm", &put, nil); err != nil {
					return nil, err
				}
				return nil, retagAlarm(c, name, a.Tags, old.Tags)
			},
			func(c *call, name string, _ *alarm) error { return deleteAlarm(c, name) }),
		"AWS::CloudWatch::CompositeAlarm": define(resourceType{replacing: []string{"AlarmName"}, named: "AlarmName", tags: tagList},
			func(c *call, a *compositeAlarm) (string, map[string]any, error) {
				a.AlarmName = c.orGenerated(a.AlarmName, 255)
				return made(a.AlarmName, map[string]any{"Arn": c.arn("cloudwatch", "alarm:"+a.AlarmName)}, c.invoke("monitoring", "PutCompositeAlarm", a, nil))
			},
			func(c *call, name string, a, old *compositeAlarm) (map[string]any, error) {
				put := *a
				put.AlarmName, put.Tags = name, nil
				if err := c.invoke("monitoring", "PutCompositeAlarm", &put, nil); err != nil {
					return nil, err
				}
				return nil, retagAlarm(c, name, a.Tags, old.Tags)
			},
			func(c *call, name string, _ *compositeAlarm) error { return deleteAlarm(c, name) }),
		"AWS::CloudWatch::Dashboard": define(resourceType{replacing: []string{"DashboardName"}, named: "DashboardName"},
			func(c *call, d *dashboard) (string, map[string]any, error) {
				name := c.orGenerated(d.DashboardName, 255)
				return made(name, nil, putDashboard(c, name, d))
			},
			func(c *call, name string, d, _ *dashboard) (map[string]any, error) {
				return nil, putDashboard(c, name, d)
			},
			func(c *call, name string, _ *dashboard) error {
				return c.invoke("monitoring", "DeleteDashboards", map[string]any{"DashboardNames": []string{name}}, nil)
			}),
	}
}
