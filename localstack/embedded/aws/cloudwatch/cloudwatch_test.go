package cloudwatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/cloudwatch"
)

// call makes a request of the query protocol, or of JSON if the body is an object.
func call(t *testing.T, s *cloudwatch.Service, action, body string) (status int, answer string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	if strings.HasPrefix(body, "{") {
		r.Header.Set("X-Amz-Target", "GraniteServiceVersion20100801."+action)
	} else {
		form, err := url.ParseQuery(body)
		if err != nil {
			t.Fatal(err)
		}
		form.Set("Action", action)
		form.Set("Version", "2010-08-01")
		r = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20261201/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=x")
	w := httptest.NewRecorder()
	aws.NewEndpoint(slog.New(slog.DiscardHandler), s.API()).ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

func TestProtocols(t *testing.T) {
	s := cloudwatch.New(cloudwatch.Options{})
	defer s.Close()
	at := time.Now().UTC().Truncate(time.Minute)
	status, answer := call(t, s, "PutMetricData", "Namespace=App&MetricData.member.1.MetricName=M&MetricData.member.1.Value=3&MetricData.member.1.Unit=Count"+
		"&MetricData.member.1.Dimensions.member.1.Name=Server&MetricData.member.1.Dimensions.member.1.Value=a&MetricData.member.1.Timestamp="+url.QueryEscape(at.Format(time.RFC3339)))
	if status != 200 {
		t.Fatalf("query: %d %s", status, answer)
	}
	status, answer = call(t, s, "PutMetricData", fmt.Sprintf(`{"Namespace":"App","MetricData":[{"MetricName":"M","Values":[4],"Unit":"Count","Timestamp":%d,"Dimensions":[{"Name":"Server","Value":"a"}]}]}`, at.Unix()))
	if status != 200 {
		t.Fatalf("JSON: %d %s", status, answer)
	}
	_, answer = call(t, s, "GetMetricStatistics", fmt.Sprintf(`{"Namespace":"App","MetricName":"M","Dimensions":[{"Name":"Server","Value":"a"}],"StartTime":%d,"EndTime":%d,"Period":60,"Statistics":["Sum"]}`, at.Unix(), at.Unix()+60))
	if want := fmt.Sprintf(`{"Label":"M","Datapoints":[{"Timestamp":%d,"Sum":7,"Unit":"Count"}]}`, at.Unix()); answer != want {
		t.Errorf("JSON answers %s, want %s", answer, want)
	}
	_, answer = call(t, s, "ListMetrics", "Namespace=App")
	if !strings.Contains(answer, "<Metrics><member><Namespace>App</Namespace><MetricName>M</MetricName><Dimensions><member><Name>Server</Name><Value>a</Value></member></Dimensions></member></Metrics>") {
		t.Errorf("query answers %s", answer)
	}
	if status, answer = call(t, s, "PutMetricData", "Namespace=AWS/X&MetricData.member.1.MetricName=M&MetricData.member.1.Value=3"); status != 400 || !strings.Contains(answer, "<Code>InvalidParameterValue</Code>") {
		t.Errorf("query error %d %s", status, answer)
	}
	if status, answer = call(t, s, "GetDashboard", `{"DashboardName":"none"}`); status != 404 || !strings.Contains(answer, "#DashboardNotFoundError") {
		t.Errorf("JSON error %d %s", status, answer)
	}
}

func TestAlarmInvokesFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const function = "arn:aws:lambda:us-east-1:000000000000:function:f"
		events := make(chan []byte, 1)
		s := cloudwatch.New(cloudwatch.Options{Invoke: func(_ context.Context, arn string, event []byte) error {
			if arn != function {
				t.Errorf("invoked %s", arn)
			}
			events <- event
			return nil
		}})
		defer s.Close()
		form := "AlarmName=a&Namespace=App&MetricName=M&Statistic=Sum&Period=60&EvaluationPeriods=1&Threshold=1&ComparisonOperator=GreaterThanThreshold&AlarmActions.member.1="
		if status, answer := call(t, s, "PutMetricAlarm", form+url.QueryEscape("arn:aws:sns:us-east-1:000000000000:t")); status != 400 || !strings.Contains(answer, "not offered") {
			t.Errorf("a topic without SNS: %d %s", status, answer)
		}
		if status, answer := call(t, s, "PutMetricAlarm", form+url.QueryEscape(function)); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
		s.Put("000000000000", "us-east-1", "App", cloudwatch.Datum{Metric: "M", Value: 5})
		var event struct {
			Source    string
			AlarmData struct {
				AlarmName     string
				State         struct{ Value string }
				Configuration struct {
					Metrics []struct {
						MetricStat struct{ Metric struct{ Name string } }
					}
				}
			}
		}
		if err := json.Unmarshal(<-events, &event); err != nil {
			t.Fatal(err)
		}
		if event.Source != "aws.cloudwatch" || event.AlarmData.State.Value != "ALARM" || event.AlarmData.Configuration.Metrics[0].MetricStat.Metric.Name != "M" {
			t.Errorf("%+v", event)
		}
	})
}

// A source is asked when somebody reads its namespace or an alarm on it is evaluated, and else never.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cloudwatch.New(cloudwatch.Options{})
		defer s.Close()
		asked := 0
		var mu sync.Mutex
		s.Watch("App", func(account, region string) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			s.Put(account, region, "App", cloudwatch.Datum{Metric: "M", Value: 1})
		})
		want := func(n int, why string) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if asked != n {
				t.Errorf("%s: asked %d times, want %d", why, asked, n)
			}
		}
		time.Sleep(24 * time.Hour)
		want(0, "idle")
		call(t, s, "ListMetrics", "Namespace=Other")
		want(0, "another namespace")
		if _, answer := call(t, s, "ListMetrics", "Namespace=App"); !strings.Contains(answer, "<MetricName>M</MetricName>") {
			t.Errorf("listed: %s", answer)
		}
		want(1, "a read")
		call(t, s, "PutMetricAlarm", "AlarmName=a&Namespace=App&MetricName=M&Statistic=Sum&Period=60&EvaluationPeriods=1&Threshold=1&ComparisonOperator=GreaterThanThreshold")
		time.Sleep(10 * time.Minute)
		want(11, "ten evaluations")
		call(t, s, "DeleteAlarms", "AlarmNames.member.1=a")
		time.Sleep(24 * time.Hour)
		want(11, "idle again")
	})
}

// Puts and evaluations at once, for the race detector, and an end while both go on.
func TestConcurrentUse(t *testing.T) {
	s := cloudwatch.New(cloudwatch.Options{Notify: func(context.Context, string, string, string) error { return nil }})
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() {
			for j := range 200 {
				s.Put("000000000000", "us-east-1", "App", cloudwatch.Datum{Metric: "M", Value: float64(j), Resolution: 1})
				call(t, s, "SetAlarmState", fmt.Sprintf("AlarmName=a&StateReason=r&StateValue=%s", []string{"OK", "ALARM"}[(i+j)%2]))
				call(t, s, "PutMetricAlarm", "AlarmName=a&Namespace=App&MetricName=M&Statistic=Sum&Period=10&EvaluationPeriods=1&Threshold=1&ComparisonOperator=GreaterThanThreshold&AlarmActions.member.1=arn:aws:sns:us-east-1:000000000000:t")
			}
		})
	}
	running.Wait()
	s.Close()
	s.Close()
}

func BenchmarkPut(b *testing.B) {
	s := cloudwatch.New(cloudwatch.Options{})
	defer s.Close()
	dimensions := []cloudwatch.Dimension{{Name: "QueueName", Value: "q"}}
	b.ReportAllocs()
	for b.Loop() {
		s.Put("000000000000", "us-east-1", "AWS/SQS", cloudwatch.Datum{Metric: "M", Dimensions: dimensions, Value: 1})
	}
}

// What a policy is asked about: the action with CloudWatch's own prefix, and the alarm.
func TestResources(t *testing.T) {
	s := cloudwatch.New(cloudwatch.Options{})
	defer s.Close()
	for _, test := range []struct{ action, in, want string }{
		{"SetAlarmState", `{"AlarmName":"a","StateValue":"OK","StateReason":"r"}`, "cloudwatch:SetAlarmState [arn:aws:cloudwatch:us-east-1:000000000000:alarm:a]"},
		{"DeleteAlarms", `{"AlarmNames":["a","b"]}`, "cloudwatch:DeleteAlarms [arn:aws:cloudwatch:us-east-1:000000000000:alarm:a arn:aws:cloudwatch:us-east-1:000000000000:alarm:b]"},
		{"GetDashboard", `{"DashboardName":"d"}`, "cloudwatch:GetDashboard [arn:aws:cloudwatch::000000000000:dashboard/d]"},
		{"DeleteDashboards", `{"DashboardNames":["d","e"]}`, "cloudwatch:DeleteDashboards [arn:aws:cloudwatch::000000000000:dashboard/d arn:aws:cloudwatch::000000000000:dashboard/e]"},
		{"PutMetricData", `{}`, "cloudwatch:PutMetricData []"},
	} {
		got := ""
		c := &api.Call{Context: t.Context(), Account: "000000000000", Region: "us-east-1", Action: test.action, Authorize: func(action string, resources ...string) error {
			got = fmt.Sprint(action, " ", resources)
			return errors.New("denied")
		}}
		s.API().ServeJSON(httptest.NewRecorder(), c, []byte(test.in))
		if got != test.want {
			t.Errorf("asked for %s, want %s", got, test.want)
		}
	}
}
