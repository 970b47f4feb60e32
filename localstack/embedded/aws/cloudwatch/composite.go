package cloudwatch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Limits of an alarm rule.
const (
	maxRule       = 10240 // characters
	maxRuleAlarms = 100
	maxRuleDepth  = 100
)

// rule is the AlarmRule of a composite alarm, parsed: OR binds less tightly than AND, AND less than NOT.
// Source: PutCompositeAlarm, AlarmRule.
type rule struct {
	text string
	root *ruleNode
}

type ruleNode struct {
	word  string // AND, OR, NOT, TRUE, FALSE, AT_LEAST or a state
	name  string // of the alarm, for a state
	args  []*ruleNode
	least int // of AT_LEAST
}

type ruleParser struct {
	rest  string
	depth int
	err   error
}

func parseRule(text string) (*rule, error) {
	p := &ruleParser{rest: text}
	root := p.either()
	if p.skip(); p.err == nil && p.rest != "" {
		p.fail("unexpected %q", p.rest)
	}
	if p.err != nil {
		return nil, p.err
	}
	return &rule{text, root}, nil
}

func (p *ruleParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.rest = ""
}

func (p *ruleParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// word looks at the next word, in capitals.
func (p *ruleParser) word() string {
	p.skip()
	n := 0
	for n < len(p.rest) && isLetter(p.rest[n]) {
		n++
	}
	return strings.ToUpper(p.rest[:n])
}

func (p *ruleParser) take(word string) bool {
	if p.word() != word {
		return false
	}
	p.rest = p.rest[len(word):]
	return true
}

func (p *ruleParser) symbol(c string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, c)
	p.rest = rest
	return ok
}

func (p *ruleParser) either() *ruleNode { return p.joined("OR", p.all) }
func (p *ruleParser) all() *ruleNode    { return p.joined("AND", p.one) }

func (p *ruleParser) joined(word string, operand func() *ruleNode) *ruleNode {
	first := operand()
	if p.word() != word {
		return first
	}
	node := &ruleNode{word: word, args: []*ruleNode{first}}
	for p.err == nil && p.take(word) {
		node.args = append(node.args, operand())
	}
	return node
}

func (p *ruleParser) one() *ruleNode {
	if p.depth++; p.depth > maxRuleDepth {
		p.fail("the rule is nested too deeply")
		return nil
	}
	defer func() { p.depth-- }()
	if p.symbol("(") {
		node := p.either()
		if !p.symbol(")") {
			p.fail("a closing parenthesis is missing")
		}
		return node
	}
	word := p.word()
	switch word {
	case "NOT":
		p.take(word)
		return &ruleNode{word: word, args: []*ruleNode{p.one()}}
	case "TRUE", "FALSE":
		p.take(word)
		return &ruleNode{word: word}
	case stateAlarm, stateOK, stateInsufficient:
		p.take(word)
		return &ruleNode{word: word, name: p.alarm()}
	case "AT_LEAST":
		p.take(word)
		return p.atLeast()
	case "":
		p.fail("a condition is missing at %q", p.rest)
	default:
		p.fail("%s is not a function of alarm rules", word)
	}
	return nil
}

// atLeast reads (M, STATE, (a, b, c)): M alarms, or M% of them, are in the state or, after NOT, are not.
// Source: Amazon CloudWatch User Guide, "Create a composite alarm", rule expressions (checked 2026-12-01).
func (p *ruleParser) atLeast() *ruleNode {
	p.need("(")
	text := p.item(",")
	percent := strings.HasSuffix(text, "%")
	m, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	if err != nil || m < 1 || percent && m > 100 {
		p.fail("AT_LEAST needs a number or a percentage, not %q", text)
	}
	p.need(",")
	not := p.take("NOT")
	state := p.word()
	if !slices.Contains(states, state) {
		p.fail("AT_LEAST needs a state at %q", p.rest)
	}
	p.take(state)
	p.need(",")
	p.need("(")
	node := &ruleNode{word: "AT_LEAST", least: m}
	for p.err == nil {
		one := &ruleNode{word: state, name: p.item(",)")}
		if not {
			one = &ruleNode{word: "NOT", args: []*ruleNode{one}}
		}
		node.args = append(node.args, one)
		if !p.symbol(",") {
			break
		}
	}
	p.need(")")
	p.need(")")
	if percent {
		node.least = (m*len(node.args) + 99) / 100
	} else if m > len(node.args) {
		p.fail("AT_LEAST needs %d alarms, and has %d", m, len(node.args))
	}
	return node
}

func (p *ruleParser) need(symbol string) {
	if !p.symbol(symbol) {
		p.fail("%q is missing at %q", symbol, p.rest)
	}
}

// alarm reads an alarm's name or ARN in parentheses.
func (p *ruleParser) alarm() string {
	p.need("(")
	name := p.item(")")
	p.need(")")
	return name
}

// item reads what is in quotes or ends before one of the characters of end.
func (p *ruleParser) item(end string) string {
	p.skip()
	n := 0
	quoted := strings.HasPrefix(p.rest, `"`)
	if quoted {
		p.rest = p.rest[1:]
		n = strings.IndexByte(p.rest, '"')
	} else {
		n = strings.IndexAny(p.rest, end)
	}
	if n < 0 {
		p.fail("a name does not end")
		return ""
	}
	item := p.rest[:n]
	p.rest = p.rest[n:]
	if quoted {
		p.rest = p.rest[1:]
	} else {
		item = strings.TrimSpace(item)
	}
	if item == "" {
		p.fail("a name is missing")
	}
	return item
}

// names returns the names of the alarms of the rule, which may have given their ARNs.
func (r *rule) names() []string {
	var names []string
	var walk func(*ruleNode)
	walk = func(n *ruleNode) {
		if n.name != "" && !slices.Contains(names, alarmName(n.name)) {
			names = append(names, alarmName(n.name))
		}
		for _, a := range n.args {
			walk(a)
		}
	}
	walk(r.root)
	return names
}

func alarmName(nameOrARN string) string {
	if strings.HasPrefix(nameOrARN, "arn:") {
		if _, name, ok := strings.Cut(nameOrARN, ":alarm:"); ok {
			return name
		}
	}
	return nameOrARN
}

func (n *ruleNode) holds(state func(name string) string) bool {
	switch n.word {
	case "TRUE":
		return true
	case "FALSE":
		return false
	case "NOT":
		return !n.args[0].holds(state)
	case "AND":
		return !slices.ContainsFunc(n.args, func(a *ruleNode) bool { return !a.holds(state) })
	case "AT_LEAST":
		holding := 0
		for _, a := range n.args {
			if a.holds(state) {
				holding++
			}
		}
		return holding >= n.least
	case "OR":
		return slices.ContainsFunc(n.args, func(a *ruleNode) bool { return a.holds(state) })
	}
	return state(alarmName(n.name)) == n.word
}

type putCompositeAlarmInput struct {
	AlarmName, AlarmRule                             string
	AlarmDescription                                 *string
	ActionsEnabled                                   *bool
	OKActions, AlarmActions, InsufficientDataActions []string
	ActionsSuppressor                                string
	ActionsSuppressorWaitPeriod                      *int
	ActionsSuppressorExtensionPeriod                 *int
	ActionConfiguration                              *struct{}
	Tags                                             []tag
}

func (s *Service) putCompositeAlarm(c *api.Call, in *putCompositeAlarmInput) (*struct{}, error) {
	switch {
	case in.ActionsSuppressor != "" || in.ActionsSuppressorWaitPeriod != nil || in.ActionsSuppressorExtensionPeriod != nil:
		return nil, notOfferedHere("ActionsSuppressor")
	case in.ActionConfiguration != nil:
		return nil, notOfferedHere("ActionConfiguration")
	case in.AlarmRule == "":
		return nil, missing("AlarmRule")
	case strings.TrimSpace(in.AlarmRule) != in.AlarmRule:
		return nil, validation("AlarmRule must not contain leading or trailing whitespace or be null")
	case utf8.RuneCountInString(in.AlarmRule) > maxRule:
		return nil, validation("1 validation error detected: Value at 'alarmRule' failed to satisfy constraint: Member must have length less than or equal to %d", maxRule)
	}
	r, err := parseRule(in.AlarmRule)
	if err != nil {
		return nil, validation("Invalid AlarmRule: %v", err)
	}
	a := &alarm{
		place: placeOf(c), name: in.AlarmName, description: in.AlarmDescription, actionsEnabled: in.ActionsEnabled == nil || *in.ActionsEnabled, rule: r,
		actions: map[string][]string{stateOK: in.OKActions, stateAlarm: in.AlarmActions, stateInsufficient: in.InsufficientDataActions},
	}
	if err := s.putAlarm(c, a, in.Tags); err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

// checkRule checks the alarms of a new rule. The caller holds mu.
func (s *Service) checkRule(a *alarm) error {
	names := a.rule.names()
	if len(names) > maxRuleAlarms {
		return validation("AlarmRule has %d alarms, the maximum is %d.", len(names), maxRuleAlarms)
	}
	var unknown []string
	for _, name := range names {
		if s.alarms[a.place][name] == nil && name != a.name {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		return validation("Could not save the composite alarm as alarms [%s] in the alarm rule do not exist", strings.Join(unknown, ", "))
	}
	return nil
}

// evaluateComposites evaluates the composite alarms of an account and region after one of the alarms, cause, has changed, or
// after a rule has. Those in a cycle are left as they are. The caller holds mu.
func (s *Service) evaluateComposites(p place, now time.Time, cause *alarm) {
	alarms := s.alarms[p]
	state := func(name string) string {
		if a := alarms[name]; a != nil {
			return a.state
		}
		return stateInsufficient // an alarm of a rule cannot be deleted: it names itself
	}
	for _, name := range slices.Sorted(maps.Keys(alarms)) {
		a := alarms[name]
		if a.rule == nil || cause != nil && !slices.Contains(a.rule.names(), cause.name) || s.inCycle(a, alarms) {
			continue
		}
		next := stateOK
		if a.rule.root.holds(state) {
			next = stateAlarm
		}
		if next == a.state {
			continue
		}
		at := now.UTC().Format("Monday 02 January, 2006 15:04:05 MST")
		reason := fmt.Sprintf("%s was created and its alarm rule evaluates to %s", a.arn, next)
		var triggers []triggeringAlarm
		if cause != nil {
			reason = fmt.Sprintf("%s transitioned to %s at %s", cause.arn, cause.state, at)
			triggers = []triggeringAlarm{{cause.arn, alarmState{cause.state, stamp(cause.transitioned)}}}
		} else if a.state != stateInsufficient {
			reason = fmt.Sprintf("%s was updated and its alarm rule evaluates to %s", a.arn, next)
		}
		s.transition(a, now, next, reason, compositeReasonData(triggers))
	}
}

// inCycle tells whether an alarm depends on itself.
func (s *Service) inCycle(a *alarm, alarms map[string]*alarm) bool {
	seen := map[string]bool{}
	var reaches func(from *alarm) bool
	reaches = func(from *alarm) bool {
		if from == nil || from.rule == nil || seen[from.name] {
			return false
		}
		seen[from.name] = true
		for _, name := range from.rule.names() {
			if name == a.name || reaches(alarms[name]) {
				return true
			}
		}
		return false
	}
	return reaches(a)
}
