package redis

import (
	"strconv"
	"strings"
)

// spec is what Redis declares about a command; see its COMMAND.
type spec struct {
	name              string
	arity             int // with the name itself; negative: at least
	first, last, step int // positions of keys, counting the name; last is negative from the end; 0: no keys, or at places that vary
	flags             string
}

// Letters of spec.flags.
const (
	flagWrite    = "w"
	flagRead     = "r"
	flagNoScript = "s"
	flagNoMulti  = "m"
	flagNoAuth   = "a" // allowed before AUTH
	flagPubSub   = "p"
	flagBlocking = "b"
	flagFast     = "f"
	flagMovable  = "k"
	flagAdmin    = "d"
)

func (c *spec) is(flag string) bool { return strings.Contains(c.flags, flag) }

var specs = parseSpecs(commandTable)

func parseSpecs(table string) map[string]*spec {
	specs := map[string]*spec{}
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		c := &spec{name: f[0], flags: f[2]}
		for i, n := range []*int{&c.arity, nil, &c.first, &c.last, &c.step} {
			if n != nil {
				*n, _ = strconv.Atoi(f[i+1])
			}
		}
		specs[c.name] = c
	}
	return specs
}

// commandTable holds the commands that are offered, as COMMAND of a redis-server 7.0.15 describes them (read 2026-12-01):
// name, arity, flags (the letters above), first key, last key, step. Blocking commands may be called by scripts since 7.2.
const commandTable = `acl -2 - 0 0 0
append 3 wf 1 1 1
auth -2 saf 0 0 0
bitcount -2 r 1 1 1
bitop -4 w 2 -1 1
bitpos -3 r 1 1 1
blmove 6 wb 1 2 1
blmpop -5 wbk 0 0 0
blpop -3 wb 1 -2 1
brpop -3 wb 1 -2 1
brpoplpush 4 wb 1 2 1
bzmpop -5 wbk 0 0 0
bzpopmax -3 wbf 1 -2 1
bzpopmin -3 wbf 1 -2 1
client -2 - 0 0 0
cluster -2 - 0 0 0
command -1 - 0 0 0
config -2 - 0 0 0
copy -3 w 1 2 1
dbsize 1 rf 0 0 0
decr 2 wf 1 1 1
decrby 3 wf 1 1 1
del -2 w 1 -1 1
discard 1 sf 0 0 0
echo 2 f 0 0 0
eval -3 sk 0 0 0
eval_ro -3 rsk 0 0 0
evalsha -3 sk 0 0 0
evalsha_ro -3 rsk 0 0 0
exec 1 s 0 0 0
exists -2 rf 1 -1 1
expire -3 wf 1 1 1
expireat -3 wf 1 1 1
expiretime 2 rf 1 1 1
flushall -1 w 0 0 0
flushdb -1 w 0 0 0
geoadd -5 w 1 1 1
geodist -4 r 1 1 1
geopos -2 r 1 1 1
georadius -6 wk 1 1 1
georadius_ro -6 r 1 1 1
georadiusbymember -5 wk 1 1 1
georadiusbymember_ro -5 r 1 1 1
geosearch -7 r 1 1 1
get 2 rf 1 1 1
getbit 3 rf 1 1 1
getdel 2 wf 1 1 1
getex -2 wf 1 1 1
getrange 4 r 1 1 1
getset 3 wf 1 1 1
hdel -3 wf 1 1 1
hello -1 saf 0 0 0
hexists 3 rf 1 1 1
hget 3 rf 1 1 1
hgetall 2 r 1 1 1
hincrby 4 wf 1 1 1
hincrbyfloat 4 wf 1 1 1
hkeys 2 r 1 1 1
hlen 2 rf 1 1 1
hmget -3 rf 1 1 1
hmset -4 wf 1 1 1
hrandfield -2 r 1 1 1
hscan -3 r 1 1 1
hset -4 wf 1 1 1
hsetnx 4 wf 1 1 1
hstrlen 3 rf 1 1 1
hvals 2 r 1 1 1
incr 2 wf 1 1 1
incrby 3 wf 1 1 1
incrbyfloat 3 wf 1 1 1
info -1 - 0 0 0
keys 2 r 0 0 0
lastsave 1 f 0 0 0
lindex 3 r 1 1 1
linsert 5 w 1 1 1
llen 2 rf 1 1 1
lmove 5 w 1 2 1
lmpop -4 wk 0 0 0
lpop -2 wf 1 1 1
lpos -3 r 1 1 1
lpush -3 wf 1 1 1
lpushx -3 wf 1 1 1
lrange 4 r 1 1 1
lrem 4 w 1 1 1
lset 4 w 1 1 1
ltrim 4 w 1 1 1
memory -2 - 0 0 0
mget -2 rf 1 -1 1
move 3 wf 1 1 1
mset -3 w 1 -1 2
msetnx -3 w 1 -1 2
multi 1 sf 0 0 0
object -2 - 0 0 0
persist 2 wf 1 1 1
pexpire -3 wf 1 1 1
pexpireat -3 wf 1 1 1
pexpiretime 2 rf 1 1 1
pfadd -2 wf 1 1 1
pfcount -2 r 1 -1 1
pfmerge -2 w 1 -1 1
ping -1 f 0 0 0
psetex 4 w 1 1 1
psubscribe -2 sp 0 0 0
pttl 2 rf 1 1 1
publish 3 pf 0 0 0
pubsub -2 - 0 0 0
punsubscribe -1 sp 0 0 0
quit -1 saf 0 0 0
randomkey 1 r 0 0 0
readonly 1 f 0 0 0
readwrite 1 f 0 0 0
rename 3 w 1 2 1
renamenx 3 wf 1 2 1
reset 1 saf 0 0 0
role 1 sf 0 0 0
rpop -2 wf 1 1 1
rpoplpush 3 w 1 2 1
rpush -3 wf 1 1 1
rpushx -3 wf 1 1 1
sadd -3 wf 1 1 1
scan -2 r 0 0 0
scard 2 rf 1 1 1
script -2 - 0 0 0
sdiff -2 r 1 -1 1
sdiffstore -3 w 1 -1 1
select 2 f 0 0 0
set -3 w 1 1 1
setbit 4 w 1 1 1
setex 4 w 1 1 1
setnx 3 wf 1 1 1
setrange 4 w 1 1 1
sinter -2 r 1 -1 1
sintercard -3 rk 0 0 0
sinterstore -3 w 1 -1 1
sismember 3 rf 1 1 1
slowlog -2 - 0 0 0
smembers 2 r 1 1 1
smismember -3 rf 1 1 1
smove 4 wf 1 2 1
spop -2 wf 1 1 1
spublish 3 pf 1 1 1
srandmember -2 r 1 1 1
srem -3 wf 1 1 1
sscan -3 r 1 1 1
ssubscribe -2 sp 1 -1 1
strlen 2 rf 1 1 1
subscribe -2 sp 0 0 0
sunion -2 r 1 -1 1
sunionstore -3 w 1 -1 1
sunsubscribe -1 sp 1 -1 1
swapdb 3 wf 0 0 0
time 1 f 0 0 0
touch -2 rf 1 -1 1
ttl 2 rf 1 1 1
type 2 rf 1 1 1
unlink -2 wf 1 -1 1
unsubscribe -1 sp 0 0 0
unwatch 1 sf 0 0 0
wait 3 s 0 0 0
watch -2 sf 1 -1 1
xack -4 wf 1 1 1
xadd -5 wf 1 1 1
xautoclaim -6 wf 1 1 1
xclaim -6 wf 1 1 1
xdel -3 wf 1 1 1
xgroup -2 - 0 0 0
xinfo -2 - 0 0 0
xlen 2 rf 1 1 1
xpending -3 r 1 1 1
xrange -4 r 1 1 1
xread -4 rbk 0 0 0
xreadgroup -7 wbk 0 0 0
xrevrange -4 r 1 1 1
xsetid -3 wf 1 1 1
xtrim -4 w 1 1 1
zadd -4 wf 1 1 1
zcard 2 rf 1 1 1
zcount 4 rf 1 1 1
zincrby 4 wf 1 1 1
zinter -3 rk 0 0 0
zinterstore -4 wk 1 1 1
zlexcount 4 rf 1 1 1
zmpop -4 wk 0 0 0
zmscore -3 rf 1 1 1
zpopmax -2 wf 1 1 1
zpopmin -2 wf 1 1 1
zrandmember -2 r 1 1 1
zrange -4 r 1 1 1
zrangebylex -4 r 1 1 1
zrangebyscore -4 r 1 1 1
zrank 3 rf 1 1 1
zrem -3 wf 1 1 1
zremrangebylex 4 w 1 1 1
zremrangebyrank 4 w 1 1 1
zremrangebyscore 4 w 1 1 1
zrevrange -4 r 1 1 1
zrevrangebylex -4 r 1 1 1
zrevrangebyscore -4 r 1 1 1
zrevrank 3 rf 1 1 1
zscan -3 r 1 1 1
zscore 3 rf 1 1 1
zunion -3 rk 0 0 0
zunionstore -4 wk 1 1 1`
