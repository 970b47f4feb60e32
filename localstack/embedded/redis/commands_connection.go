package redis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

var connectionCommands = map[string]func(*call){
	"auth": (*call).auth, "hello": (*call).hello, "select": (*call).selectDB, "ping": (*call).ping, "quit": (*call).quit, "reset": (*call).reset,
	"client": (*call).client,
}

func (k *call) auth() {
	user, password := "default", k.args[0]
	if len(k.args) > 2 {
		k.w.err("ERR syntax error")
		return
	}
	if len(k.args) == 2 {
		user, password = k.args[0], k.args[1]
	} else if k.s.settings["requirepass"] == "" {
		k.w.err("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
		return
	}
	if k.logIn(user, password) {
		k.w.ok()
	}
}

// logIn knows the default user only; without requirepass it takes any password, as Redis's nopass does.
func (k *call) logIn(user, password string) bool {
	if want := k.s.settings["requirepass"]; user != "default" || want != "" && want != password {
		k.w.err("WRONGPASS invalid username-password pair or user is disabled.")
		return false
	}
	k.c.authenticated = true
	return true
}

func (k *call) hello() {
	args := k.args
	protocol := 2
	if k.c.resp3 {
		protocol = 3
	}
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			k.w.err("ERR Protocol version is not an integer or out of range")
			return
		}
		if n != 2 && n != 3 {
			k.w.err("NOPROTO unsupported protocol version")
			return
		}
		protocol, args = n, args[1:]
	}
	name, named := "", false
	for len(args) > 0 {
		switch {
		case option(args[0], "auth") && len(args) >= 3:
			if !k.logIn(args[1], args[2]) {
				return
			}
			args = args[3:]
		case option(args[0], "setname") && len(args) >= 2:
			if !validClientName(args[1]) {
				k.w.err(errClientName)
				return
			}
			name, named, args = args[1], true, args[2:]
		default:
			k.w.errf("ERR Syntax error in HELLO option '%s'", args[0])
			return
		}
	}
	if k.s.settings["requirepass"] != "" && !k.c.authenticated {
		k.w.err("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
		return
	}
	if named {
		k.c.name = name
	}
	k.speak(protocol)
	k.w.mapping(7)
	for _, field := range []string{"server", "redis", "version", version} {
		k.w.bulk(field)
	}
	k.w.bulk("proto")
	k.w.int(protocol)
	k.w.bulk("id")
	k.w.int(int(k.c.id))
	for _, field := range []string{"mode", "standalone", "role", "master", "modules"} {
		k.w.bulk(field)
	}
	k.w.array(0)
}

func (k *call) speak(protocol int) {
	k.c.resp3 = protocol == 3
	k.c.peer.Resp3, k.w.resp3 = k.c.resp3, k.c.resp3
}

// databases is Redis's default for the setting of that name.
const databases = 16

func (k *call) selectDB() {
	n, err := strconv.Atoi(k.args[0])
	if err != nil {
		k.w.err("ERR value is not an integer or out of range")
		return
	}
	if n < 0 || n >= databases {
		k.w.err("ERR DB index is out of range")
		return
	}
	answer := k.store("SELECT", k.args[0])
	if !isError(answer) {
		*k.db = n
	}
	k.w.raw(answer)
}

func (k *call) ping() {
	if len(k.args) > 1 {
		k.wrongNumber("ping")
		return
	}
	text := ""
	if len(k.args) == 1 {
		text = k.args[0]
	}
	switch {
	case k.c.subscribed() && !k.c.resp3:
		k.w.array(2)
		k.w.bulk("pong")
		k.w.bulk(text)
	case len(k.args) == 1:
		k.w.bulk(text)
	default:
		k.w.simple("PONG")
	}
}

func (k *call) quit() {
	k.w.ok()
	k.c.quitting = true
}

func (k *call) reset() {
	k.c.transaction = nil
	k.c.unwatch()
	k.c.unsubscribeAll()
	k.c.name = ""
	k.c.authenticated = false
	k.c.noReply = replyOn
	k.speak(2)
	k.store("SELECT", "0")
	*k.db = 0
	k.w.simple("RESET")
}

const errClientName = "ERR Client names cannot contain spaces, newlines or special characters."

func validClientName(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '!' || r > '~' }) < 0
}

func (k *call) client() {
	sub, args := k.subcommand()
	wrong := func(ok bool) bool {
		if !ok {
			k.wrongNumber("client|" + sub)
		}
		return !ok
	}
	c := k.c
	switch sub {
	case "id":
		if wrong(len(args) == 0) {
			return
		}
		k.w.int(int(c.id))
	case "getname":
		if c.name == "" {
			k.w.null()
		} else {
			k.w.bulk(c.name)
		}
	case "setname":
		if wrong(len(args) == 1) {
			return
		}
		if !validClientName(args[0]) {
			k.w.err(errClientName)
			return
		}
		c.name = args[0]
		k.w.ok()
	case "setinfo":
		if wrong(len(args) == 2) {
			return
		}
		k.clientSetInfo(strings.ToLower(args[0]), args[1])
	case "info":
		k.w.text(c.describe() + "\n")
	case "list":
		k.clientList(args)
	case "kill":
		if wrong(len(args) > 0) {
			return
		}
		k.clientKill(args)
	case "unblock":
		if wrong(len(args) == 1 || len(args) == 2) {
			return
		}
		k.clientUnblock(args)
	case "reply":
		modes := map[string]replyMode{"on": replyOn, "off": replyOff, "skip": replySkipNext}
		mode, ok := modes[strings.ToLower(strings.Join(args, " "))]
		if !ok {
			k.w.err("ERR syntax error")
			return
		}
		if c.noReply = mode; mode == replyOn {
			k.w.ok()
		}
	case "no-evict", "no-touch":
		if len(args) != 1 || !option(args[0], "on") && !option(args[0], "off") {
			k.w.err("ERR syntax error")
			return
		}
		k.w.ok()
	default:
		k.unknownSubcommand()
	}
}

func (k *call) clientSetInfo(what, value string) {
	if !validClientName(value) {
		k.w.errf("ERR %s cannot contain spaces, newlines or special characters.", what)
		return
	}
	switch what {
	case "lib-name":
		k.c.library[0] = value
	case "lib-ver":
		k.c.library[1] = value
	default:
		k.w.errf("ERR Unrecognized option '%s'", what)
		return
	}
	k.w.ok()
}

// kind is the client's type as CLIENT LIST TYPE and CLIENT KILL TYPE take it.
func (c *conn) kind() string {
	if c.subscribed() {
		return "pubsub"
	}
	return "normal"
}

var clientKinds = []string{"normal", "master", "replica", "slave", "pubsub"}

func (k *call) clientList(args []string) {
	show := func(*conn) bool { return true }
	switch {
	case len(args) == 0:
	case len(args) == 2 && option(args[0], "type"):
		kind := strings.ToLower(args[1])
		if !slices.Contains(clientKinds, kind) {
			k.w.errf("ERR Unknown client type '%s'", args[1])
			return
		}
		show = func(c *conn) bool { return c.kind() == kind }
	case len(args) >= 2 && option(args[0], "id"):
		for _, id := range args[1:] {
			if n, err := strconv.ParseInt(id, 10, 64); err != nil || n < 1 {
				k.w.err("ERR Invalid client ID")
				return
			}
		}
		show = func(c *conn) bool { return slices.Contains(args[1:], strconv.FormatInt(c.id, 10)) }
	default:
		k.w.err("ERR syntax error")
		return
	}
	var b strings.Builder
	for _, c := range k.s.conns {
		if show(c) {
			b.WriteString(c.describe() + "\n")
		}
	}
	k.w.text(b.String())
}

func (c *conn) describe() string {
	now := time.Now()
	flags := ""
	if c.subscribed() {
		flags += "P"
	}
	if c.transaction != nil {
		flags += "x"
	}
	if c.block != nil {
		flags += "b"
	}
	if c.watchBroken {
		flags += "d"
	}
	if flags == "" {
		flags = "N"
	}
	multi, resp := -1, 2
	if c.transaction != nil {
		multi = len(c.transaction.queue)
	}
	if c.resp3 {
		resp = 3
	}
	waiting := c.out.size()
	return fmt.Sprintf("id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=%d sub=%d psub=%d ssub=%d multi=%d watch=%d "+
		"qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=%d oll=0 omem=%d tot-mem=%d events=r cmd=%s user=default redir=-1 resp=%d lib-name=%s lib-ver=%s",
		c.id, c.addr, c.laddr, c.id+7, c.name, int(now.Sub(c.since).Seconds()), int(now.Sub(c.lastActive).Seconds()), flags, c.db,
		len(c.channels), len(c.patterns), len(c.shards), multi, len(c.watched), waiting, waiting, waiting, c.lastCommand, resp, c.library[0], c.library[1])
}

func (k *call) clientKill(args []string) {
	if len(args) == 1 { // the old form: CLIENT KILL addr
		for _, c := range k.s.conns {
			if c.addr == args[0] {
				k.kill(c)
				k.w.ok()
				return
			}
		}
		k.w.err("ERR No such client")
		return
	}
	match, skipSelf := []func(*conn) bool{}, true
	if len(args)%2 != 0 {
		k.w.err("ERR syntax error")
		return
	}
	for ; len(args) > 0; args = args[2:] {
		value := args[1]
		switch strings.ToLower(args[0]) {
		case "id":
			id, err := strconv.ParseInt(value, 10, 64)
			if err != nil || id < 1 {
				k.w.err("ERR client-id should be greater than 0")
				return
			}
			match = append(match, func(c *conn) bool { return c.id == id })
		case "addr":
			match = append(match, func(c *conn) bool { return c.addr == value })
		case "laddr":
			match = append(match, func(c *conn) bool { return c.laddr == value })
		case "type":
			kind := strings.ToLower(value)
			if !slices.Contains(clientKinds, kind) {
				k.w.errf("ERR Unknown client type '%s'", value)
				return
			}
			match = append(match, func(c *conn) bool { return c.kind() == kind })
		case "user":
			if value != "default" {
				k.w.errf("ERR No such user '%s'", value)
				return
			}
		case "skipme":
			if !option(value, "yes") && !option(value, "no") {
				k.w.err("ERR syntax error")
				return
			}
			skipSelf = option(value, "yes")
		default:
			k.w.err("ERR syntax error")
			return
		}
	}
	killed := 0
	for _, c := range slices.Clone(k.s.conns) {
		if c == k.c && skipSelf || slices.ContainsFunc(match, func(m func(*conn) bool) bool { return !m(c) }) {
			continue
		}
		k.kill(c)
		killed++
	}
	k.w.int(killed)
}

// kill ends a connection; who kills itself still reads the answer.
func (k *call) kill(c *conn) {
	if c == k.c {
		c.quitting = true
	} else {
		c.drop()
	}
}

func (k *call) clientUnblock(args []string) {
	id, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		k.w.err("ERR value is not an integer or out of range")
		return
	}
	failing := len(args) == 2 && option(args[1], "error")
	if len(args) == 2 && !failing && !option(args[1], "timeout") {
		k.w.err("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
		return
	}
	for _, c := range k.s.conns {
		if c.id == id && c.block != nil {
			w := &reply{resp3: c.resp3}
			if failing {
				w.err("UNBLOCKED client unblocked via CLIENT UNBLOCK")
			} else {
				c.block.timedOut(w)
			}
			c.send(w.buf)
			c.block.end()
			k.w.int(1)
			return
		}
	}
	k.w.int(0)
}
