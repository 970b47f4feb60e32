package sns

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
)

// pageSize is how many topics or subscriptions a list returns at once.
// Source: Amazon SNS API Reference, "ListTopics" and "ListSubscriptions" (checked 2026-12-01).
const pageSize = 100

// page returns the next page of the ARNs for which keep holds, in their order, and the token of the page after it.
// A token names the last ARN returned: what is created or deleted in between moves no other ARN to another page.
func page[T any](all map[string]T, token string, keep func(T) bool) (arns []string, next string, err error) {
	after, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, "", invalid("NextToken")
	}
	for _, arn := range slices.Sorted(maps.Keys(all)) {
		if strings.Compare(arn, string(after)) <= 0 || !keep(all[arn]) {
			continue
		}
		if len(arns) == pageSize {
			return arns, base64.RawURLEncoding.EncodeToString([]byte(arns[pageSize-1])), nil
		}
		arns = append(arns, arn)
	}
	return arns, "", nil
}
