package redis

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// protocolError ends a connection after it was told to the client.
type protocolError string

func (e protocolError) Error() string { return string(e) }

// Limits of a request, as Redis has them (src/networking.c, and proto-max-bulk-len of redis.conf).
const (
	maxInline    = 64 << 10
	maxArguments = 1 << 20
	maxBulk      = 512 << 20
)

// readRequest reads an array of bulk strings, or a line of words as people type it.
func readRequest(r *bufio.Reader) ([]string, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(line, "*") {
		return splitInline(line)
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil || n > maxArguments {
		return nil, protocolError("invalid multibulk length")
	}
	var args []string // grows with what really arrives, not with what was announced
	for range max(n, 0) {
		line, err := readLine(r)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(line, "$") {
			first := ""
			if line != "" {
				first = line[:1]
			}
			return nil, protocolError(fmt.Sprintf("expected '$', got '%s'", first))
		}
		size, err := strconv.Atoi(line[1:])
		if err != nil || size < 0 || size > maxBulk {
			return nil, protocolError("invalid bulk length")
		}
		arg, err := readBulk(r, size)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	return args, nil
}

func readBulk(r *bufio.Reader, size int) (string, error) {
	var b bytes.Buffer
	if _, err := io.CopyN(&b, r, int64(size)); err != nil {
		return "", err
	}
	if _, err := r.Discard(2); err != nil {
		return "", err
	}
	return b.String(), nil
}

func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return strings.TrimRight(string(line), "\r\n"), nil
		}
		if err != bufio.ErrBufferFull {
			return "", err
		}
		if len(line) > maxInline {
			return "", protocolError("too big inline request")
		}
	}
}

// splitInline splits words at blanks; "double" and 'single' quotes keep blanks in a word.
func splitInline(line string) ([]string, error) {
	var words []string
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		var word strings.Builder
		for line != "" && !strings.ContainsRune(" \t", rune(line[0])) {
			quote := line[0]
			if quote != '"' && quote != '\'' {
				word.WriteByte(line[0])
				line = line[1:]
				continue
			}
			end := 1
			for end < len(line) && line[end] != quote {
				if line[end] == '\\' && end+1 < len(line) {
					end++
				}
				word.WriteByte(line[end])
				end++
			}
			if end >= len(line) {
				return nil, protocolError("unbalanced quotes in request")
			}
			line = line[end+1:]
		}
		words = append(words, word.String())
	}
	return words, nil
}

// reply is the answer to one command, in the connection's version of the protocol.
type reply struct {
	buf   []byte
	resp3 bool
}

func (w *reply) raw(b []byte) { w.buf = append(w.buf, b...) }
func (w *reply) simple(s string) {
	w.buf = append(append(append(w.buf, '+'), oneLine(s)...), "\r\n"...)
}
func (w *reply) ok()          { w.simple("OK") }
func (w *reply) err(s string) { w.buf = append(append(append(w.buf, '-'), oneLine(s)...), "\r\n"...) }
func (w *reply) errf(format string, args ...any) {
	w.err(fmt.Sprintf(format, args...))
}

func (w *reply) header(kind byte, n int) {
	w.buf = append(strconv.AppendInt(append(w.buf, kind), int64(n), 10), "\r\n"...)
}
func (w *reply) int(n int)   { w.header(':', n) }
func (w *reply) array(n int) { w.header('*', n) }

func (w *reply) bulk(s string) {
	w.header('$', len(s))
	w.buf = append(append(w.buf, s...), "\r\n"...)
}

func (w *reply) bulks(s []string) {
	w.array(len(s))
	for _, s := range s {
		w.bulk(s)
	}
}

// mapping starts n pairs.
func (w *reply) mapping(n int) {
	if w.resp3 {
		w.header('%', n)
	} else {
		w.array(2 * n)
	}
}

// push starts an out-of-band message of n parts.
func (w *reply) push(n int) {
	if w.resp3 {
		w.header('>', n)
	} else {
		w.array(n)
	}
}

func (w *reply) null() {
	if w.resp3 {
		w.buf = append(w.buf, "_\r\n"...)
	} else {
		w.buf = append(w.buf, "$-1\r\n"...)
	}
}

func (w *reply) nullArray() {
	if w.resp3 {
		w.buf = append(w.buf, "_\r\n"...)
	} else {
		w.buf = append(w.buf, "*-1\r\n"...)
	}
}

// text is a bulk string that RESP3 marks as plain text.
func (w *reply) text(s string) {
	if w.resp3 {
		w.header('=', len(s)+4)
		w.buf = append(append(append(w.buf, "txt:"...), s...), "\r\n"...)
	} else {
		w.bulk(s)
	}
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, s)
}

// The store's answers are looked at only in their first element.

func isError(answer []byte) bool { return len(answer) > 0 && answer[0] == '-' }

func isNull(answer []byte) bool {
	return bytes.HasPrefix(answer, []byte("$-1")) || bytes.HasPrefix(answer, []byte("*-1")) || bytes.HasPrefix(answer, []byte("_"))
}

// answerInt returns the integer of an answer, or 0 when it is something else.
func answerInt(answer []byte) int {
	if len(answer) == 0 || answer[0] != ':' {
		return 0
	}
	line, _, _ := bytes.Cut(answer[1:], []byte("\r\n"))
	n, _ := strconv.Atoi(string(line))
	return n
}

// answerStrings returns the strings of an answer that is one string or a flat array of them.
func answerStrings(answer []byte) []string {
	var found []string
	r := bufio.NewReader(bytes.NewReader(answer))
	for {
		line, err := readLine(r)
		if err != nil || line == "" {
			return found
		}
		switch line[0] {
		case '$':
			if n, err := strconv.Atoi(line[1:]); err == nil && n >= 0 {
				s, err := readBulk(r, n)
				if err != nil {
					return found
				}
				found = append(found, s)
			}
		case '+', ':', ',':
			found = append(found, line[1:])
		}
	}
}
