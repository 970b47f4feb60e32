package sqs

import (
	"crypto/md5" // the service's own checksum; no secret depends on it
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

func md5Hex(sum [md5.Size]byte) string { return hex.EncodeToString(sum[:]) }

// attributesMD5 is the checksum of message attributes: over each in the order of their names, its name, type and value, each
// preceded by its length in four bytes, with a byte before the value that tells text (1) from binary (2).
// Source: Developer Guide, sqs-message-metadata, "Calculating the MD5 message digest for message attributes".
func attributesMD5(attributes map[string]MessageAttribute) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	field := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		field(name)
		field(a.DataType)
		if strings.HasPrefix(a.DataType, "Binary") {
			b = append(b, 2)
			field(string(a.BinaryValue))
		} else {
			b = append(b, 1)
			field(a.StringValue)
		}
	}
	return md5Hex(md5.Sum(b))
}
