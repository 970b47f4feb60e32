package sqs

import (
	"fmt"
	"regexp"
)

const maxBatchEntries = 10

var batchEntryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// checkBatch applies the rules that every batch has; an offence fails the whole batch.
func checkBatch[E any](entryType string, entries []E, id func(*E) string) error {
	if len(entries) == 0 {
		return typed("EmptyBatchRequest", "There should be at least one "+entryType+" in the request.")
	}
	if len(entries) > maxBatchEntries {
		return typed("TooManyEntriesInBatchRequest", fmt.Sprintf("Maximum number of entries per request are %d. You have sent %d.", maxBatchEntries, len(entries)))
	}
	seen := make(map[string]bool, len(entries))
	for i := range entries {
		id := id(&entries[i])
		if !batchEntryID.MatchString(id) {
			return typed("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[id] {
			return typed("BatchEntryIdsNotDistinct", "Id "+id+" repeated.")
		}
		seen[id] = true
	}
	return nil
}
