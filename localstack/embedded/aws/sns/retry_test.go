package sns_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	client "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func TestBackoffFunctions(t *testing.T) {
	// The fifth of ten retries from 5 to 260 seconds: the guide's curves lie above each other in this order.
	fifth := map[string]time.Duration{}
	for _, function := range []string{"linear", "arithmetic", "geometric", "exponential"} {
		run(t, function+" backoff goes from the least delay to the most and never down", func(t *testing.T, c *cloud) {
			topic := c.topic()
			w := c.webServer("127.0.0.1:80")
			sub := c.confirmed(topic, w)
			c.set(sub, "DeliveryPolicy", `{"healthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":260,"numRetries":10,"backoffFunction":"`+function+`"}}`)
			w.answer(500, 0)
			c.publish(topic, "hello")
			time.Sleep(2 * time.Hour)
			at := w.attempts()
			if len(at) != 11 || at[1] != 5*time.Second || at[10]-at[9] != 260*time.Second {
				t.Fatalf("attempts at %v, want 11, from 5 s to 260 s apart", at)
			}
			for i := 2; i < len(at); i++ {
				if at[i]-at[i-1] < at[i-1]-at[i-2] {
					t.Errorf("attempts at %v: the delay shrinks before the one at %v", at, at[i])
				}
			}
			fifth[function] = at[5] - at[4]
		})
	}
	if fifth["linear"] <= fifth["arithmetic"] || fifth["arithmetic"] <= fifth["geometric"] || fifth["geometric"] <= fifth["exponential"] {
		t.Errorf("fifth delays: %v", fifth)
	}
}

func TestDeliveryPolicyLimits(t *testing.T) {
	tests := []struct{ policy, want string }{
		{`{"healthyRetryPolicy":{"minDelayTarget":0}}`, "minDelayTarget must be from 1 to maxDelayTarget"},
		{`{"healthyRetryPolicy":{"minDelayTarget":30}}`, "minDelayTarget must be from 1 to maxDelayTarget"},
		{`{"healthyRetryPolicy":{"maxDelayTarget":3601}}`, "maxDelayTarget must be from 1 to 3600"},
		{`{"healthyRetryPolicy":{"numRetries":101}}`, "numRetries must be from 0 to 100"},
		{`{"healthyRetryPolicy":{"numRetries":1,"numNoDelayRetries":2}}`, "must be at least the sum"},
		{`{"healthyRetryPolicy":{"numRetries":2,"numNoDelayRetries":-1}}`, "none below 0"},
		{`{"healthyRetryPolicy":{"backoffFunction":"cubic"}}`, "backoffFunction must be"},
		{`{"healthyRetryPolicy":{"numRetries":100,"minDelayTarget":60,"maxDelayTarget":60}}`, "the most is 1h0m0s"},
		{`{"throttlePolicy":{"maxReceivesPerSecond":0}}`, "maxReceivesPerSecond must be at least 1"},
		{`{"retry":{}}`, "unknown field"},
		{`text`, "failed to parse JSON"},
		{`{} {}`, "failed to parse JSON"},
	}
	for _, tt := range tests {
		run(t, "refused: "+tt.policy, func(t *testing.T, c *cloud) {
			topic := c.topic()
			sub := c.subscribe(topic, "http://127.0.0.1:80")
			name := "DeliveryPolicy"
			_, err := c.SetSubscriptionAttributes(t.Context(), &client.SetSubscriptionAttributesInput{SubscriptionArn: &sub, AttributeName: &name, AttributeValue: &tt.policy})
			if !errorIs[*types.InvalidParameterException](err) || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
