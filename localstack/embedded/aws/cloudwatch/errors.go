package cloudwatch

import (
	"fmt"
	"net/http"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// The errors of CloudWatch: those that its model names have a shape and a code in the query protocol that is another.

func invalidValue(format string, args ...any) error {
	return &api.Error{Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Message: fmt.Sprintf(format, args...)}
}

func invalidCombination(format string, args ...any) error {
	return &api.Error{Code: "InvalidParameterCombinationException", QueryCode: "InvalidParameterCombination", Message: fmt.Sprintf(format, args...)}
}

func missing(parameter string) error {
	return &api.Error{Code: "MissingRequiredParameterException", QueryCode: "MissingParameter", Message: "The parameter " + parameter + " is required."}
}

// validation is the error of a request whose parts do not fit, such as an alarm's.
func validation(format string, args ...any) error {
	return api.Errorf("ValidationError", format, args...)
}

// notOfferedHere is the error of a parameter that the service has and the local cloud has not.
func notOfferedHere(what string) error {
	return validation("%s is not offered by the local cloud.", what)
}

func notFound(what string) error {
	return &api.Error{Code: "ResourceNotFoundException", Message: what, Status: http.StatusNotFound}
}

var errNextToken = api.Errorf("InvalidNextToken", "The next token specified is invalid.")

// notOffered are the operations that CloudWatch has and the local cloud has not.
var notOffered = []string{
	"DeleteAlarmMuteRule", "DeleteAnomalyDetector", "DeleteInsightRules", "DeleteMetricStream", "DescribeAlarmContributors",
	"DescribeAnomalyDetectors", "DescribeInsightRules", "DisableInsightRules", "EnableInsightRules", "GetAlarmMuteRule",
	"GetInsightRuleReport", "GetMetricStream", "GetMetricWidgetImage", "ListAlarmMuteRules", "ListManagedInsightRules",
	"ListMetricStreams", "PutAlarmMuteRule", "PutAnomalyDetector", "PutInsightRule", "PutLogAlarm", "PutManagedInsightRules",
	"PutMetricStream", "StartMetricStreams", "StopMetricStreams",
}

func (s *Service) refuse(c *api.Call, _ *struct{}) (*struct{}, error) {
	s.log.Warn("operation is not offered", "service", "cloudwatch", "operation", c.Action, "request", c.RequestID)
	return nil, api.Errorf("InvalidAction", "%s is not offered by the local cloud.", c.Action)
}
