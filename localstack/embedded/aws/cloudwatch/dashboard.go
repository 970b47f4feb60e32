package cloudwatch

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Rules of dashboards.
// Source: PutDashboard; Amazon CloudWatch API Reference, "Dashboard body structure and syntax" (checked 2026-12-01).
const (
	maxWidgets        = 500
	dashboardsPerPage = 1000
)

var dashboardName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

var widgetTypes = []string{"metric", "text", "log", "alarm", "explorer", "custom"}

type dashboard struct {
	body     string
	modified time.Time
}

func dashboardARN(account, name string) string {
	return "arn:aws:cloudwatch::" + account + ":dashboard/" + name
}

func isJSON(text string) bool { return json.Valid([]byte(text)) }

type putDashboardInput struct {
	DashboardName, DashboardBody string
	Tags                         []tag
}

type validationMessage struct{ DataPath, Message string }

type putDashboardOutput struct{ DashboardValidationMessages []validationMessage }

func (s *Service) putDashboard(c *api.Call, in *putDashboardInput) (*putDashboardOutput, error) {
	switch {
	case in.DashboardName == "":
		return nil, missing("DashboardName")
	case !dashboardName.MatchString(in.DashboardName):
		return nil, invalidValue("The value %s for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_).", in.DashboardName)
	case len(in.Tags) > 0:
		return nil, notOfferedHere("Tags of a dashboard")
	}
	if faults := checkDashboard(in.DashboardBody); len(faults) > 0 {
		return nil, &api.Error{
			Code: "DashboardInvalidInputError", QueryCode: "InvalidParameterInput",
			Message: fmt.Sprintf("The field DashboardBody must be a valid JSON object: %s %s", faults[0].DataPath, faults[0].Message),
			Details: map[string]any{"dashboardValidationMessages": faults},
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dashboards[c.Account] == nil {
		s.dashboards[c.Account] = map[string]dashboard{}
	}
	s.dashboards[c.Account][in.DashboardName] = dashboard{in.DashboardBody, time.Now()}
	return &putDashboardOutput{[]validationMessage{}}, nil
}

// checkDashboard returns what is wrong with a dashboard's body: it must be an object whose widgets have a known type and properties.
func checkDashboard(body string) []validationMessage {
	var root struct {
		Widgets []struct {
			Type       *string         `json:"type"`
			Properties json.RawMessage `json:"properties"`
		} `json:"widgets"`
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &object); err != nil || object == nil {
		return []validationMessage{{"/", "The dashboard body is not a JSON object"}}
	}
	if object["widgets"] == nil {
		return []validationMessage{{"/", `Should have required property "widgets"`}}
	}
	if err := json.Unmarshal([]byte(body), &root); err != nil {
		return []validationMessage{{"/widgets", "Should be an array of widgets"}}
	}
	if len(root.Widgets) > maxWidgets {
		return []validationMessage{{"/widgets", fmt.Sprintf("Should NOT have more than %d items", maxWidgets)}}
	}
	var faults []validationMessage
	for i, w := range root.Widgets {
		path := fmt.Sprintf("/widgets/%d", i)
		switch {
		case w.Type == nil:
			faults = append(faults, validationMessage{path, `Should have required property "type"`})
		case !slices.Contains(widgetTypes, *w.Type):
			faults = append(faults, validationMessage{path + "/type", "Should be one of " + strings.Join(widgetTypes, ", ")})
		case !strings.HasPrefix(string(w.Properties), "{"):
			faults = append(faults, validationMessage{path, `Should have required property "properties"`})
		}
	}
	return faults
}

func noDashboard(name string) error {
	return &api.Error{Code: "DashboardNotFoundError", QueryCode: "ResourceNotFound", Message: "Dashboard " + name + " does not exist", Status: 404}
}

type getDashboardInput struct{ DashboardName string }

type getDashboardOutput struct{ DashboardArn, DashboardBody, DashboardName string }

func (s *Service) getDashboard(c *api.Call, in *getDashboardInput) (*getDashboardOutput, error) {
	if in.DashboardName == "" {
		return nil, missing("DashboardName")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.dashboards[c.Account][in.DashboardName]
	if !ok {
		return nil, noDashboard(in.DashboardName)
	}
	return &getDashboardOutput{dashboardARN(c.Account, in.DashboardName), d.body, in.DashboardName}, nil
}

type listDashboardsInput struct{ DashboardNamePrefix, NextToken string }

type dashboardEntry struct {
	DashboardName, DashboardArn string
	LastModified                api.Timestamp
	Size                        int // bytes
}

type listDashboardsOutput struct {
	DashboardEntries []dashboardEntry
	NextToken        string `json:",omitempty"`
}

func (s *Service) listDashboards(c *api.Call, in *listDashboardsInput) (*listDashboardsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []dashboardEntry{}
	for _, name := range slices.Sorted(maps.Keys(s.dashboards[c.Account])) {
		if d := s.dashboards[c.Account][name]; strings.HasPrefix(name, in.DashboardNamePrefix) {
			all = append(all, dashboardEntry{name, dashboardARN(c.Account, name), api.At(d.modified), len(d.body)})
		}
	}
	entries, next, err := paged(all, in.NextToken, dashboardsPerPage)
	if err != nil {
		return nil, err
	}
	return &listDashboardsOutput{entries, next}, nil
}

type deleteDashboardsInput struct{ DashboardNames []string }

// deleteDashboards deletes all or, if one of them is not there, none.
func (s *Service) deleteDashboards(c *api.Call, in *deleteDashboardsInput) (*struct{}, error) {
	if len(in.DashboardNames) == 0 {
		return nil, missing("DashboardNames")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range in.DashboardNames {
		if _, ok := s.dashboards[c.Account][name]; !ok {
			return nil, noDashboard(name)
		}
	}
	for _, name := range in.DashboardNames {
		delete(s.dashboards[c.Account], name)
	}
	return &struct{}{}, nil
}
