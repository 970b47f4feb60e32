package cloudwatch

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Limits of PutMetricData.
const (
	maxData       = 1000 // a request
	maxValues     = 150  // a datum
	maxDimensions = 30
	maxName       = 255 // characters of a name or namespace
	maxDimValue   = 1024
	maxPast       = 14 * day
	maxAhead      = 2 * time.Hour
	maxPutBody    = 1 << 20 // bytes; checked by what the data would take in the smallest form
)

var maxMagnitude = math.Pow(2, 360)

var units = []string{
	"Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes",
	"Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second",
	"Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second",
	"Gigabits/Second", "Terabits/Second", "Count/Second", "None",
}

type putMetricDataInput struct {
	Namespace              string
	MetricData             []metricDatum
	EntityMetricData       []struct{ MetricData []metricDatum }
	StrictEntityValidation bool
}

type metricDatum struct {
	MetricName        string
	Dimensions        []Dimension
	Timestamp         api.Timestamp
	Value             *float64
	StatisticValues   *Set
	Values, Counts    []float64
	Unit              string
	StorageResolution *int
}

func (s *Service) putMetricData(c *api.Call, in *putMetricDataInput) (*struct{}, error) {
	switch {
	case len(in.EntityMetricData) > 0:
		return nil, notOfferedHere("EntityMetricData")
	case in.Namespace == "":
		return nil, missing("Namespace")
	case strings.HasPrefix(in.Namespace, "AWS/"):
		return nil, invalidValue("The value AWS/ for parameter Namespace is invalid.")
	case len(in.MetricData) == 0:
		return nil, missing("MetricData")
	case len(in.MetricData) > maxData:
		return nil, invalidValue("The collection MetricData must not have a size greater than %d.", maxData)
	}
	if err := checkNamespace(in.Namespace); err != nil {
		return nil, err
	}
	now := time.Now()
	size := 0
	for i := range in.MetricData {
		d := &in.MetricData[i]
		if err := d.check("MetricData.member."+strconv.Itoa(i+1), now); err != nil {
			return nil, err
		}
		size += len(d.MetricName) + 9*(1+len(d.Values)+len(d.Counts))
		for _, dim := range d.Dimensions {
			size += len(dim.Name) + len(dim.Value)
		}
	}
	if size > maxPutBody {
		return nil, &api.Error{Code: "RequestEntityTooLarge", Message: "The request is larger than 1 MB.", Status: 413}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range in.MetricData {
		d := &in.MetricData[i]
		at := now
		if !d.Timestamp.IsZero() {
			at = d.Timestamp.Time
		}
		resolution := 60
		if d.StorageResolution != nil {
			resolution = *d.StorageResolution
		}
		unit := d.Unit
		if unit == "" {
			unit = "None"
		}
		target := s.open(placeOf(c), in.Namespace, d.MetricName, d.Dimensions)
		switch {
		case d.StatisticValues != nil:
			target.add(now, at, resolution, unit, setBucket(*d.StatisticValues))
		case d.Value != nil:
			target.add(now, at, resolution, unit, valueBucket(*d.Value, 1))
		default:
			for j, v := range d.Values {
				count := 1.0
				if d.Counts != nil {
					count = d.Counts[j]
				}
				target.add(now, at, resolution, unit, valueBucket(v, count))
			}
		}
	}
	return &struct{}{}, nil
}

func (d *metricDatum) check(path string, now time.Time) error {
	if d.MetricName == "" {
		return missing(path + ".MetricName")
	}
	if err := checkName(path+".MetricName", d.MetricName); err != nil {
		return err
	}
	if err := checkDimensions(path, d.Dimensions); err != nil {
		return err
	}
	given := 0
	for _, is := range []bool{d.Value != nil, d.Values != nil, d.StatisticValues != nil} {
		if is {
			given++
		}
	}
	switch {
	case given == 0:
		return missing(path + ".Value")
	case given > 1:
		return invalidCombination("The parameters %s.Value, %s.Values and %s.StatisticValues are mutually exclusive and you have specified more than one.", path, path, path)
	case d.Counts != nil && d.Values == nil:
		return invalidCombination("The parameter %s.Counts needs %s.Values.", path, path)
	case len(d.Values) > maxValues:
		return invalidValue("The collection %s.Values must not have a size greater than %d.", path, maxValues)
	case d.Values != nil && len(d.Values) == 0:
		return invalidValue("The collection %s.Values must not be empty.", path)
	case d.Counts != nil && len(d.Counts) != len(d.Values):
		return invalidValue("The parameters %s.Values and %s.Counts must be of the same size.", path, path)
	case d.Unit != "" && !slices.Contains(units, d.Unit):
		return invalidValue("The parameter %s.Unit must be a value in the set [ %s ].", path, strings.Join(units, ", "))
	case d.StorageResolution != nil && *d.StorageResolution != 1 && *d.StorageResolution != 60:
		return invalidValue("The parameter %s.StorageResolution must be 1 or 60.", path)
	}
	if t := d.Timestamp; !t.IsZero() && (now.Sub(t.Time) > maxPast || t.Sub(now) > maxAhead) {
		return invalidValue("The parameter %s.Timestamp must specify a time no more than two weeks in the past and no more than two hours in the future.", path)
	}
	numbers := map[string][]float64{"Values": d.Values, "Counts": d.Counts}
	if d.Value != nil {
		numbers["Value"] = []float64{*d.Value}
	}
	if set := d.StatisticValues; set != nil {
		numbers["StatisticValues"] = []float64{set.SampleCount, set.Sum, set.Minimum, set.Maximum}
		switch {
		case set.SampleCount <= 0:
			return invalidValue("The parameter %s.StatisticValues.SampleCount must be greater than 0.", path)
		case set.Minimum > set.Maximum:
			return invalidValue("The parameter %s.StatisticValues.Maximum must be greater than or equal to %s.StatisticValues.Minimum.", path, path)
		}
	}
	for name, list := range numbers {
		for _, v := range list {
			if math.IsNaN(v) || math.Abs(v) > maxMagnitude {
				return invalidValue("The value %v for parameter %s.%s is invalid.", v, path, name)
			}
		}
	}
	for _, n := range d.Counts {
		if n <= 0 {
			return invalidValue("The value %v for parameter %s.Counts is invalid.", n, path)
		}
	}
	return nil
}

func checkNamespace(namespace string) error {
	if utf8.RuneCountInString(namespace) > maxName || strings.HasPrefix(namespace, ":") || strings.Trim(namespace, namespaceChars) != "" {
		return invalidValue("The value %s for parameter Namespace is invalid.", namespace)
	}
	return nil
}

const namespaceChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/#: "

func checkName(parameter, name string) error {
	if utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, isControl) {
		return invalidValue("The value %s for parameter %s is invalid.", name, parameter)
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

func checkDimensions(path string, dimensions []Dimension) error {
	if len(dimensions) > maxDimensions {
		return invalidValue("The collection %s.Dimensions must not have a size greater than %d.", path, maxDimensions)
	}
	for i, d := range dimensions {
		at := path + ".Dimensions.member." + strconv.Itoa(i+1)
		switch {
		case d.Name == "":
			return missing(at + ".Name")
		case d.Value == "":
			return missing(at + ".Value")
		case strings.HasPrefix(d.Name, ":") || utf8.RuneCountInString(d.Name) > maxName || !isASCII(d.Name):
			return invalidValue("The value %s for parameter %s.Name is invalid.", d.Name, at)
		case utf8.RuneCountInString(d.Value) > maxDimValue || !isASCII(d.Value) || strings.TrimSpace(d.Value) == "":
			return invalidValue("The value %s for parameter %s.Value is invalid.", d.Value, at)
		case slices.ContainsFunc(dimensions[:i], func(other Dimension) bool { return other.Name == d.Name }):
			return invalidValue("The dimension %s is given more than once.", d.Name)
		}
	}
	return nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return isControl(r) || r > 0x7e })
}
