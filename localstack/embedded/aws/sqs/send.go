package sqs

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
	engine "github.com/brokerdojo/brokerdojo/localstack/embedded/queue"
)

// Limits of a message: quotas-messages, sqs-message-metadata.
const (
	maxDelay             = 900 // seconds
	maxMessageAttributes = 10
	maxAttributeName     = 256 // characters, and of its type
	maxNumberDigits      = 38
	maxBatchSize         = 1 << 20 // bytes, of all messages of a batch together
)

// MessageAttribute is a typed value that a message carries beside its body.
type MessageAttribute struct {
	DataType    string // String, Number or Binary; a label may follow after a period
	StringValue string `json:",omitempty"` // of a String or Number
	BinaryValue []byte `json:",omitempty"`

	// In the API, but not supported by the service.
	StringListValues []string `json:",omitempty" query:"StringListValue"`
	BinaryListValues [][]byte `json:",omitempty" query:"BinaryListValue"`
}

// message is what the engine keeps of a message for us. It does not change after it was sent.
type message struct {
	body       string
	bodyMD5    [md5.Size]byte
	attributes map[string]MessageAttribute
	dedupID    string
	trace      string // AWSTraceHeader
	sender     string
	sent       int64 // milliseconds since 1970
}

type sendMessageInput struct {
	QueueUrl                string
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]MessageAttribute `query:"MessageAttribute,key=Name,value=Value"`
	MessageSystemAttributes map[string]MessageAttribute `query:"MessageSystemAttribute,key=Name,value=Value"`
	MessageDeduplicationId  string
	MessageGroupId          string
}

type sendMessageOutput struct {
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	MessageId                    string
	SequenceNumber               string `json:",omitempty"`
}

func (s *Service) sendMessage(c *api.Call, in *sendMessageInput) (*sendMessageOutput, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	e, err := q.entry(c.Account, in)
	if err != nil {
		return nil, err
	}
	receipts, err := q.engine.Enqueue(e)
	if err != nil {
		return nil, queueDoesNotExist(c)
	}
	q.countSent(in)
	return s.sent(q, e, in.MessageSystemAttributes, receipts[0]), nil
}

func (s *Service) sent(q *queue, e engine.Entry, system map[string]MessageAttribute, r engine.Receipt) *sendMessageOutput {
	m := e.Value.(*message)
	out := &sendMessageOutput{
		MD5OfMessageBody: md5Hex(m.bodyMD5), MD5OfMessageAttributes: attributesMD5(m.attributes),
		MD5OfMessageSystemAttributes: attributesMD5(system), MessageId: s.messageID(r.ID),
	}
	if q.fifo {
		out.SequenceNumber = sequenceNumber(r.Seq)
	}
	return out
}

// entry checks a message against the rules of the queue.
func (q *queue) entry(sender string, in *sendMessageInput) (engine.Entry, error) {
	set := q.settings.Load()
	m := &message{
		body: in.MessageBody, bodyMD5: md5.Sum([]byte(in.MessageBody)), attributes: in.MessageAttributes,
		sender: sender, sent: time.Now().UnixMilli(),
	}
	e := engine.Entry{Value: m, Group: in.MessageGroupId, Delay: set.delay}
	if err := checkContent(in); err != nil {
		return e, err
	}
	if size(in) > set.maxMessageSize {
		return e, invalid(fmt.Sprintf("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", set.maxMessageSize))
	}
	for n, a := range in.MessageSystemAttributes {
		if n != "AWSTraceHeader" || a.DataType != "String" || a.StringValue == "" {
			return e, invalid("Message system attribute name '" + n + "' is invalid.")
		}
		m.trace = a.StringValue
	}
	if err := checkID("MessageGroupId", in.MessageGroupId); err != nil {
		return e, err
	}
	if err := checkID("MessageDeduplicationId", in.MessageDeduplicationId); err != nil {
		return e, err
	}
	if in.DelaySeconds != nil {
		d := *in.DelaySeconds
		switch {
		case d < 0 || d > maxDelay:
			return e, invalidValue(strconv.Itoa(d), "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
		case q.fifo && d != 0:
			return e, invalidValue(strconv.Itoa(d), "DelaySeconds", "The request include parameter that is not valid for this queue type.")
		case !q.fifo:
			e.Delay = time.Duration(d) * time.Second
		}
	}
	if !q.fifo {
		if in.MessageDeduplicationId != "" {
			return e, invalidValue(in.MessageDeduplicationId, "MessageDeduplicationId", "The request include parameter that is not valid for this queue type.")
		}
		return e, nil
	}
	if in.MessageGroupId == "" {
		return e, missingParameter("MessageGroupId")
	}
	m.dedupID = in.MessageDeduplicationId
	if m.dedupID == "" {
		if !set.contentDedup {
			return e, noDeduplicationID()
		}
		sum := sha256.Sum256([]byte(in.MessageBody)) // of the body only: attributes do not make a difference
		m.dedupID = hex.EncodeToString(sum[:])
	}
	e.DedupID = m.dedupID
	return e, nil
}

func noDeduplicationID() error {
	return invalid("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
}

// size of a message is its body and its attributes with their names and types; system attributes do not count.
func size(in *sendMessageInput) int {
	n := len(in.MessageBody)
	for name, a := range in.MessageAttributes {
		n += len(name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
	}
	return n
}

var idPattern = regexp.MustCompile("^[A-Za-z0-9!\"#$%&'()*+,./:;<=>?@\\[\\]\\\\^_`{|}~-]{1,128}$")

func checkID(parameter, id string) error {
	if id != "" && !idPattern.MatchString(id) {
		return invalidValue(id, parameter, parameter+" can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	return nil
}

func checkContent(in *sendMessageInput) error {
	if in.MessageBody == "" {
		return missingParameter("MessageBody")
	}
	if r, ok := forbiddenRune(in.MessageBody); ok {
		return api.Errorf("InvalidMessageContents", "Invalid binary character '#x%X' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20 to #xD7FF] | [#xE000 to #xFFFD] | [#x10000 to #x10FFFF]", r)
	}
	if n := len(in.MessageAttributes); n > maxMessageAttributes {
		return invalid(fmt.Sprintf("Number of message attributes [%d] exceeds the allowed maximum [%d].", n, maxMessageAttributes))
	}
	for name, a := range in.MessageAttributes {
		if err := checkAttribute(name, a); err != nil {
			return err
		}
	}
	return nil
}

// forbiddenRune returns the first character that XML 1.0, and so a message, cannot contain.
func forbiddenRune(s string) (rune, bool) {
	for i, r := range s {
		switch {
		case r >= 0x20 && r <= 0xD7FF, r == '\t', r == '\n', r == '\r', r >= 0xE000 && r < utf8.RuneError, r >= 0x10000:
		case r == utf8.RuneError:
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return rune(s[i]), true
			}
		default:
			return r, true
		}
	}
	return 0, false
}

var attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func checkAttribute(name string, a MessageAttribute) error {
	kind, _, _ := strings.Cut(a.DataType, ".")
	lower := strings.ToLower(name)
	switch {
	case len(name) > maxAttributeName || !attributeName.MatchString(name):
		return invalid("Message (user) attribute name '" + name + "' is invalid: it can contain A-Z, a-z, 0-9, underscore, hyphen and period, up to 256 characters, must not start or end with a period, and must not have periods in succession.")
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return invalid("You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use.")
	case a.DataType == "":
		return invalid("The message (user) attribute '" + name + "' must contain a non-empty message attribute type.")
	case kind != "String" && kind != "Number" && kind != "Binary" || len(a.DataType) > maxAttributeName:
		return invalid("The message (user) attribute '" + name + "' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.")
	case len(a.StringListValues)+len(a.BinaryListValues) > 0:
		return typed("UnsupportedOperation", "Message attribute list values in SendMessage operation are not supported.")
	case kind == "Binary" && len(a.BinaryValue) == 0, kind != "Binary" && a.StringValue == "":
		return invalid("Message (user) attribute '" + name + "' must contain a non-empty value of type '" + kind + "'.")
	case kind == "Binary" && a.StringValue != "", kind != "Binary" && len(a.BinaryValue) > 0:
		return invalid("Message (user) attribute '" + name + "' has both a value of type String and one of type Binary.")
	case kind == "Number" && !isNumber(a.StringValue):
		return invalid("Can't cast the value of message (user) attribute '" + name + "' to a number.")
	}
	if r, ok := forbiddenRune(a.StringValue); ok {
		return invalid(fmt.Sprintf("Invalid binary character '#x%X' was found in the message (user) attribute '%s' value, the set of allowed characters is #x9 | #xA | #xD | [#x20 to #xD7FF] | [#xE000 to #xFFFD] | [#x10000 to #x10FFFF]", r, name))
	}
	return nil
}

var number = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$`)

// isNumber: up to 38 digits of precision, between 10^-128 and 10^126.
func isNumber(v string) bool {
	if len(v) > 256 || !number.MatchString(v) {
		return false
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(strings.TrimLeft(v, "+-")), "e")
	if digits := strings.Trim(strings.Replace(mantissa, ".", "", 1), "0"); len(digits) > maxNumberDigits {
		return false
	}
	f, _, err := big.ParseFloat(v, 10, 64, big.ToNearestEven)
	if err != nil {
		return false
	}
	most := new(big.Float).SetMantExp(big.NewFloat(1), 419) // 2^419 > 10^126
	return f.Abs(f).Cmp(most) <= 0
}

type sendMessageBatchInput struct {
	QueueUrl string
	Entries  []sendMessageBatchRequestEntry `query:"SendMessageBatchRequestEntry"`
}

type sendMessageBatchRequestEntry struct {
	Id                      string
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]MessageAttribute `query:"MessageAttribute,key=Name,value=Value"`
	MessageSystemAttributes map[string]MessageAttribute `query:"MessageSystemAttribute,key=Name,value=Value"`
	MessageDeduplicationId  string
	MessageGroupId          string
}

type sendMessageBatchOutput struct {
	Successful []sendMessageBatchResultEntry `query:"SendMessageBatchResultEntry"`
	Failed     []BatchResultErrorEntry       `query:"BatchResultErrorEntry"`
}

type sendMessageBatchResultEntry struct {
	Id                           string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	MessageId                    string
	SequenceNumber               string `json:",omitempty"`
}

func (s *Service) sendMessageBatch(c *api.Call, in *sendMessageBatchInput) (*sendMessageBatchOutput, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("SendMessageBatchRequestEntry", in.Entries, func(e *sendMessageBatchRequestEntry) string { return e.Id }); err != nil {
		return nil, err
	}
	out := &sendMessageBatchOutput{Successful: []sendMessageBatchResultEntry{}, Failed: []BatchResultErrorEntry{}}
	messages := make([]*sendMessageInput, len(in.Entries))
	total := 0
	for i, e := range in.Entries {
		messages[i] = &sendMessageInput{MessageBody: e.MessageBody, DelaySeconds: e.DelaySeconds, MessageAttributes: e.MessageAttributes,
			MessageSystemAttributes: e.MessageSystemAttributes, MessageDeduplicationId: e.MessageDeduplicationId, MessageGroupId: e.MessageGroupId}
		total += size(messages[i])
		switch { // these fail the whole batch, other faults their entry only (recorded from the service, see errors.go)
		case e.MessageBody == "":
			return nil, missingParameter("MessageBody")
		case q.fifo && e.MessageGroupId == "":
			return nil, invalid("The request must contain the parameter MessageGroupId.")
		case q.fifo && e.MessageDeduplicationId == "" && !q.settings.Load().contentDedup:
			return nil, noDeduplicationID()
		}
	}
	if total > maxBatchSize {
		return nil, typed("BatchRequestTooLong", fmt.Sprintf("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBatchSize, total))
	}
	var entries []engine.Entry
	var sent []int // indices of what is in entries
	for i, m := range messages {
		e, err := q.entry(c.Account, m)
		if err != nil {
			out.Failed = append(out.Failed, failed(in.Entries[i].Id, err))
			continue
		}
		entries, sent = append(entries, e), append(sent, i)
	}
	receipts, err := q.engine.Enqueue(entries...)
	if err != nil {
		return nil, queueDoesNotExist(c)
	}
	for j, i := range sent {
		q.countSent(messages[i])
		r := s.sent(q, entries[j], messages[i].MessageSystemAttributes, receipts[j])
		out.Successful = append(out.Successful, sendMessageBatchResultEntry{in.Entries[i].Id, r.MD5OfMessageBody, r.MD5OfMessageAttributes, r.MD5OfMessageSystemAttributes, r.MessageId, r.SequenceNumber})
	}
	return out, nil
}

// messageID makes the number of a message a UUID: two rounds of a mixing function that maps different numbers to different ones.
func (s *Service) messageID(id uint64) string {
	a, b := mix(id^s.seed[0]), mix(id+s.seed[1])
	var raw [16]byte
	for i := range 8 {
		raw[i], raw[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80 // version 4, variant 1
	var text [36]byte
	hex.Encode(text[0:], raw[0:4])
	hex.Encode(text[9:], raw[4:6])
	hex.Encode(text[14:], raw[6:8])
	hex.Encode(text[19:], raw[8:10])
	hex.Encode(text[24:], raw[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// sequenceNumber is a number of 20 digits that grows with every message but not by one, as the service's are.
func sequenceNumber(seq uint64) string { return fmt.Sprintf("188%017d", seq*256) }
