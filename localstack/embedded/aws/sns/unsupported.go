package sns

import "github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"

// notOffered are the operations of SMS and of mobile push.
var notOffered = []string{
	"CheckIfPhoneNumberIsOptedOut", "CreatePlatformApplication", "CreatePlatformEndpoint", "CreateSMSSandboxPhoneNumber",
	"DeleteEndpoint", "DeletePlatformApplication", "DeleteSMSSandboxPhoneNumber", "GetEndpointAttributes",
	"GetPlatformApplicationAttributes", "GetSMSAttributes", "GetSMSSandboxAccountStatus", "ListEndpointsByPlatformApplication",
	"ListOriginationNumbers", "ListPhoneNumbersOptedOut", "ListPlatformApplications", "ListSMSSandboxPhoneNumbers",
	"OptInPhoneNumber", "SetEndpointAttributes", "SetPlatformApplicationAttributes", "SetSMSAttributes", "VerifySMSSandboxPhoneNumber",
}

// refuse answers an operation that SNS has and the local cloud has not.
func (s *Service) refuse(c *api.Call, _ *struct{}) (*struct{}, error) {
	s.log.Warn("operation is not offered", "service", "sns", "operation", c.Action, "request", c.RequestID)
	return nil, api.Errorf("InvalidAction", "%s is not offered by the local cloud: it has no SMS and no mobile push.", c.Action)
}
