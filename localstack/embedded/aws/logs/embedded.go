package logs

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// Limits of the embedded metric format.
// Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format" (checked 2026-12-01).
const (
	maxEmbeddedMetrics = 100 // a directive
	maxEmbeddedValues  = 100 // a metric
	maxEmbeddedDims    = 30  // a dimension set
)

// embeddedMetrics is what an event in that format says of the metrics in its members.
type embeddedMetrics struct {
	AWS struct {
		Timestamp         *int64 // milliseconds since 1970
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct {
				Name, Unit        string
				StorageResolution int
			}
		}
	} `json:"_aws"`
}

// embedded finds the metrics of an event in the embedded metric format. What of it is wrong is left out and logged; the event
// itself stays as it is.
func (s *Service) embedded(g *group, e *event, out measurements) {
	if !strings.Contains(e.message, `"_aws"`) {
		return
	}
	var directives embeddedMetrics
	members, ok := decodeObject(e.message)
	if !ok || json.Unmarshal([]byte(e.message), &directives) != nil || directives.AWS.Timestamp == nil {
		return
	}
	wrong := func(what string) {
		s.log.Warn("embedded metrics are left out", "service", "logs", "group", g.name, "reason", what)
	}
	for _, d := range directives.AWS.CloudWatchMetrics {
		if d.Namespace == "" || len(d.Metrics) > maxEmbeddedMetrics {
			wrong("the namespace is missing, or there are over 100 metrics")
			continue
		}
		sets := d.Dimensions
		if len(sets) == 0 {
			sets = [][]string{nil}
		}
		for _, set := range sets {
			dimensions, ok := dimensionValues(members, set)
			if !ok {
				wrong("a dimension has no text for its value")
				continue
			}
			for _, m := range d.Metrics {
				values, ok := numbers(members[m.Name])
				if !ok {
					wrong("the metric " + m.Name + " has no number for its value")
					continue
				}
				out.add(d.Namespace, Metric{
					Name: m.Name, Dimensions: dimensions, Unit: m.Unit, At: time.UnixMilli(*directives.AWS.Timestamp), Values: values, Resolution: m.StorageResolution,
				})
			}
		}
	}
}

func dimensionValues(members map[string]any, names []string) (map[string]string, bool) {
	values := map[string]string{}
	for _, name := range names {
		v, ok := members[name].(string)
		if !ok || v == "" {
			return nil, false
		}
		values[name] = v
	}
	return values, len(names) <= maxEmbeddedDims
}

// numbers is a number or a list of them.
func numbers(v any) ([]float64, bool) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) > maxEmbeddedValues || len(list) == 0 {
		return nil, false
	}
	var values []float64
	for _, e := range list {
		n, ok := numberOf(e)
		if !ok || math.IsInf(n, 0) {
			return nil, false
		}
		values = append(values, n)
	}
	return values, true
}
