package redis

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

var serverCommands = map[string]func(*call){
	"acl": (*call).acl, "cluster": (*call).cluster, "readonly": (*call).cluster, "readwrite": (*call).cluster,
	"command": (*call).command, "config": (*call).config, "info": (*call).info, "slowlog": (*call).slowlog,
	"role": (*call).role, "lastsave": (*call).lastSave, "flushall": (*call).flush, "flushdb": (*call).flush, "swapdb": (*call).swapDB,
}

func (k *call) acl() {
	switch sub, _ := k.subcommand(); sub {
	case "whoami":
		k.w.bulk("default")
	case "users":
		k.w.bulks([]string{"default"})
	default:
		k.unknownSubcommand()
	}
}

func (k *call) cluster() { k.w.err("ERR This instance has cluster support disabled") }

func (k *call) role() {
	k.w.array(3)
	k.w.bulk("master")
	k.w.int(0)
	k.w.array(0)
}

func (k *call) lastSave() { k.w.int(int(k.s.started.Unix())) }

func (k *call) command() {
	if len(k.args) == 0 {
		names := commandNames()
		k.w.array(len(names))
		for _, name := range names {
			k.describeCommand(name)
		}
		return
	}
	switch sub, args := k.subcommand(); sub {
	case "count":
		k.w.int(len(specs))
	case "list":
		k.w.bulks(commandNames())
	case "info":
		k.w.array(len(args))
		for _, name := range args {
			k.describeCommand(strings.ToLower(name))
		}
	case "docs":
		k.w.mapping(0)
	default:
		k.unknownSubcommand()
	}
}

func commandNames() []string {
	var names []string
	for name := range specs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (k *call) describeCommand(name string) {
	c := specs[name]
	if c == nil {
		k.w.nullArray()
		return
	}
	k.w.array(6)
	k.w.bulk(c.name)
	k.w.int(c.arity)
	var flags []string
	for flag, word := range map[string]string{
		flagWrite: "write", flagRead: "readonly", flagNoScript: "noscript", flagNoMulti: "no_multi", flagNoAuth: "no_auth", flagPubSub: "pubsub",
		flagBlocking: "blocking", flagFast: "fast", flagMovable: "movablekeys", flagAdmin: "admin",
	} {
		if c.is(flag) {
			flags = append(flags, word)
		}
	}
	slices.Sort(flags)
	k.w.array(len(flags))
	for _, f := range flags {
		k.w.simple(f)
	}
	k.w.int(c.first)
	k.w.int(c.last)
	k.w.int(c.step)
}

// defaultSettings are redis.conf's for what CONFIG GET is asked for here. Those that settable does not list are fixed.
func defaultSettings() map[string]string {
	return map[string]string{
		"notify-keyspace-events":     "",
		"client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
		"requirepass":                "",
		"slowlog-log-slower-than":    "10000",
		"slowlog-max-len":            "128",
		"maxmemory":                  "0",
		"maxmemory-policy":           "noeviction",
		"databases":                  strconv.Itoa(databases),
		"appendonly":                 "no",
		"save":                       "",
		"timeout":                    "0",
		"tcp-keepalive":              "300",
		"maxclients":                 "10000",
		"stream-node-max-entries":    strconv.Itoa(blockEntries),
		"stream-node-max-bytes":      "4096",
		"proto-max-bulk-len":         strconv.Itoa(maxBulk),
		"cluster-enabled":            "no",
		"bind":                       "127.0.0.1",
	}
}

var settable = map[string]bool{
	"notify-keyspace-events": true, "client-output-buffer-limit": true, "requirepass": true, "slowlog-log-slower-than": true, "slowlog-max-len": true,
}

func (k *call) config() {
	sub, args := k.subcommand()
	switch sub {
	case "get":
		if len(args) == 0 {
			k.wrongNumber("config|get")
			return
		}
		var names []string
		for name := range k.s.settings {
			if slices.ContainsFunc(args, func(pattern string) bool { return matches(strings.ToLower(pattern), name) }) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		k.w.mapping(len(names))
		for _, name := range names {
			k.w.bulk(name)
			k.w.bulk(k.s.settings[name])
		}
	case "set":
		if len(args) == 0 || len(args)%2 != 0 {
			k.wrongNumber("config|set")
			return
		}
		k.configSet(args)
	case "resetstat":
		k.s.commands, k.s.accepted, k.s.expired = 0, 0, 0
		k.w.ok()
	case "rewrite":
		k.w.err("ERR The server is running without a config file")
	default:
		k.unknownSubcommand()
	}
}

// configSet sets all the given settings or, if one is wrong, none.
func (k *call) configSet(args []string) {
	s := k.s
	changed := map[string]string{}
	events, limits := s.events, s.limits
	for i := 0; i < len(args); i += 2 {
		name, value := strings.ToLower(args[i]), args[i+1]
		fail := func(why string) {
			k.w.errf("ERR CONFIG SET failed (possibly related to argument '%s') - %s", name, why)
		}
		if _, ok := s.settings[name]; !ok {
			s.log.Warn("redis: setting not offered", "setting", name)
			k.w.errf("ERR Unknown option or number of arguments for CONFIG SET - '%s'", name)
			return
		}
		if !settable[name] {
			if value != s.settings[name] {
				fail("can't set immutable config")
				return
			}
			continue
		}
		switch name {
		case "notify-keyspace-events":
			parsed, ok := parseEventClasses(value)
			if !ok {
				fail("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
				return
			}
			events, value = parsed, parsed.String()
		case "client-output-buffer-limit":
			parsed, problem := parseOutputLimits(value)
			if problem != "" {
				fail(problem)
				return
			}
			limits = mergeLimits(limits, parsed)
			value = formatOutputLimits(limits)
		case "slowlog-log-slower-than", "slowlog-max-len":
			if _, err := strconv.Atoi(value); err != nil {
				fail("argument couldn't be parsed into an integer")
				return
			}
		}
		changed[name] = value
	}
	for name, value := range changed {
		s.settings[name] = value
	}
	s.events, s.limits = events, limits
	k.c.authenticated = k.c.authenticated || changed["requirepass"] != ""
	k.w.ok()
}

// outputLimit bounds what may wait for a class of clients: hard bytes at once, soft bytes for a time. 0 is no bound.
type outputLimit struct {
	hard, soft int
	softFor    time.Duration
}

var limitClasses = []string{"normal", "slave", "pubsub"}

// parseOutputLimits reads "class hard soft seconds", repeated, and says in Redis's words what is wrong.
func parseOutputLimits(s string) (limits map[string]outputLimit, problem string) {
	words := strings.Fields(strings.ToLower(s))
	if len(words)%4 != 0 {
		return nil, "Wrong number of arguments in buffer limit configuration."
	}
	limits = map[string]outputLimit{}
	for ; len(words) > 0; words = words[4:] {
		class := words[0]
		if class == "replica" {
			class = "slave"
		}
		hard, err1 := parseMemory(words[1])
		soft, err2 := parseMemory(words[2])
		seconds, err3 := strconv.Atoi(words[3])
		if !slices.Contains(limitClasses, class) {
			return nil, "Invalid client class specified in buffer limit configuration."
		}
		if err1 != nil || err2 != nil || err3 != nil || seconds < 0 {
			return nil, "Error in hard, soft or soft_seconds setting in buffer limit configuration."
		}
		limits[class] = outputLimit{hard, soft, time.Duration(seconds) * time.Second}
	}
	return limits, ""
}

func mergeLimits(old, changed map[string]outputLimit) map[string]outputLimit {
	merged := map[string]outputLimit{}
	for _, class := range limitClasses {
		merged[class] = old[class]
		if l, ok := changed[class]; ok {
			merged[class] = l
		}
	}
	return merged
}

func formatOutputLimits(limits map[string]outputLimit) string {
	var parts []string
	for _, class := range limitClasses {
		l := limits[class]
		parts = append(parts, fmt.Sprintf("%s %d %d %d", class, l.hard, l.soft, int(l.softFor.Seconds())))
	}
	return strings.Join(parts, " ")
}

// parseMemory reads bytes with redis.conf's units: k is 1000, kb is 1024.
func parseMemory(s string) (int, error) {
	units := []struct {
		suffix string
		bytes  int
	}{{"kb", 1 << 10}, {"mb", 1 << 20}, {"gb", 1 << 30}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}, {"b", 1}, {"", 1}}
	for _, u := range units {
		if digits, ok := strings.CutSuffix(s, u.suffix); ok {
			n, err := strconv.ParseUint(digits, 10, 40)
			return int(n) * u.bytes, err
		}
	}
	return 0, nil // not reached: the last suffix fits all
}

func (k *call) info() {
	s := k.s
	blocked, subscribers, keys := len(s.blocked), 0, strings.Builder{}
	for _, c := range s.conns {
		if c.subscribed() {
			subscribers++
		}
	}
	for db := range databases {
		if n := len(s.store.DB(db).Keys()); n > 0 {
			expires := 0
			for key := range s.expiry.at {
				if key.db == db {
					expires++
				}
			}
			fmt.Fprintf(&keys, "db%d:keys=%d,expires=%d,avg_ttl=0\r\n", db, n, expires)
		}
	}
	up := int(time.Since(s.started).Seconds())
	sections := []struct{ name, title, text string }{
		{"server", "Server", fmt.Sprintf("redis_version:%s\r\nredis_mode:standalone\r\nprocess_id:%d\r\nuptime_in_seconds:%d\r\nuptime_in_days:%d\r\n", version, os.Getpid(), up, up/86400)},
		{"clients", "Clients", fmt.Sprintf("connected_clients:%d\r\nmaxclients:10000\r\nblocked_clients:%d\r\npubsub_clients:%d\r\n", len(s.conns), blocked, subscribers)},
		{"memory", "Memory", "maxmemory:0\r\nmaxmemory_policy:noeviction\r\n"},
		{"persistence", "Persistence", "loading:0\r\naof_enabled:0\r\n"},
		{"stats", "Stats", fmt.Sprintf("total_connections_received:%d\r\ntotal_commands_processed:%d\r\nexpired_keys:%d\r\nevicted_keys:0\r\npubsub_channels:%d\r\npubsub_patterns:%d\r\npubsubshard_channels:%d\r\n",
			s.accepted, s.commands, s.expired, len(s.channels), len(s.patterns), len(s.shards))},
		{"replication", "Replication", "role:master\r\nconnected_slaves:0\r\n"},
		{"cluster", "Cluster", "cluster_enabled:0\r\n"},
		{"keyspace", "Keyspace", keys.String()},
	}
	var b strings.Builder
	for _, section := range sections {
		if len(k.args) == 0 || hasWord(k.args, section.name) || hasWord(k.args, "all") || hasWord(k.args, "default") || hasWord(k.args, "everything") {
			if b.Len() > 0 {
				b.WriteString("\r\n")
			}
			b.WriteString("# " + section.title + "\r\n" + section.text)
		}
	}
	k.w.text(b.String())
}

type slowCommand struct {
	id           int
	at           time.Time
	took         time.Duration
	args         []string
	client, name string
}

// slowed notes a command that took longer than slowlog-log-slower-than microseconds.
func (s *Server) slowed(c *conn, args []string, started time.Time) {
	took := time.Since(started)
	limit, _ := strconv.Atoi(s.settings["slowlog-log-slower-than"])
	if limit < 0 || took < time.Duration(limit)*time.Microsecond {
		return
	}
	if len(args) > 32 {
		args = append(slices.Clone(args[:31]), fmt.Sprintf("... (%d more arguments)", len(args)-31))
	}
	s.slow = append(s.slow, slowCommand{s.slowID, started, took, args, c.addr, c.name})
	s.slowID++
	if most, _ := strconv.Atoi(s.settings["slowlog-max-len"]); len(s.slow) > most {
		s.slow = s.slow[len(s.slow)-max(most, 0):]
	}
}

func (k *call) slowlog() {
	switch sub, args := k.subcommand(); sub {
	case "len":
		k.w.int(len(k.s.slow))
	case "reset":
		k.s.slow = nil
		k.w.ok()
	case "get":
		n := 10
		if len(args) > 0 {
			var err error
			if n, err = strconv.Atoi(args[0]); err != nil || n < -1 {
				k.w.err("ERR count should be greater than or equal to -1")
				return
			}
		}
		if n == -1 || n > len(k.s.slow) {
			n = len(k.s.slow)
		}
		k.w.array(n)
		for i := range n {
			e := k.s.slow[len(k.s.slow)-1-i]
			k.w.array(6)
			k.w.int(e.id)
			k.w.int(int(e.at.Unix()))
			k.w.int(int(e.took.Microseconds()))
			k.w.bulks(e.args)
			k.w.bulk(e.client)
			k.w.bulk(e.name)
		}
	default:
		k.unknownSubcommand()
	}
}

func (k *call) flush() {
	for _, a := range k.args {
		if !option(a, "sync") && !option(a, "async") {
			k.w.err("ERR syntax error")
			return
		}
	}
	for db := range databases {
		if k.spec.name == "flushall" || db == *k.db {
			k.touchAll(db)
			k.s.expiry.removeDB(db)
		}
	}
	k.w.raw(k.store(k.spec.name))
	k.s.sweepStreams()
}

// touchAll marks every key of a database as changed.
func (k *call) touchAll(db int) {
	for _, name := range append(k.keysOf(db), k.watchedIn(db)...) {
		k.s.touch(dbKey{db, name})
	}
}

func (k *call) keysOf(db int) []string {
	return answerStrings(k.inDB(db, "KEYS", "*"))
}

// inDB has the store run a command in another database.
func (k *call) inDB(db int, name string, args ...string) []byte {
	k.store("SELECT", strconv.Itoa(db))
	defer k.store("SELECT", strconv.Itoa(*k.db))
	return k.store(name, args...)
}

func (k *call) watchedIn(db int) []string { // a blocked client may wait for a key that does not exist
	var keys []string
	for _, b := range k.s.blocked {
		for _, key := range b.keys {
			if key.db == db {
				keys = append(keys, key.key)
			}
		}
	}
	return keys
}

func (k *call) swapDB() {
	var db [2]int
	for i, which := range []string{"first", "second"} {
		n, err := strconv.Atoi(k.args[i])
		if err != nil {
			k.w.errf("ERR invalid %s DB index", which)
			return
		}
		if n < 0 || n >= databases {
			k.w.err("ERR DB index is out of range")
			return
		}
		db[i] = n
	}
	answer := k.store("SWAPDB", k.args...)
	k.w.raw(answer)
	if isError(answer) || db[0] == db[1] {
		return
	}
	swapped := map[dbKey]time.Time{}
	for key, at := range k.s.expiry.at {
		switch key.db {
		case db[0]:
			key.db = db[1]
		case db[1]:
			key.db = db[0]
		}
		swapped[key] = at
	}
	k.s.expiry.at, k.s.expiry.order = map[dbKey]time.Time{}, nil
	for key, at := range swapped {
		k.s.expiry.set(key, at)
	}
	k.touchAll(db[0])
	k.touchAll(db[1])
}
