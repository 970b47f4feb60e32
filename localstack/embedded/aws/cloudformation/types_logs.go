package cloudformation

import "strings"

// Source: Template Reference, Amazon CloudWatch Logs (checked 2026-12-01).

type logGroup struct {
	KmsKeyId        string
	LogGroupClass   string
	LogGroupName    string
	RetentionInDays *int
	Tags            []tag
}

func (g *logGroup) setRetention(c *call, name string) error {
	if g.RetentionInDays == nil {
		return c.invoke("logs", "DeleteRetentionPolicy", map[string]any{"logGroupName": name}, nil)
	}
	return c.invoke("logs", "PutRetentionPolicy", map[string]any{"logGroupName": name, "retentionInDays": *g.RetentionInDays}, nil)
}

type metricFilter struct {
	FilterName            string
	FilterPattern         string
	LogGroupName          string `cfn:"required"`
	MetricTransformations []struct {
		DefaultValue    *float64
		Dimensions      []struct{ Key, Value string }
		MetricName      string
		MetricNamespace string
		MetricValue     string
		Unit            string
	} `cfn:"required"`
}

func (f *metricFilter) put(c *call, name string) error {
	var transformations []map[string]any
	for _, t := range f.MetricTransformations {
		m := map[string]any{"metricName": t.MetricName, "metricNamespace": t.MetricNamespace, "metricValue": t.MetricValue}
		optional(m, "unit", t.Unit)
		if t.DefaultValue != nil {
			m["defaultValue"] = *t.DefaultValue
		}
		if len(t.Dimensions) > 0 {
			d := map[string]string{}
			for _, e := range t.Dimensions {
				d[e.Key] = e.Value
			}
			m["dimensions"] = d
		}
		transformations = append(transformations, m)
	}
	return c.invoke("logs", "PutMetricFilter", map[string]any{"filterName": name, "filterPattern": f.FilterPattern, "logGroupName": f.LogGroupName, "metricTransformations": transformations}, nil)
}

func logsTypes() map[string]*resourceType {
	return map[string]*resourceType{
		"AWS::Logs::LogGroup": define(resourceType{replacing: []string{"LogGroupName", "LogGroupClass"}, named: "LogGroupName", tags: tagList},
			func(c *call, g *logGroup) (string, map[string]any, error) {
				name := c.orGenerated(g.LogGroupName, 512)
				in := map[string]any{"logGroupName": name}
				optional(in, "kmsKeyId", g.KmsKeyId)
				optional(in, "logGroupClass", g.LogGroupClass)
				if len(g.Tags) > 0 {
					in["tags"] = asMap(g.Tags)
				}
				if err := c.invoke("logs", "CreateLogGroup", in, nil); err != nil {
					return "", nil, err
				}
				attributes := map[string]any{"Arn": c.arn("logs", "log-group:"+name+":*")}
				if g.RetentionInDays != nil {
					return name, attributes, g.setRetention(c, name)
				}
				return name, attributes, nil
			},
			func(c *call, name string, g, old *logGroup) (map[string]any, error) {
				if canonical(g.RetentionInDays) != canonical(old.RetentionInDays) {
					if err := g.setRetention(c, name); err != nil {
						return nil, err
					}
				}
				if g.KmsKeyId != old.KmsKeyId {
					action, in := "AssociateKmsKey", map[string]any{"logGroupName": name, "kmsKeyId": g.KmsKeyId}
					if g.KmsKeyId == "" {
						action, in = "DisassociateKmsKey", map[string]any{"logGroupName": name}
					}
					if err := c.invoke("logs", action, in, nil); err != nil {
						return nil, err
					}
				}
				arn := strings.TrimSuffix(c.arn("logs", "log-group:"+name), ":*")
				if gone := missing(asMap(old.Tags), asMap(g.Tags)); len(gone) > 0 {
					if err := c.invoke("logs", "UntagResource", map[string]any{"resourceArn": arn, "tagKeys": gone}, nil); err != nil {
						return nil, err
					}
				}
				if len(g.Tags) > 0 {
					return nil, c.invoke("logs", "TagResource", map[string]any{"resourceArn": arn, "tags": asMap(g.Tags)}, nil)
				}
				return nil, nil
			},
			func(c *call, name string, _ *logGroup) error {
				return c.invoke("logs", "DeleteLogGroup", map[string]any{"logGroupName": name}, nil)
			}),
		"AWS::Logs::MetricFilter": define(resourceType{replacing: []string{"FilterName", "LogGroupName"}},
			func(c *call, f *metricFilter) (string, map[string]any, error) {
				name := c.orGenerated(f.FilterName, 512)
				return made(name, nil, f.put(c, name))
			},
			func(c *call, name string, f, _ *metricFilter) (map[string]any, error) { return nil, f.put(c, name) },
			func(c *call, name string, f *metricFilter) error {
				return c.invoke("logs", "DeleteMetricFilter", map[string]any{"filterName": name, "logGroupName": f.LogGroupName}, nil)
			}),
	}
}
