package logs

import (
	"strings"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// resources are the ARNs that a policy may name for a request: of a stream or, with an empty stream at the end, of a group, so that
// a policy for a group needs :* at its end. Tags have the group's bare ARN.
// Source: Amazon CloudWatch Logs User Guide, "Overview of managing access permissions", resources (checked 2026-12-01).
func resources(c *api.Call, in any) []string {
	stream := func(group, identifier, stream string) []string {
		if group == "" {
			group = strings.TrimPrefix(strings.TrimSuffix(identifier, ":*"), groupARN(placeOf(c), ""))
		}
		return []string{groupARN(placeOf(c), group) + ":log-stream:" + stream}
	}
	switch in := in.(type) {
	case *createLogGroupInput:
		return stream(in.LogGroupName, "", "")
	case *groupInput:
		return stream(in.LogGroupName, "", "")
	case *protectionInput:
		return stream("", in.LogGroupIdentifier, "")
	case *describeLogGroupsInput:
		return stream("", "", "")
	case *retentionInput:
		return stream(in.LogGroupName, "", "")
	case *streamInput:
		return stream(in.LogGroupName, "", in.LogStreamName)
	case *describeLogStreamsInput:
		return stream(in.LogGroupName, in.LogGroupIdentifier, "")
	case *putLogEventsInput:
		return stream(in.LogGroupName, "", in.LogStreamName)
	case *getLogEventsInput:
		return stream(in.LogGroupName, in.LogGroupIdentifier, in.LogStreamName)
	case *filterLogEventsInput:
		return stream(in.LogGroupName, in.LogGroupIdentifier, "")
	case *putMetricFilterInput:
		return stream(in.LogGroupName, "", "")
	case *filterInput:
		return stream(in.LogGroupName, "", "")
	case *describeMetricFiltersInput:
		return stream(in.LogGroupName, "", "")
	case *tagsInput:
		if in.LogGroupName != "" {
			return []string{groupARN(placeOf(c), in.LogGroupName)}
		}
		return []string{in.ResourceArn}
	case *untagLogGroupInput:
		return []string{groupARN(placeOf(c), in.LogGroupName)}
	}
	return nil
}
