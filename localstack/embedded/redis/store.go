package redis

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // what names a script in Redis
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/alicebob/miniredis/v2/server"
)

// store has the store run a command, and returns its answer.
func (k *call) store(name string, args ...string) []byte {
	before := k.s.delegating
	defer func() { k.s.delegating = before }()
	k.s.delegating = k.peer
	k.buffer.begin(k.spec != nil && strings.HasPrefix(k.spec.name, "eval") && !k.nested)
	k.s.store.Server().Dispatch(k.peer, append([]string{name}, args...))
	k.peer.Flush()
	return bytes.Clone(k.buffer.Bytes())
}

// answer is where the store writes what it answers.
type answer struct {
	bytes.Buffer
	script bool   // the answer is what a script returns: a table can contain itself, and then the store goes on for ever
	open   []int  // elements still to come, of each array that is open
	text   int    // bytes still to come, of a bulk string and its end
	line   []byte // the start of a line whose rest is to come
}

// maxDepth is how deep arrays may be nested in a script's answer: as deep as Lua 5.1's C stack goes (LUAI_MAXCSTACK, luaconf.h).
const maxDepth = 8000

// errTooDeep is what answer.Write panics with: the store pays no heed to an error.
var errTooDeep = errors.New("redis: a script's answer is nested too deep")

func (a *answer) begin(script bool) {
	*a = answer{Buffer: a.Buffer, script: script}
	a.Reset()
}

func (a *answer) Write(p []byte) (int, error) {
	if a.script {
		a.follow(p)
	}
	return a.Buffer.Write(p)
}

// follow keeps count of the arrays that are open.
func (a *answer) follow(p []byte) {
	for len(p) > 0 {
		if a.text > 0 {
			n := min(a.text, len(p))
			p = p[n:]
			if a.text -= n; a.text == 0 {
				a.element()
			}
			continue
		}
		end := bytes.IndexByte(p, '\n') + 1
		if end == 0 {
			a.line = append(a.line, p...)
			return
		}
		a.line = append(a.line, p[:end]...)
		p = p[end:]
		kind := a.line[0]
		n, _ := strconv.Atoi(string(bytes.TrimSpace(a.line[1:])))
		a.line = a.line[:0]
		switch {
		case kind == '*' && n > 0:
			if a.open = append(a.open, n); len(a.open) > maxDepth {
				panic(errTooDeep)
			}
		case kind == '$' && n >= 0:
			a.text = n + len("\r\n")
		default:
			a.element()
		}
	}
}

// element ends an element, and with it the arrays of which it is the last.
func (a *answer) element() {
	for top := len(a.open) - 1; top >= 0; top-- {
		if a.open[top]--; a.open[top] > 0 {
			return
		}
		a.open = a.open[:top]
	}
}

// fromScript is called for every command that the store is to run. What comes from a script is run as any other command is.
func (s *Server) fromScript(p *server.Peer, name string, args ...string) bool {
	if p == s.delegating || s.running == nil {
		return false
	}
	var buffer answer
	inner := server.NewPeer(bufio.NewWriter(&buffer))
	inner.Ctx, inner.Resp3 = p.Ctx, p.Resp3
	w := &reply{resp3: p.Resp3}
	k := &call{s: s, c: s.running, args: args, w: w, db: &s.scriptDB, peer: inner, buffer: &buffer, nested: true}
	switch name = strings.ToLower(name); {
	case !k.known(name, name):
		if k.spec != nil {
			w.buf = nil
			w.err("ERR Wrong number of args calling Redis command from script")
		}
	case k.spec.is(flagNoScript):
		w.err("ERR This Redis command is not allowed from script")
	default:
		k.run()
	}
	p.WriteRaw(string(w.buf))
	return true
}

// inRESP3 puts into Redis's form what the store answers in another one to a client that speaks RESP3.
func (k *call) inRESP3(answer []byte) []byte {
	if len(answer) == 0 {
		return answer
	}
	paired := hasWord(k.args, "withscores") || hasWord(k.args, "withvalues") // as options: the values they are named like come first
	switch k.spec.name {
	case "zpopmin", "zpopmax":
		paired = len(k.args) > 1
	case "zrange", "zrangebyscore", "zrevrange", "zrevrangebyscore", "zunion", "zinter", "zrandmember", "hrandfield":
	case "zscan":
		return regexp.MustCompile(`(?m)^,([^\r]*)\r$`).ReplaceAllFunc(answer, func(score []byte) []byte {
			text := score[1 : len(score)-1]
			return fmt.Appendf(nil, "$%d\r\n%s\r", len(text), text)
		})
	case "sinter", "sunion", "sdiff", "spop":
		if answer[0] == '*' {
			answer[0] = '~'
		}
		return answer
	case "lmpop", "zmpop":
		if isNull(answer) {
			return []byte("_\r\n")
		}
		return answer
	default:
		return answer
	}
	if !paired || answer[0] != '*' && answer[0] != '%' || isNull(answer) {
		return answer
	}
	return inPairs(answer)
}

// inPairs turns a flat list of names and numbers, or a map, into a list of pairs.
func inPairs(answer []byte) []byte {
	r := bufio.NewReader(bytes.NewReader(answer))
	head, _ := readLine(r)
	n, _ := strconv.Atoi(head[1:])
	if head[0] == '*' {
		n /= 2
	}
	w := reply{resp3: true}
	w.array(n)
	for range n {
		w.array(2)
		for range 2 {
			line, _ := readLine(r)
			if size, ok := strings.CutPrefix(line, "$"); ok {
				length, _ := strconv.Atoi(size)
				text, _ := readBulk(r, length)
				w.bulk(text)
			} else {
				w.raw([]byte(line + "\r\n"))
			}
		}
	}
	return w.buf
}

var (
	scriptFailure = regexp.MustCompile(`^-ERR Error compiling script \(new function\): (?::(\d+): )?(.*?) +stack traceback:.*?:(\d+): in main chunk`)
	errorCode     = regexp.MustCompile(`^[A-Z]+ `)
)

// scriptError words what went wrong while a script ran as Redis does; the store gives a Lua stack trace.
func (k *call) scriptError(answer string) []byte {
	m := scriptFailure.FindStringSubmatch(answer)
	if m == nil { // before it ran
		return []byte(strings.Replace(answer, "<string>", "user_script", 1))
	}
	what, line := m[2], m[3]
	switch {
	case strings.HasPrefix(what, "Unknown Redis command"):
		what = "ERR Unknown Redis command called from script"
	case strings.HasPrefix(what, "Write commands are not allowed"):
		what = "ERR Write commands are not allowed from read-only scripts."
	case strings.HasPrefix(what, "Script attempted to create global"):
		what = "ERR user_script:" + line + ": Attempt to modify a readonly table"
	case !errorCode.MatchString(what):
		what = "ERR user_script:" + line + ": " + what
	}
	sha := strings.ToLower(k.args[0])
	if k.spec.name == "eval" || k.spec.name == "eval_ro" {
		sum := sha1.Sum([]byte(k.args[0])) //nolint:gosec // see above
		sha = hex.EncodeToString(sum[:])
	}
	return fmt.Appendf(nil, "-%s script: %s, on @user_script:%s.\r\n", what, sha, line)
}
