package sns

// Metrics takes what CloudWatch shows of the topics. It must not call the service.
type Metrics interface {
	Count(account, region, topic, metric, unit string, value float64)
}

// The metrics of a topic that are counted.
// Source: Amazon SNS Developer Guide, "Amazon SNS metrics" (checked 2026-12-01).
const (
	messagesPublished      = "NumberOfMessagesPublished"
	publishSize            = "PublishSize"
	notificationsDelivered = "NumberOfNotificationsDelivered"
	notificationsFailed    = "NumberOfNotificationsFailed" // each failed attempt over HTTP, each message given up elsewhere
	filteredOut            = "NumberOfNotificationsFilteredOut"
	redriven               = "NumberOfNotificationsRedrivenToDlq"
	notRedriven            = "NumberOfNotificationsFailedToRedriveToDlq"
	byBody                 = "-MessageBody" // follow filteredOut
	byAttributes           = "-MessageAttributes"
)

func (s *Service) count(t *topic, metric string, value float64) {
	if s.metrics == nil {
		return
	}
	unit := "Count"
	if metric == publishSize {
		unit = "Bytes"
	}
	s.metrics.Count(t.account, t.region, t.name, metric, unit, value)
}

func (s *Service) countFiltered(t *topic, f *filter) {
	s.count(t, filteredOut, 1)
	if f.scope == scopeBody {
		s.count(t, filteredOut+byBody, 1)
	} else {
		s.count(t, filteredOut+byAttributes, 1)
	}
}
