package cloudwatch

import (
	"slices"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// historyKept is how long the history of alarms is kept.
// Source: DescribeAlarmHistory and Amazon CloudWatch User Guide, "Alarm evaluation" (checked 2026-12-01).
const historyKept = 30 * day

type historyItem struct {
	AlarmName, AlarmType, HistoryItemType, HistorySummary, HistoryData string
	Timestamp                                                          api.Timestamp
}

// record adds to an alarm's history, which outlives the alarm. The caller holds mu.
func (s *Service) record(a *alarm, now time.Time, kind, summary string, data map[string]any) {
	data["version"] = "1.0"
	item := historyItem{AlarmName: a.name, AlarmType: "MetricAlarm", HistoryItemType: kind, HistorySummary: summary, HistoryData: string(marshal(data)), Timestamp: api.At(now)}
	if a.rule != nil {
		item.AlarmType = "CompositeAlarm"
	}
	s.history[a.place] = append(s.keptHistory(a.place, now), item)
}

func (s *Service) keptHistory(p place, now time.Time) []historyItem {
	items := s.history[p]
	n := 0
	for n < len(items) && now.Sub(items[n].Timestamp.Time) > historyKept {
		n++
	}
	return items[n:]
}

type describeAlarmHistoryInput struct {
	AlarmName, AlarmContributorId, HistoryItemType, NextToken, ScanBy string
	AlarmTypes                                                        []string
	StartDate, EndDate                                                api.Timestamp
	MaxRecords                                                        *int
}

type describeAlarmHistoryOutput struct {
	AlarmHistoryItems []historyItem
	NextToken         string `json:",omitempty"`
}

var historyItemTypes = []string{"", "ConfigurationUpdate", "StateUpdate", "Action"}

func (s *Service) describeAlarmHistory(c *api.Call, in *describeAlarmHistoryInput) (*describeAlarmHistoryOutput, error) {
	most, err := maxRecords(in.MaxRecords)
	switch {
	case err != nil:
		return nil, err
	case in.AlarmContributorId != "":
		return nil, notOfferedHere("AlarmContributorId")
	case !slices.Contains(historyItemTypes, in.HistoryItemType):
		return nil, notOfferedHere("HistoryItemType " + in.HistoryItemType)
	}
	types := in.AlarmTypes
	if len(types) == 0 {
		types = []string{"MetricAlarm"}
		if in.AlarmName != "" {
			types = []string{"MetricAlarm", "CompositeAlarm"}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []historyItem{}
	for _, item := range s.keptHistory(placeOf(c), time.Now()) {
		if in.AlarmName != "" && item.AlarmName != in.AlarmName || in.HistoryItemType != "" && item.HistoryItemType != in.HistoryItemType ||
			!slices.Contains(types, item.AlarmType) || !in.StartDate.IsZero() && item.Timestamp.Before(in.StartDate.Time) ||
			!in.EndDate.IsZero() && !item.Timestamp.Before(in.EndDate.Time) {
			continue
		}
		found = append(found, item)
	}
	if in.ScanBy != "TimestampAscending" {
		slices.Reverse(found)
	}
	items, next, err := paged(found, in.NextToken, most)
	if err != nil {
		return nil, err
	}
	return &describeAlarmHistoryOutput{items, next}, nil
}
