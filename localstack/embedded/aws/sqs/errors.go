package sqs

import (
	"net/http"
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// The errors of SQS. Those that the API's model names have a type in the SDKs; InvalidParameterValue and MissingParameter
// are common to older AWS services and have none. Sources: the errors in API Reference and SDK (aws-sdk-go-v2/service/sqs
// v1.53.0, schemas); messages as the service was recorded to send them (github.com/localstack/localstack, tests/aws/services/sqs,
// *.snapshot.json, 2022 to 2024).

const queryPrefix = "AWS.SimpleQueueService."

// typed returns an error of the API's model whose query code has the prefix.
func typed(code, message string) error {
	return &api.Error{Code: code, QueryCode: queryPrefix + code, Message: message}
}

// invalid returns InvalidParameterValue.
func invalid(message string) error {
	return &api.Error{Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Message: message}
}

// invalidValue returns InvalidParameterValue in the form that most parameters have.
func invalidValue(value, parameter, reason string) error {
	return invalid("Value " + value + " for parameter " + parameter + " is invalid. Reason: " + reason)
}

func missingParameter(parameter string) error {
	return &api.Error{Code: "MissingRequiredParameterException", QueryCode: "MissingParameter", Message: "The request must contain the parameter " + parameter + "."}
}

func queueDoesNotExist(c *api.Call) error {
	message := "The specified queue does not exist."
	if c.Protocol == api.Query {
		message = "The specified queue does not exist for this wsdl version."
	}
	return &api.Error{Code: "QueueDoesNotExist", QueryCode: queryPrefix + "NonExistentQueue", Message: message}
}

func queueNameExists(attribute string) error {
	return &api.Error{Code: "QueueNameExists", QueryCode: "QueueAlreadyExists",
		Message: "A queue already exists with the same name and a different value for attribute " + attribute}
}

func queueDeletedRecently() error {
	return typed("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
}

func purgeInProgress(queueName string) error {
	return &api.Error{Code: "PurgeQueueInProgress", QueryCode: queryPrefix + "PurgeQueueInProgress", Status: http.StatusForbidden,
		Message: "Only one PurgeQueue operation on " + queueName + " is allowed every 60 seconds."}
}

func overLimit(message string) error {
	return &api.Error{Code: "OverLimit", Message: message, Status: http.StatusForbidden}
}

func invalidAddress(address string) error {
	return &api.Error{Code: "InvalidAddress", Message: "The address " + address + " is not valid for this endpoint.", Status: http.StatusNotFound}
}

func receiptHandleIsInvalid(handle string) error {
	return &api.Error{Code: "ReceiptHandleIsInvalid", Message: `The input receipt handle "` + handle + `" is not a valid receipt handle.`, Status: http.StatusNotFound}
}

func unknownAttribute(attribute string) error {
	return api.Errorf("InvalidAttributeName", "Unknown Attribute %s.", attribute)
}

func invalidAttributeValue(attribute, reason string) error {
	message := "Invalid value for the parameter " + attribute + "."
	if reason != "" {
		message += " Reason: " + reason
	}
	return api.Errorf("InvalidAttributeValue", "%s", message)
}

func resourceNotFound(message string) error {
	return &api.Error{Code: "ResourceNotFoundException", Message: message, Status: http.StatusNotFound}
}

// BatchResultErrorEntry is why one entry of a batch failed.
type BatchResultErrorEntry struct {
	Id          string
	SenderFault bool
	Code        string
	Message     string
}

// failed turns the error of one entry into the batch's report of it.
func failed(id string, err error) BatchResultErrorEntry {
	e, ok := err.(*api.Error)
	if !ok {
		return BatchResultErrorEntry{Id: id, Code: "InternalError", Message: "The request processing has failed because of an unknown error."}
	}
	code := e.Code
	if e.QueryCode != "" {
		code = strings.TrimPrefix(e.QueryCode, queryPrefix)
	}
	return BatchResultErrorEntry{Id: id, SenderFault: !e.Receiver, Code: code, Message: e.Message}
}
