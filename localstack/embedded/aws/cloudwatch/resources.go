package cloudwatch

import "github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"

// resources are the ARNs that a policy may name for a request. Metrics have none.
// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudWatch" (checked 2026-12-01).
func resources(c *api.Call, in any) []string {
	alarms := func(names ...string) (arns []string) {
		for _, name := range names {
			if name != "" {
				arns = append(arns, alarmARN(placeOf(c), name))
			}
		}
		return arns
	}
	switch in := in.(type) {
	case *putMetricAlarmInput:
		return alarms(in.AlarmName)
	case *setAlarmStateInput:
		return alarms(in.AlarmName)
	case *alarmNamesInput:
		return alarms(in.AlarmNames...)
	case *describeAlarmsInput:
		return alarms(in.AlarmNames...)
	case *describeAlarmHistoryInput:
		return alarms(in.AlarmName)
	case *tagResourceInput:
		return []string{in.ResourceARN}
	case *untagResourceInput:
		return []string{in.ResourceARN}
	case *listTagsForResourceInput:
		return []string{in.ResourceARN}
	case *putDashboardInput:
		return []string{dashboardARN(c.Account, in.DashboardName)}
	case *getDashboardInput:
		return []string{dashboardARN(c.Account, in.DashboardName)}
	case *deleteDashboardsInput:
		arns := make([]string, len(in.DashboardNames))
		for i, name := range in.DashboardNames {
			arns[i] = dashboardARN(c.Account, name)
		}
		return arns
	}
	return nil
}
