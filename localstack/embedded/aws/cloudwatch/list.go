package cloudwatch

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Rules of ListMetrics.
const (
	metricsPerPage = 500
	listedFor      = 14 * day // since the last datapoint
	recently       = 3 * time.Hour
)

type listMetricsInput struct {
	Namespace, MetricName string
	Dimensions            []Dimension // without a value: any
	NextToken             string
	RecentlyActive        string
	IncludeLinkedAccounts bool
	OwningAccount         string
}

type listMetricsOutput struct {
	Metrics   []listedMetric
	NextToken string `json:",omitempty"`
}

type listedMetric struct {
	Namespace, MetricName string
	Dimensions            []Dimension
}

func (s *Service) listMetrics(c *api.Call, in *listMetricsInput) (*listMetricsOutput, error) {
	switch {
	case in.RecentlyActive != "" && in.RecentlyActive != "PT3H":
		return nil, invalidValue("The value %s for parameter RecentlyActive must be PT3H.", in.RecentlyActive)
	case in.IncludeLinkedAccounts || in.OwningAccount != "" && in.OwningAccount != c.Account:
		return nil, notOfferedHere("IncludeLinkedAccounts")
	case len(in.Dimensions) > 10:
		return nil, invalidValue("The collection Dimensions must not have a size greater than 10.")
	}
	if in.Namespace == "" {
		s.collect(placeOf(c))
	} else {
		s.collect(placeOf(c), in.Namespace)
	}
	within := listedFor
	if in.RecentlyActive != "" {
		within = recently
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	all := []listedMetric{}
	for key, x := range s.series {
		x.age(now)
		if x.empty() {
			delete(s.series, key)
			continue
		}
		if key.place != placeOf(c) || in.Namespace != "" && key.namespace != in.Namespace || in.MetricName != "" && key.metric != in.MetricName ||
			now.Sub(time.Unix(x.latest, 0)) > within || !x.has(in.Dimensions) {
			continue
		}
		all = append(all, listedMetric{key.namespace, key.metric, append([]Dimension{}, x.dimensions...)})
	}
	slices.SortFunc(all, func(x, y listedMetric) int {
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.MetricName, y.MetricName),
			slices.CompareFunc(x.Dimensions, y.Dimensions, func(a, b Dimension) int {
				return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
			}))
	})
	metrics, next, err := paged(all, in.NextToken, metricsPerPage)
	if err != nil {
		return nil, err
	}
	return &listMetricsOutput{metrics, next}, nil
}

// has tells whether the metric has all of the dimensions; one without a value stands for any value.
func (x *series) has(dimensions []Dimension) bool {
	for _, d := range dimensions {
		if !slices.ContainsFunc(x.dimensions, func(e Dimension) bool { return e.Name == d.Name && (d.Value == "" || e.Value == d.Value) }) {
			return false
		}
	}
	return true
}
