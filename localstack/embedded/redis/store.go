package redis

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // what names a script in Redis
	"encoding/hex"
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
	k.buffer.Reset()
	k.s.store.Server().Dispatch(k.peer, append([]string{name}, args...))
	k.peer.Flush()
	return bytes.Clone(k.buffer.Bytes())
}

// fromScript is called for every command that the store is to run. What comes from a script is run as any other command is.
func (s *Server) fromScript(p *server.Peer, name string, args ...string) bool {
	if p == s.delegating || s.running == nil {
		return false
	}
	var buffer bytes.Buffer
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
