package mapping

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/idbridge/idbridge"
)

// Bounds of an expression. They are counted, not timed, so that the same entry always ends in the same way.
const (
	maxExpression = 2000    // bytes of its text
	maxNodes      = 300     // parts of it
	maxReads      = 64      // attributes that it may read
	maxRead       = 1 << 18 // bytes of values that one evaluation may read
	maxMade       = 1 << 18 // bytes of text that it may make
	maxElements   = 10_000  // of all lists that it makes
	maxWork       = 1 << 30 // of its loops, in bytes that they look at: a second or two at the very worst
)

// ExpressionFault says what is wrong with an expression of the config.
type ExpressionFault struct {
	Attribute idbridge.Attribute
	Else      bool // the one for entries without a value
	Column    int  // in the expression, from 1
	Why, Hint string
}

// Error reads: map displayName: expression: unknown name (column 3).
func (f *ExpressionFault) Error() string {
	return fmt.Sprintf("map %s: expression: %s (column %d)", f.Attribute, f.Why, f.Column)
}

// expression is a compiled one. It may be used by many goroutines.
type expression struct {
	program *vm.Program
	reads   []string // attributes of the entry, in the order in which the program counts them
	sources []int    // the same as indexes into Map.sources
	match   idbridge.Match
}

// compile reads an expression for an attribute that compares by match. strange says why a name may not be read, "" when
// it may. It never panics.
func compile(text string, match idbridge.Match, strange func(name string) (why, hint string)) (e *expression, fault *ExpressionFault) {
	defer func() {
		if p := recover(); p != nil {
			e, fault = nil, &ExpressionFault{Column: 1, Why: "is not understood"}
		}
	}()
	switch {
	case len(text) > maxExpression:
		return nil, &ExpressionFault{Column: 1, Why: fmt.Sprintf("has %d bytes, %d are allowed", len(text), maxExpression)}
	case !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\r\n"):
		return nil, &ExpressionFault{Column: 1, Why: "must be text on one line"}
	}
	c := language()
	tree, err := parser.ParseWithConfig(text, c)
	if err != nil {
		return nil, faultOf(err)
	}
	r := &rewriter{strange: strange, text: text}
	if r.walk(&tree.Node, nil); r.fault != nil {
		return nil, r.fault
	}
	if _, err := checker.Check(tree, c); err != nil {
		return nil, faultOf(err)
	}
	if r.result(tree.Node, match); r.fault != nil {
		return nil, r.fault
	}
	e = &expression{reads: r.reads, match: match}
	if e.program, err = compiler.Compile(tree, c); err != nil {
		return nil, faultOf(err)
	}
	return e, nil
}

// language is what an expression may use: the functions of functions, and the predicates that look at a list.
func language() *conf.Config {
	c := conf.New(&scene{})
	c.MaxNodes, c.Optimize, c.DisableIfOperator = maxNodes, false, true
	c.Functions = functions()
	for name := range c.Builtins {
		if !predicate(name) && name != "len" {
			c.Disabled[name] = true
		}
	}
	for name := range c.Disabled {
		delete(c.Builtins, name)
	}
	return c
}

// faultOf takes what a person needs out of an error of the library.
func faultOf(err error) *ExpressionFault {
	f := &ExpressionFault{Column: 1, Why: "is not understood", Hint: namesHint}
	var e *file.Error
	if errors.As(err, &e) {
		f.Column, f.Why = e.Column+1, e.Message
	}
	switch {
	case strings.Contains(f.Why, "maximum allowed nodes"):
		f.Why, f.Hint = fmt.Sprintf("has more than %d parts", maxNodes), "compute it in the directory, or make it simpler"
	case strings.Contains(f.Why, "unknown name"), strings.Contains(f.Why, "is not defined"), strings.Contains(f.Why, "not callable"):
		f.Hint = "functions are " + functionNames
	case strings.Contains(f.Why, "to call +"):
		f.Why, f.Hint = "+ joins texts, and here is something else", "join a list first: join(all(\"mail\"), \", \")"
	case strings.Contains(f.Why, "unexpected token EOF"), strings.Contains(f.Why, "unexpected end"):
		f.Why, f.Hint = "ends too early", "close what was opened"
	}
	return f
}

const (
	namesHint     = `write for example givenName + " " + sn, or first("employee-type")`
	functionNames = "first, all, lower, upper, trim, replace, split, join, len, filter, map, find, any, none, one, count"
)

// value evaluates the expression over one entry. The error says why the entry cannot be used, without quoting a value.
func (e *expression) value(values []idbridge.Values, named []string) (out idbridge.Values, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, broken("panicked")
		}
	}()
	machine := vm.VM{MemoryBudget: maxElements}
	got, err := machine.Run(e.program, &scene{values: values, named: named, sources: e.sources})
	if err != nil {
		return nil, whyFailed(err)
	}
	switch x := got.(type) {
	case nil:
		return nil, nil
	case string:
		return e.clean(x), nil
	case []string:
		return e.clean(x...), nil
	case bool:
		if e.match == idbridge.Boolean {
			return idbridge.Values{strconv.FormatBool(x)}, nil
		}
	case []any:
		texts := make([]string, 0, len(x))
		for _, one := range x {
			s, ok := one.(string)
			if !ok && one != nil {
				return nil, broken("gives a list that holds " + kindOf(one))
			}
			texts = append(texts, s)
		}
		return e.clean(texts...), nil
	}
	return nil, broken("gives " + kindOf(got) + ", not a text or a list of texts")
}

// clean makes values of texts: without blanks around them, without empty ones, each once.
func (e *expression) clean(texts ...string) idbridge.Values {
	var out idbridge.Values
	seen := make(map[string]bool, len(texts))
	for _, s := range texts {
		if s = strings.TrimSpace(s); s == "" || seen[e.match.Normal(s)] {
			continue
		}
		seen[e.match.Normal(s)] = true
		out = append(out, s)
	}
	return out
}

// broken is why an evaluation ended; it holds no value of the entry.
type broken string

// Error returns the reason.
func (b broken) Error() string { return string(b) }

// whyFailed cuts the library's message where it might quote.
func whyFailed(err error) error {
	var own broken
	if errors.As(err, &own) {
		return own
	}
	why := "cannot be computed"
	var e *file.Error
	if errors.As(err, &e) {
		why, _, _ = strings.Cut(e.Message, `"`)
	}
	switch {
	case strings.Contains(why, "memory budget"):
		return broken("makes lists that are too long")
	case len(why) > 100:
		why = why[:100]
	}
	return broken("fails: " + strings.ToValidUTF8(strings.TrimSpace(why), ""))
}

// kindOf names what a value is.
func kindOf(v any) string {
	switch reflect.ValueOf(v).Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	default:
		return "something else"
	}
}
