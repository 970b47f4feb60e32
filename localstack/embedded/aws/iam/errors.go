package iam

import (
	"fmt"
	"net/http"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

func noSuchEntity(format string, args ...any) error {
	return &api.Error{Code: "NoSuchEntity", Message: fmt.Sprintf(format, args...), Status: http.StatusNotFound}
}

func alreadyExists(format string, args ...any) error {
	return &api.Error{Code: "EntityAlreadyExists", Message: fmt.Sprintf(format, args...), Status: http.StatusConflict}
}

func deleteConflict(message string) error {
	return &api.Error{Code: "DeleteConflict", Message: message, Status: http.StatusConflict}
}

func limitExceeded(format string, args ...any) error {
	return &api.Error{Code: "LimitExceeded", Message: fmt.Sprintf(format, args...), Status: http.StatusConflict}
}

func validation(format string, args ...any) error {
	return api.Errorf("ValidationError", format, args...)
}

func invalidInput(format string, args ...any) error {
	return api.Errorf("InvalidInput", format, args...)
}

func malformedPolicy(message string) error {
	return &api.Error{Code: "MalformedPolicyDocument", Message: message}
}

// constraint is the validation error of one parameter. An empty value is not shown.
func constraint(field, value, must string) error {
	if value != "" {
		value = "'" + value + "' "
	}
	return validation("1 validation error detected: Value %sat '%s' failed to satisfy constraint: Member must %s", value, field, must)
}
