package mapping

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/idbridge/idbridge"
)

// rewriter turns the tree that a person wrote into one that can only end: it refuses what the language does not have,
// makes reads of names, budgeted calls of + and of functions, and counts the turns of every loop.
type rewriter struct {
	text    string
	strange func(name string) (why, hint string)
	reads   []string
	fault   *ExpressionFault // the first
}

func (r *rewriter) refuse(n ast.Node, hint, format string, args ...any) {
	if r.fault == nil {
		r.fault = &ExpressionFault{Column: r.column(n), Why: fmt.Sprintf(format, args...), Hint: hint}
	}
}

// column is where a node begins, in characters from 1.
func (*rewriter) column(n ast.Node) int { return n.Location().From + 1 }

// operators lists what stands between two values.
func operator(name string) bool {
	return slices.Contains([]string{
		"+", "==", "!=", "<", ">", "<=", ">=", "and", "or", "&&", "||", "??", "contains", "startsWith", "endsWith", "matches", "in",
	}, name)
}

// predicate tells whether a function looks at each element of a list.
func predicate(name string) bool {
	return slices.Contains([]string{"filter", "map", "find", "any", "none", "one", "count"}, name)
}

// walk rewrites a node; vars are the names that let has given.
func (r *rewriter) walk(p *ast.Node, vars []string) {
	if r.fault != nil || *p == nil {
		return
	}
	switch n := (*p).(type) {
	case *ast.NilNode, *ast.IntegerNode, *ast.BoolNode, *ast.StringNode:
	case *ast.PointerNode:
		if n.Name != "" {
			r.refuse(n, "the element is #", "#%s is not used here", n.Name)
		}
	case *ast.IdentifierNode:
		if !slices.Contains(vars, n.Value) {
			r.read(p, "first", n.Value, n)
		}
	case *ast.UnaryNode:
		r.walk(&n.Node, vars)
	case *ast.BinaryNode:
		r.binary(p, n, vars)
	case *ast.ConditionalNode:
		r.each(vars, &n.Cond, &n.Exp1, &n.Exp2)
	case *ast.ArrayNode:
		for i := range n.Nodes {
			r.walk(&n.Nodes[i], vars)
		}
	case *ast.VariableDeclaratorNode:
		r.walk(&n.Value, vars)
		r.walk(&n.Expr, append(slices.Clip(vars), n.Name))
	case *ast.MemberNode:
		r.member(n, vars)
	case *ast.CallNode:
		r.call(p, n, vars)
	case *ast.BuiltinNode:
		if !predicate(n.Name) && n.Name != "len" { // the parser knows some that are switched off
			r.refuse(n, "functions are "+functionNames, "no function is called %q", n.Name)
		}
		for i := range n.Arguments {
			r.walk(&n.Arguments[i], vars)
		}
	case *ast.PredicateNode:
		w := new(weight)
		ast.Walk(&n.Node, w)
		r.walk(&n.Node, vars)
		turn := r.own(n, "turn", placed(&ast.IntegerNode{Value: w.parts}, n), placed(&ast.IntegerNode{Value: w.lists}, n))
		n.Node = placed(&ast.SequenceNode{Nodes: []ast.Node{turn, n.Node}}, n)
	default:
		r.refuse(n, namesHint, "is not used here")
	}
}

func (r *rewriter) each(vars []string, nodes ...*ast.Node) {
	for _, n := range nodes {
		r.walk(n, vars)
	}
}

func (r *rewriter) binary(p *ast.Node, n *ast.BinaryNode, vars []string) {
	switch {
	case n.Operator == "..":
		r.refuse(n, "loops go over the values of an attribute only: filter(all(\"mail\"), # endsWith \"@example.org\")", "ranges are not used here")
	case !operator(n.Operator):
		r.refuse(n, "there are no numbers to compute with", "%q is not used here", n.Operator)
	case n.Operator == "matches":
		pattern, ok := n.Right.(*ast.StringNode)
		if !ok {
			r.refuse(n, `write it out: mail matches "^[a-z]+@"`, "the pattern of matches must be a text")
		} else if _, err := regexp.Compile(pattern.Value); err != nil {
			r.refuse(pattern, "", "the pattern is no regular expression")
		}
	}
	r.each(vars, &n.Left, &n.Right)
	if n.Operator == "+" {
		*p = r.own(n, "+", n.Left, n.Right)
	}
}

// member allows an element of a list by its number.
func (r *rewriter) member(n *ast.MemberNode, vars []string) {
	index := n.Property
	if minus, ok := index.(*ast.UnaryNode); ok && minus.Operator == "-" {
		index = minus.Node
	}
	if _, ok := index.(*ast.IntegerNode); !ok || n.Method {
		r.refuse(n, `a list has elements by number: split(mail, "@")[0]`, "is not used here")
	}
	r.walk(&n.Node, vars)
}

// call allows the functions of functions, and gives them the scene.
func (r *rewriter) call(p *ast.Node, n *ast.CallNode, vars []string) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || !slices.Contains(strings.Split(functionNames, ", "), callee.Value) {
		name := "this"
		if ok {
			name = callee.Value
		}
		r.refuse(n, "functions are "+functionNames, "no function is called %q", name)
		return
	}
	if callee.Value == "first" || callee.Value == "all" {
		if len(n.Arguments) != 1 {
			r.refuse(n, namesHint, "%s takes the name of one attribute", callee.Value)
			return
		}
		name, ok := n.Arguments[0].(*ast.StringNode)
		if !ok {
			r.refuse(n, namesHint, "%s takes a name in quotes", callee.Value)
			return
		}
		r.read(p, callee.Value, name.Value, name)
		return
	}
	for i := range n.Arguments {
		r.walk(&n.Arguments[i], vars)
	}
	*p = r.own(n, callee.Value, n.Arguments...)
}

// read makes a node the read of an attribute of the entry. In quotes every name will do; without them one that means
// something else to a person is refused.
func (r *rewriter) read(p *ast.Node, how, name string, at ast.Node) {
	if !validName(name) {
		r.refuse(at, namesHint, "%q cannot be the name of a directory's attribute", name)
		return
	}
	if _, bare := at.(*ast.IdentifierNode); bare {
		if why, hint := r.strange(name); why != "" {
			r.refuse(at, hint, "%s", why)
			return
		}
	}
	i := slices.IndexFunc(r.reads, func(s string) bool { return strings.EqualFold(s, name) })
	if i < 0 {
		i = len(r.reads)
		r.reads = append(r.reads, name)
	}
	if i >= maxReads {
		r.refuse(at, "", "reads more than %d attributes", maxReads)
	}
	*p = r.own(at, how, placed(&ast.IntegerNode{Value: i}, at))
}

// own calls one of our functions.
func (r *rewriter) own(at ast.Node, name string, args ...ast.Node) ast.Node {
	scene := placed(&ast.IdentifierNode{Value: "$env"}, at)
	return placed(&ast.CallNode{
		Callee: placed(&ast.IdentifierNode{Value: name}, at), Arguments: append([]ast.Node{scene}, args...),
	}, at)
}

func placed(n, at ast.Node) ast.Node {
	n.SetLocation(at.Location())
	return n
}

// weight is what one turn of a loop may cost: parts that look at one text each, and those that may look at a whole list.
type weight struct{ parts, lists int }

// patternWeight is how much slower a regular expression looks at a text than a comparison.
const patternWeight = 50

// Visit adds one part.
func (w *weight) Visit(p *ast.Node) {
	w.parts++
	n, ok := (*p).(*ast.BinaryNode)
	if !ok {
		return
	}
	switch n.Operator {
	case "matches":
		w.parts += patternWeight
	case "==", "!=":
		if !literal(n.Left) && !literal(n.Right) {
			w.lists++
		}
	case "in":
		if _, written := n.Right.(*ast.ArrayNode); !written { // a written list has its parts counted
			w.lists++
		}
	}
}

// literal tells whether a node is written out, so that what is compared with it is compared at once.
func literal(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.NilNode, *ast.BoolNode, *ast.IntegerNode:
		return true
	}
	return false
}

// result refuses an expression that cannot give text, as far as its types tell.
func (r *rewriter) result(n ast.Node, match idbridge.Match) {
	switch x := n.(type) {
	case *ast.ConditionalNode:
		r.result(x.Exp1, match)
		r.result(x.Exp2, match)
		return
	case *ast.VariableDeclaratorNode:
		r.result(x.Expr, match)
		return
	case *ast.NilNode:
		return
	case *ast.ArrayNode:
		for _, one := range x.Nodes {
			if k := one.Type().Kind(); k != reflect.String && k != reflect.Interface {
				r.refuse(one, namesHint, "a list may hold texts only, not %s", called(one.Type()))
			}
		}
		return
	}
	t := n.Type()
	switch t.Kind() {
	case reflect.String, reflect.Interface:
		return
	case reflect.Bool:
		if match == idbridge.Boolean {
			return
		}
	case reflect.Slice:
		if k := t.Elem().Kind(); k == reflect.String || k == reflect.Interface {
			return
		}
	}
	hint := namesHint
	if t.Kind() == reflect.Bool {
		hint = `choose a text: employeeType == "staff" ? "yes" : "no"`
	}
	r.refuse(n, hint, "gives %s, not a text or a list of texts", called(t))
}

func called(t reflect.Type) string { return kindOf(reflect.Zero(t).Interface()) }
