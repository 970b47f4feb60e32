package sns

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// deduplicationInterval is how long a FIFO topic accepts a message again without delivering it again.
const deduplicationInterval = 5 * time.Minute

// firstSequence starts a topic's sequence numbers, which have 20 digits and are not consecutive.
const firstSequence, sequenceStep = 10_000_000_000_000_000_000, 1000

// order is what makes a topic a FIFO topic: it numbers messages and remembers those of the last five minutes.
type order struct {
	contentBased bool // ContentBasedDeduplication
	perGroup     bool // FifoThroughputScope is MessageGroup
	sequence     uint64
	recent       map[deduplication]*message
	oldest       []remembered // in the order of their time
}

type deduplication struct{ group, id string } // group is empty where the scope is the topic

type remembered struct {
	key deduplication
	at  time.Time
}

// setFIFO sets an attribute that only FIFO topics have.
func (t *topic) setFIFO(name, value string) error {
	switch name {
	case "ContentBasedDeduplication":
		on, err := parseBool(name, value)
		if err != nil {
			return err
		}
		t.order.contentBased = on
	case "FifoThroughputScope":
		if value != "Topic" && value != "MessageGroup" {
			return reason("FifoThroughputScope: Invalid value [%s]. Must be Topic or MessageGroup.", value)
		}
		t.order.perGroup = value == "MessageGroup"
	case "ArchivePolicy":
		return t.setArchive(value)
	}
	t.attributes[name] = value
	return nil
}

// deduplicationID returns the deduplication id of a message that comes without: the SHA-256 of its body, and of nothing else.
func deduplicationID(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// admit numbers a message of a FIFO topic, or returns the message that it repeats.
func (o *order) admit(m *message) (original *message) {
	now := m.published
	for len(o.oldest) > 0 && now.Sub(o.oldest[0].at) >= deduplicationInterval {
		delete(o.recent, o.oldest[0].key)
		o.oldest = o.oldest[1:]
	}
	key := deduplication{id: m.deduplicationID}
	if o.perGroup {
		key.group = m.groupID
	}
	if original, ok := o.recent[key]; ok {
		return original
	}
	if o.recent == nil {
		o.recent = map[deduplication]*message{}
	}
	o.recent[key] = m
	o.oldest = append(o.oldest, remembered{key, now})
	m.sequence = strconv.FormatUint(o.sequence, 10)
	o.sequence += sequenceStep
	return nil
}
