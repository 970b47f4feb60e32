package iam

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/policy"
)

const (
	maxTags       = 50
	maxPolicyText = 131072 // characters of any document, before its own limit
	defaultPage   = 100
	maxPage       = 1000
)

var (
	namePattern  = regexp.MustCompile(`^[\w+=,.@-]+$`)
	pathPattern  = regexp.MustCompile(`^(/|/[\x21-\x7e]+/)$`)
	tagPattern   = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	textPattern  = regexp.MustCompile("^[\t\n\r -~\u00a0-\u00ff]*$") // what a document may consist of
	awsPolicyARN = regexp.MustCompile(`^arn:aws:iam::(aws|[0-9]{12}):policy/[\x21-\x7e]+$`)
)

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func checkName(field, name string, most int) error {
	switch {
	case name == "":
		return constraint(field, "", "not be null")
	case len(name) > most:
		return constraint(field, "", "have length less than or equal to "+strconv.Itoa(most))
	case !namePattern.MatchString(name):
		return validation("The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-", field)
	}
	return nil
}

func checkPath(path string) error {
	if len(path) > 512 {
		return constraint("path", "", "have length less than or equal to 512")
	}
	if !pathPattern.MatchString(path) {
		return validation("The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return nil
}

func checkDescription(text string) error {
	if utf8.RuneCountInString(text) > 1000 {
		return constraint("description", "", "have length less than or equal to 1000")
	}
	return nil
}

func checkPolicyARN(arn string) error {
	switch {
	case arn == "":
		return constraint("policyArn", "", "not be null")
	case len(arn) < 20:
		return constraint("policyArn", arn, "have length greater than or equal to 20")
	case !awsPolicyARN.MatchString(arn):
		return invalidInput("ARN %s is not valid.", arn)
	}
	return nil
}

type tag struct{ Key, Value string }

// setTags returns tags with more added or overwritten. Keys are the same in any case.
func setTags(tags, more []tag) ([]tag, error) {
	if len(more) > maxTags {
		return nil, constraint("tags", "", "have length less than or equal to 50")
	}
	tags = slices.Clone(tags)
	added := map[string]bool{}
	for i, t := range more {
		key := strings.ToLower(t.Key)
		at := fmt.Sprintf("tags.%d.member.", i+1)
		switch {
		case t.Key == "":
			return nil, constraint(at+"key", "", "have length greater than or equal to 1")
		case utf8.RuneCountInString(t.Key) > 128:
			return nil, constraint(at+"key", "", "have length less than or equal to 128")
		case utf8.RuneCountInString(t.Value) > 256:
			return nil, constraint(at+"value", "", "have length less than or equal to 256")
		case !tagPattern.MatchString(t.Key):
			return nil, constraint(at+"key", "", `satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+`)
		case !tagPattern.MatchString(t.Value):
			return nil, constraint(at+"value", "", `satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]*`)
		case strings.HasPrefix(key, "aws:"):
			return nil, invalidInput("Invalid tag key. System tags with prefix 'aws:' are reserved.")
		case added[key]:
			return nil, invalidInput("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		added[key] = true
		if i := slices.IndexFunc(tags, func(old tag) bool { return strings.EqualFold(old.Key, t.Key) }); i >= 0 {
			tags[i] = t
		} else {
			tags = append(tags, t)
		}
	}
	if len(tags) > maxTags {
		return nil, limitExceeded("The number of tags has reached the maximum limit.")
	}
	return tags, nil
}

func dropTags(tags []tag, keys []string) []tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, t.Key) })
	})
}

// document is a policy as it was given.
type document struct {
	text   string
	parsed *policy.Document
}

// encoded is the document as answers have it.
// Source: IAM API Reference, GetRole and others: documents are URL-encoded compliant with RFC 3986 (checked 2026-12-01).
func (d document) encoded() string { return strings.ReplaceAll(url.QueryEscape(d.text), "+", "%20") }

// size is the document's length without white space, which the quotas count.
func size(text string) int {
	n := 0
	for _, r := range text {
		if !strings.ContainsRune(" \t\r\n", r) {
			n++
		}
	}
	return n
}

func (s *Service) document(kind policy.Kind, field, text string) (document, error) {
	switch {
	case text == "":
		return document{}, constraint(field, "", "not be null")
	case len(text) > maxPolicyText:
		return document{}, constraint(field, "", "have length less than or equal to 131072")
	case !textPattern.MatchString(text):
		return document{}, constraint(field, "", `satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+`)
	}
	d, err := policy.Parse(kind, text)
	var e *policy.Error
	if errors.As(err, &e) {
		if e.Detail != "" {
			s.log.Info("malformed policy", "why", e.Detail)
		}
		return document{}, malformedPolicy(e.Message)
	}
	if s.evaluable != nil {
		for _, key := range d.Keys() {
			if kind == policy.Trust && (!strings.HasPrefix(key, "aws:") || strings.HasPrefix(key, "aws:requesttag/") || key == "aws:tagkeys") {
				continue // AssumeRole tells its own, and what federation tells is missing from every request
			}
			if !s.evaluable(key) {
				return document{}, malformedPolicy("The local cloud enforces policies and cannot evaluate the condition key " + key + ".")
			}
		}
	}
	return document{text, d}, nil
}

// page is the part of a list that a request asks for.
type page struct {
	Marker   string
	MaxItems *int
}

// pageOutput ends the answer of a list.
type pageOutput struct {
	IsTruncated bool
	Marker      string
}

// cut returns a page of items, which name orders, and how it ends.
func cut[T any](items []T, name func(T) string, p page) ([]T, pageOutput, error) {
	most := defaultPage
	if p.MaxItems != nil {
		if most = *p.MaxItems; most < 1 || most > maxPage {
			return nil, pageOutput{}, validation("1 validation error detected: Value '%d' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000", most)
		}
	}
	slices.SortFunc(items, func(a, b T) int { return strings.Compare(name(a), name(b)) })
	if p.Marker != "" {
		last, err := base64.StdEncoding.DecodeString(p.Marker)
		if err != nil {
			return nil, pageOutput{}, validation("Invalid Marker.")
		}
		items = slices.DeleteFunc(items, func(item T) bool { return name(item) <= string(last) })
	}
	if len(items) <= most {
		return items, pageOutput{}, nil
	}
	return items[:most], pageOutput{true, base64.StdEncoding.EncodeToString([]byte(name(items[most-1])))}, nil
}

// uniqueID returns an identifier of the kind that the prefix says: AROA for a role.
// Source: IAM User Guide, "IAM identifiers", unique identifiers (checked 2026-12-01).
func uniqueID(prefix string, length int) string { return prefix + rand.Text()[:length-len(prefix)] }
