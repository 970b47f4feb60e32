package cloudwatch

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An expression of metric math, parsed: precedence climbing over the operators of the guide.
// Source: Amazon CloudWatch User Guide, "Using math expressions with CloudWatch metrics" (checked 2026-12-01).

type exprKind int

const (
	exprNumber exprKind = iota
	exprString
	exprName   // of another query
	exprCall   // of a function
	exprBinary // of an operator
	exprNegate
	exprList // [m1, m2]
)

type expr struct {
	kind   exprKind
	number float64
	text   string // the string, the name, the function, the operator
	args   []*expr
}

// Limits of an expression: characters, and how deep it may be nested.
const (
	maxExpression = 2048
	maxDepth      = 100
)

// binaryOperators by precedence; higher binds more tightly.
var binaryOperators = map[string]int{
	"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "^": 7,
}

type exprParser struct {
	rest  string
	token string // the next one; "" at the end
	kind  tokenKind
	depth int
	err   error
}

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenNumber
	tokenString
	tokenName
	tokenSymbol
)

func parseExpression(text string) (*expr, error) {
	if utf8.RuneCountInString(text) > maxExpression {
		return nil, fmt.Errorf("the expression is longer than %d characters", maxExpression)
	}
	p := &exprParser{rest: text}
	p.next()
	e := p.binary(0)
	if p.err == nil && p.kind != tokenEnd {
		p.fail("unexpected %q", p.token)
	}
	if p.err != nil {
		return nil, p.err
	}
	return e, nil
}

func (p *exprParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.rest, p.token, p.kind = "", "", tokenEnd
}

func (p *exprParser) next() {
	p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace)
	if p.rest == "" {
		p.token, p.kind = "", tokenEnd
		return
	}
	n := 1
	switch c := p.rest[0]; {
	case isDigit(c) || c == '.':
		p.kind = tokenNumber
		for n < len(p.rest) && (isDigit(p.rest[n]) || p.rest[n] == '.' || (p.rest[n] == 'e' || p.rest[n] == 'E') && n+1 < len(p.rest) && isDigit(p.rest[n+1])) {
			n++
		}
	case isLetter(c):
		p.kind = tokenName
		for n < len(p.rest) && (isLetter(p.rest[n]) || isDigit(p.rest[n])) {
			n++
		}
	case c == '"' || c == '\'':
		p.kind = tokenString
		end := strings.IndexByte(p.rest[1:], c)
		if end < 0 {
			p.fail("a string does not end")
			return
		}
		p.token, p.rest = p.rest[1:end+1], p.rest[end+2:]
		return
	default:
		p.kind = tokenSymbol
		if n < len(p.rest) && binaryOperators[p.rest[:2]] > 0 {
			n = 2
		}
	}
	p.token, p.rest = p.rest[:n], p.rest[n:]
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }

// binary reads operands that are joined by operators of at least the given precedence.
func (p *exprParser) binary(least int) *expr {
	left := p.unary()
	for p.err == nil {
		operator, word := p.token, strings.ToUpper(p.token)
		if p.kind == tokenName && (word == "AND" || word == "OR") {
			operator = map[string]string{"AND": "&&", "OR": "||"}[word]
		} else if p.kind != tokenSymbol {
			break
		}
		precedence := binaryOperators[operator]
		if precedence == 0 || precedence < least {
			break
		}
		p.next()
		right := p.binary(precedence + 1)
		left = &expr{kind: exprBinary, text: operator, args: []*expr{left, right}}
	}
	return left
}

func (p *exprParser) unary() *expr {
	if p.depth++; p.depth > maxDepth {
		p.fail("the expression is nested too deeply")
		return nil
	}
	defer func() { p.depth-- }()
	if p.kind == tokenSymbol && p.token == "-" {
		p.next()
		return &expr{kind: exprNegate, args: []*expr{p.unary()}}
	}
	token, kind := p.token, p.kind
	p.next()
	switch {
	case kind == tokenNumber:
		n, err := strconv.ParseFloat(token, 64)
		if err != nil {
			p.fail("%q is not a number", token)
		}
		return &expr{kind: exprNumber, number: n}
	case kind == tokenString:
		return &expr{kind: exprString, text: token}
	case kind == tokenName && p.token == "(":
		p.next()
		return &expr{kind: exprCall, text: strings.ToUpper(token), args: p.list(")")}
	case kind == tokenName:
		return &expr{kind: exprName, text: token}
	case token == "(" && kind == tokenSymbol:
		e := p.binary(0)
		p.expect(")")
		return e
	case token == "[" && kind == tokenSymbol:
		return &expr{kind: exprList, args: p.list("]")}
	}
	if token == "" {
		p.fail("the expression ends too early")
	} else {
		p.fail("unexpected %q", token)
	}
	return nil
}

// list reads what is separated by commas, up to the closing symbol.
func (p *exprParser) list(closing string) []*expr {
	var all []*expr
	for p.err == nil && p.token != closing {
		if len(all) > 0 {
			p.expect(",")
		}
		all = append(all, p.binary(0))
	}
	p.expect(closing)
	return all
}

func (p *exprParser) expect(symbol string) {
	if p.kind != tokenSymbol || p.token != symbol {
		p.fail("%q is missing", symbol)
		return
	}
	p.next()
}

// walk calls f for the expression and all below it.
func (e *expr) walk(f func(*expr)) {
	f(e)
	for _, a := range e.args {
		a.walk(f)
	}
}
