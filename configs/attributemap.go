package configs

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/sync/plan"
)

// mapped reads the key map.
func (b *builder) mapped(v *value) ([]mapping.Field, map[idbridge.Attribute]plan.Rule) {
	rules := map[idbridge.Attribute]plan.Rule{}
	m := v.get("map")
	if m == nil || m.bad {
		return nil, rules
	}
	var fields []mapping.Field
	for _, x := range m.fields {
		a := idbridge.Attribute(x.name)
		if x.bad || !b.knows(x, x.name) {
			continue
		}
		from, form := x.str("from"), mapping.Form(x.str("form"))
		f := mapping.Field{Attribute: a, From: from, Form: form, Expr: x.str("expr"), Else: x.str("else")}
		b.origin(x, f)
		if form == mapping.Lock && a != idbridge.Active {
			b.add(x.where("form"), join(x.path, "form"), "only active can be locked", "the form lock is not for %s", a)
		}
		rule := plan.Rule{Flow: plan.Flow(b.or(x, string(defaultFlow(f)), "default", "flow")), OnConflict: plan.OnConflict(x.str("on_conflict"))}
		if a == idbridge.Active && rule.Flow != plan.In && rule.Flow != "" {
			b.add(x.where("flow"), join(x.path, "flow"), "remove flow; suspend a user in idbridge with: idbridge user suspend", "active flows in only")
		}
		if rule.Flow == plan.In && x.get("on_conflict").written() && rule.OnConflict != plan.PreferDirectory {
			b.add(x.where("on_conflict"), join(x.path, "on_conflict"), "write flow: both, or remove on_conflict", "with flow in the directory always wins")
		}
		if computed(f) && (rule.Flow == plan.Both || rule.Flow == plan.Out) {
			b.add(x.where("flow"), join(x.path, "flow"), "write flow: in, or once; nobody can work back from what an expression gives", "%s is computed, so it flows in only", a)
		}
		fields = append(fields, f)
		rules[a] = rule
	}
	if _, ok := rules[idbridge.UserName]; !ok && !b.at(join(m.path, "userName")) {
		b.add(m.key0, join(m.path, "userName"), "for OpenLDAP usually userName: uid", "is missing")
	}
	b.expressions(m, fields)
	return fields, rules
}

// computed tells whether an expression has a part in a field.
func computed(f mapping.Field) bool { return f.Expr != "" || f.Else != "" }

// origin checks where the value of one attribute comes from.
func (b *builder) origin(x *value, f mapping.Field) {
	good := regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)*)$`).MatchString(f.From)
	switch {
	case b.at(join(x.path, "from")) || b.at(join(x.path, "expr")):
	case f.From == "" && f.Expr == "":
		b.add(x.key0, join(x.path, "from"), "it names the attribute of the entry; or write expr", "is missing")
	case f.From != "" && !good:
		hint := "letters, digits and hyphens, without options"
		if strings.ContainsAny(f.From, "+\"'() ") {
			hint = "an expression stands under expr: {expr: 'givenName + \" \" + sn'}"
		}
		b.add(x.where("from"), join(x.path, "from"), hint, "%q cannot be the name of a directory's attribute", f.From)
	case f.Expr != "" && (f.From != "" || f.Else != "" || f.Form != mapping.Plain):
		b.add(x.where("expr"), join(x.path, "expr"), "for entries without a value of from, write else", "expr stands alone, without from, else or form")
	case f.Else != "" && f.Form != mapping.Plain:
		b.add(x.where("else"), join(x.path, "else"), "remove one of them", "form and else exclude each other")
	case computed(f) && f.Attribute == idbridge.UserName:
		b.add(x.at, x.path, "map it to one attribute, by which idbridge can find the entry", "the login cannot be computed")
	}
}

// expressions compiles them, and puts what is wrong where it stands in the file.
func (b *builder) expressions(m *value, fields []mapping.Field) {
	_, err := mapping.New(b.cfg.Schema, fields)
	joined, several := err.(interface{ Unwrap() []error }) // as errors.Join makes it
	if !several {
		return
	}
	for _, one := range joined.Unwrap() {
		var f *mapping.ExpressionFault
		if !errors.As(one, &f) {
			continue // the provider's Validate tells it
		}
		name := "expr"
		if f.Else {
			name = "else"
		}
		x := m.get(string(f.Attribute), name)
		b.add(b.inside(x, f.Column), x.path, f.Hint, "expression: %s", f.Why)
	}
}

// inside is the place of a column of a text, when the text stands in the file as it is; else of its beginning.
func (b *builder) inside(v *value, column int) place {
	at := v.at
	if at.line < 1 || at.line > len(b.lines) {
		return at
	}
	line := []rune(b.lines[at.line-1])
	for quote := range 2 {
		from := at.column - 1 + quote
		if from >= 0 && from <= len(line) && strings.HasPrefix(string(line[from:]), v.text) {
			return place{at.line, from + column}
		}
	}
	return at
}

// defaultFlow is both for LDAP, which can be written, except where the directory must own the value.
func defaultFlow(f mapping.Field) plan.Flow {
	if f.Attribute == idbridge.UserName || f.Attribute == idbridge.Active || computed(f) {
		return plan.In
	}
	return plan.Both
}

// linkBy is userName and email, those that are mapped, unless the file says otherwise.
func (b *builder) linkBy(v *value, rules map[idbridge.Attribute]plan.Rule) []idbridge.Attribute {
	x := v.get("link_by")
	if x == nil {
		out := slices.DeleteFunc([]idbridge.Attribute{idbridge.UserName, idbridge.Email}, func(a idbridge.Attribute) bool {
			_, ok := rules[a]
			return !ok
		})
		b.stand(v, "link_by", out)
		return out
	}
	out := b.attributes(x)
	for i, item := range x.items {
		a := idbridge.Attribute(item.text)
		spec, known := b.cfg.Schema[a]
		if _, ok := rules[a]; known && !ok {
			b.add(item.at, item.path, "add it to map, or remove it here", "%s is not mapped", a)
		} else if known && !spec.Unique {
			b.add(x.items[i].at, item.path, "declare it unique: true under attributes, or remove it here", "%s is not unique, so it names nobody", a)
		}
	}
	return out
}

func (b *builder) required(v *value, rules map[idbridge.Attribute]plan.Rule) []idbridge.Attribute {
	x := v.get("required")
	if x == nil {
		out := []idbridge.Attribute{idbridge.UserName}
		b.stand(v, "required", out)
		return out
	}
	out := b.attributes(x)
	for _, item := range x.items {
		if _, ok := rules[idbridge.Attribute(item.text)]; !ok && !b.at(item.path) {
			b.add(item.at, item.path, "add it to map, or remove it here", "%s is not mapped, so every record would be quarantined", item.text)
		}
	}
	if !slices.Contains(out, idbridge.UserName) {
		out = append(out, idbridge.UserName) // nobody is a user without one
	}
	return out
}

// stand adds a default list, for Show.
func (b *builder) stand(v *value, name string, attributes []idbridge.Attribute) {
	x := &value{key: v.key.child(name), name: name, path: join(v.path, name), origin: "default"}
	for _, a := range attributes {
		x.items = append(x.items, &value{key: x.key.item, text: string(a), origin: "default"})
	}
	v.fields = append(v.fields, x)
}
