// Package amqp is the wire format of AMQP 0-9-1, as RabbitMQ and its clients speak it: frames, methods, properties and
// field tables. It knows the bytes and none of the rules.
//
// A connection begins with [Preamble] from the client. What follows are frames; each belongs to a channel and carries a method,
// a content header, a piece of a content's body, or a heartbeat:
//
//	octet  short    long    size octets  octet
//	type   channel  size    payload      206
//
// Start reading at [Reader.Next] and [AppendMethod]; the methods themselves are a table of structs in methods.go.
//
// Sources: AMQP 0-9-1 specification, 2008-11-13 (chapters 2.3 and 4.2), and RabbitMQ's "AMQP 0-9-1 Errata" for the types of
// field values, which differ from the specification's (checked 2026-12-01).
package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Preamble is what a client sends first, and what a server answers to any other.
const Preamble = "AMQP\x00\x00\x09\x01"

// The types of frames.
const (
	FrameMethod    = 1
	FrameHeader    = 2
	FrameBody      = 3
	FrameHeartbeat = 8
)

const (
	frameEnd      = 206
	frameOverhead = 8 // type, channel, size and end
)

// MinFrameMax is the smallest frame size that a peer may negotiate, in bytes.
const MinFrameMax = 4096

// A SyntaxError is about bytes that are not what the format says. The connection cannot go on after it.
type SyntaxError struct{ Problem string }

func (e *SyntaxError) Error() string { return e.Problem }

func malformed(format string, args ...any) error {
	return &SyntaxError{fmt.Sprintf(format, args...)}
}

// ErrFrameTooLarge is wrapped by the error of a frame over the negotiated size.
var ErrFrameTooLarge = errors.New("frame is larger than negotiated")

// Frame is one frame. Its payload is valid until the next call of the Reader's Next.
type Frame struct {
	Type    byte
	Channel uint16
	Payload []byte
}

// Reader reads frames. It is not safe for concurrent use.
type Reader struct {
	r   io.Reader
	max uint32 // of a frame, with its overhead
	buf []byte
}

// NewReader returns a Reader that takes frames of up to max bytes, all told.
func NewReader(r io.Reader, max uint32) *Reader {
	return &Reader{r: r, max: max}
}

// Limit sets the size of the largest frame, once it is negotiated, in bytes. 0 is no limit.
func (r *Reader) Limit(max uint32) { r.max = max }

// Next reads one frame. Its error is io.EOF at the end of the stream between frames.
func (r *Reader) Next() (Frame, error) {
	var head [7]byte
	if _, err := io.ReadFull(r.r, head[:1]); err != nil {
		return Frame{}, err
	}
	if _, err := io.ReadFull(r.r, head[1:]); err != nil {
		return Frame{}, unexpected(err)
	}
	f := Frame{Type: head[0], Channel: binary.BigEndian.Uint16(head[1:])}
	size := binary.BigEndian.Uint32(head[3:])
	switch f.Type {
	case FrameMethod, FrameHeader, FrameBody, FrameHeartbeat:
	default:
		return Frame{}, malformed("unknown frame type %d", f.Type)
	}
	if r.max > 0 && uint64(size)+frameOverhead > uint64(r.max) {
		return Frame{}, fmt.Errorf("%w: type %d, all octets %d, max %d", ErrFrameTooLarge, f.Type, uint64(size)+frameOverhead, r.max)
	}
	payload, err := r.read(size)
	if err != nil {
		return Frame{}, err
	}
	if _, err := io.ReadFull(r.r, head[:1]); err != nil {
		return Frame{}, unexpected(err)
	}
	if head[0] != frameEnd {
		return Frame{}, malformed("a frame of %d bytes ends with %#x instead of 0xce", size, head[0])
	}
	f.Payload = payload
	return f, nil
}

// read reads size bytes. The buffer grows with what comes, not with what was announced.
func (r *Reader) read(size uint32) ([]byte, error) {
	const step = 1 << 20
	if uint64(cap(r.buf)) < uint64(min(size, step)) {
		r.buf = make([]byte, min(size, step))
	}
	if uint64(size) <= uint64(cap(r.buf)) {
		r.buf = r.buf[:size]
		_, err := io.ReadFull(r.r, r.buf)
		return r.buf, unexpected(err)
	}
	r.buf = r.buf[:cap(r.buf)]
	for have := uint32(0); ; {
		if _, err := io.ReadFull(r.r, r.buf[have:]); err != nil {
			return nil, unexpected(err)
		}
		have = uint32(len(r.buf))
		if have == size {
			return r.buf, nil
		}
		grown := make([]byte, min(uint64(size), 2*uint64(have)))
		copy(grown, r.buf)
		r.buf = grown
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// appendFrame appends a frame whose payload fill appends.
func appendFrame(b []byte, kind byte, channel uint16, fill func([]byte) ([]byte, error)) ([]byte, error) {
	start := len(b)
	b = append(b, kind)
	b = binary.BigEndian.AppendUint16(b, channel)
	b = append(b, 0, 0, 0, 0)
	b, err := fill(b)
	if err != nil {
		return b[:start], err
	}
	binary.BigEndian.PutUint32(b[start+3:], uint32(len(b)-start-7))
	return append(b, frameEnd), nil
}

// AppendHeartbeat appends a heartbeat.
func AppendHeartbeat(b []byte) []byte {
	return append(b, FrameHeartbeat, 0, 0, 0, 0, 0, 0, frameEnd)
}

// AppendMethod appends a method's frame.
func AppendMethod(b []byte, channel uint16, m Method) ([]byte, error) {
	return appendFrame(b, FrameMethod, channel, func(b []byte) ([]byte, error) { return appendMethod(b, m) })
}

// AppendContent appends a content's header and its body, in frames of up to frameMax bytes, all told (0: no limit).
func AppendContent(b []byte, channel uint16, p Properties, body []byte, frameMax uint32) ([]byte, error) {
	b, err := appendFrame(b, FrameHeader, channel, func(b []byte) ([]byte, error) {
		b = binary.BigEndian.AppendUint16(b, classBasic)
		b = append(b, 0, 0) // weight
		b = binary.BigEndian.AppendUint64(b, uint64(len(body)))
		return p.append(b)
	})
	if err != nil {
		return b, err
	}
	piece := len(body)
	if frameMax > 0 {
		piece = int(frameMax) - frameOverhead
	}
	for len(body) > 0 {
		n := min(piece, len(body))
		b = append(b, FrameBody)
		b = binary.BigEndian.AppendUint16(b, channel)
		b = binary.BigEndian.AppendUint32(b, uint32(n))
		b = append(append(b, body[:n]...), frameEnd)
		body = body[n:]
	}
	return b, nil
}

// ParseHeader reads the payload of a content header.
func ParseHeader(payload []byte) (p Properties, size uint64, err error) {
	d := decoder{b: payload}
	class, weight := d.short(), d.short()
	size = d.longlong()
	p = d.properties()
	switch {
	case d.err != nil:
		return Properties{}, 0, d.err
	case len(d.b) > 0:
		return Properties{}, 0, malformed("%d bytes follow the properties", len(d.b))
	case class != classBasic:
		return Properties{}, 0, malformed("a content header of class %d", class)
	case weight != 0:
		return Properties{}, 0, malformed("a content header of weight %d", weight)
	}
	return p, size, nil
}
