package configs

import (
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
		if from != "" && !regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)*)$`).MatchString(from) {
			hint := "letters, digits and hyphens, without options"
			if strings.ContainsAny(from, "+\"'() ") {
				hint = "expressions come in a later release; name one attribute for now"
			}
			b.add(x.where("from"), join(x.path, "from"), hint, "%q cannot be the name of a directory's attribute", from)
		}
		if form == mapping.Lock && a != idbridge.Active {
			b.add(x.where("form"), join(x.path, "form"), "only active can be locked", "the form lock is not for %s", a)
		}
		rule := plan.Rule{Flow: plan.Flow(b.or(x, string(defaultFlow(a)), "default", "flow")), OnConflict: plan.OnConflict(x.str("on_conflict"))}
		if a == idbridge.Active && rule.Flow != plan.In && rule.Flow != "" {
			b.add(x.where("flow"), join(x.path, "flow"), "remove flow; suspend a user in idbridge with: idbridge user suspend", "active flows in only")
		}
		if rule.Flow == plan.In && x.get("on_conflict").written() && rule.OnConflict != plan.PreferDirectory {
			b.add(x.where("on_conflict"), join(x.path, "on_conflict"), "write flow: both, or remove on_conflict", "with flow in the directory always wins")
		}
		fields = append(fields, mapping.Field{Attribute: a, From: from, Form: form})
		rules[a] = rule
	}
	if _, ok := rules[idbridge.UserName]; !ok && !b.at(join(m.path, "userName")) {
		b.add(m.key0, join(m.path, "userName"), "for OpenLDAP usually userName: uid", "is missing")
	}
	return fields, rules
}

// defaultFlow is both for LDAP, which can be written, except where the directory must own the value.
func defaultFlow(a idbridge.Attribute) plan.Flow {
	if a == idbridge.UserName || a == idbridge.Active {
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
