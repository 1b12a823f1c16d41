package configs

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// read turns a node into the value of a key, noting every fault on the way.
func (f *faults) read(k *key, n ast.Node, v value) *value {
	v.key, v.at = k, start(n)
	v.origin = fmt.Sprintf("line %d", v.at.line)
	if v.key0.line == 0 {
		v.key0 = v.at
	}
	if f.refused(&v, n) {
		return &v
	}
	switch k.shape {
	case object:
		f.readObject(&v, n)
	case list:
		f.readList(&v, n)
	case dict:
		f.readDict(&v, n)
	case text, secret, number, flag, duration, moment, limit, cron:
		f.readScalar(&v, n)
	}
	return &v
}

// refused notes what no key takes: anchors, aliases, tags, nothing at all.
func (f *faults) refused(v *value, n ast.Node) bool {
	fault := func(hint, msg string) bool {
		v.bad = true
		f.add(v.at, v.path, hint, "%s", msg)
		return true
	}
	switch n.(type) {
	case *ast.AnchorNode:
		return fault("write the value without &", "anchors are not used here")
	case *ast.AliasNode:
		return fault(`write the value out; a text that begins with * needs quotes: "*/2 * * * *"`, "aliases are not used here")
	case *ast.TagNode:
		return fault("remove the tag", "tags are not used here")
	case *ast.NullNode:
		v.at = v.key0
		return fault("give it "+v.key.kind()+", or remove the line", "has no value")
	}
	return false
}

// pairs returns the keys and values of a mapping node.
func pairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	}
	return nil, false
}

// names yields the pairs of a mapping whose keys are good and new.
func (f *faults) names(v *value, n ast.Node, visit func(name string, at place, node ast.Node)) bool {
	all, ok := pairs(n)
	if !ok {
		v.bad = true
		f.add(v.at, v.path, "", "must be %s, not %s", v.key.kind(), sort(n))
		return false
	}
	seen := map[string]place{}
	for _, p := range all {
		at := placeOf(p.Key)
		s, isText := p.Key.(*ast.StringNode)
		if _, merge := p.Key.(*ast.MergeKeyNode); merge {
			f.add(at, v.path, "write the keys out", "merge keys are not used here")
			continue
		}
		if !isText {
			f.add(at, v.path, "keys are plain names; a name that looks like a number needs quotes", "a key that is no name")
			continue
		}
		if first, twice := seen[s.Value]; twice {
			f.add(at, join(v.path, s.Value), "keep one of them", "comes twice, first in line %d", first.line)
			continue
		}
		seen[s.Value] = at
		visit(s.Value, at, p.Value)
	}
	return true
}

// readObject reads fixed keys and adds the defaults of those that are missing.
func (f *faults) readObject(v *value, n ast.Node) {
	k := v.key
	if s, ok := n.(*ast.StringNode); ok && k.short != "" {
		one := f.read(k.child(k.short), s, value{name: k.short, path: join(v.path, k.short), key0: v.key0})
		v.bad = one.bad
		v.fields = append(v.fields, one)
		f.fill(v)
		return
	}
	found := map[string]*value{}
	ok := f.names(v, n, func(name string, at place, node ast.Node) {
		c := k.child(name)
		if c == nil {
			f.add(at, join(v.path, name), unknownHint(name, k), "unknown key")
			return
		}
		found[name] = f.read(c, node, value{name: name, path: join(v.path, name), key0: at})
	})
	if !ok {
		return
	}
	for i := range k.keys {
		if x := found[k.keys[i].name]; x != nil {
			v.fields = append(v.fields, x)
		}
	}
	f.fill(v)
}

// fill adds the defaults of what an object lacks, in the table's order, and notes what is required.
func (f *faults) fill(v *value) {
	var full []*value
	for i := range v.key.keys {
		c := &v.key.keys[i]
		if x := v.get(c.name); x != nil {
			full = append(full, x)
			continue
		}
		x := &value{key: c, name: c.name, path: join(v.path, c.name), origin: "default", key0: v.key0}
		switch {
		case c.must != "":
			f.add(v.key0, x.path, c.must, "is missing")
		case c.def != "":
			f.fillDefault(x, c.def)
			full = append(full, x)
		case c.filled():
			f.fill(x)
			full = append(full, x)
		}
	}
	v.fields = full
}

// readList reads a list; each item is named by its number.
func (f *faults) readList(v *value, n ast.Node) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		v.bad = true
		hint := "write [value, value], or one value a line after a dash"
		f.add(v.at, v.path, hint, "must be a list, not %s", sort(n))
		return
	}
	if len(seq.Values) == 0 && v.key.must != "" {
		f.add(v.at, v.path, v.key.must, "is empty")
	}
	for i, item := range seq.Values {
		path := fmt.Sprintf("%s[%d]", v.path, i)
		v.items = append(v.items, f.read(v.key.item, item, value{path: path}))
	}
}

// readDict reads free names.
func (f *faults) readDict(v *value, n ast.Node) {
	pattern := regexp.MustCompile(`^(?:` + v.key.pattern + `)$`)
	f.names(v, n, func(name string, at place, node ast.Node) {
		path := join(v.path, name)
		if !pattern.MatchString(name) {
			f.add(at, path, "it must be "+v.key.expects, "not a good name")
			return
		}
		v.fields = append(v.fields, f.read(v.key.item, node, value{name: name, path: path, key0: at}))
	})
}

// sort names what a node is, for a person.
func sort(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	}
	return "this"
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }
