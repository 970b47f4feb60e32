//go:build !synctests

package grade

// kafkaRuns says whether this binary's Kafka client can run in virtual time.
const kafkaRuns = false
