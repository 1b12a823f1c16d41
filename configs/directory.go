package configs

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/providers/ldap"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
	"github.com/idbridge/idbridge/sync/schedule"
)

// directory builds one, and notes its name.
func (b *builder) directory(v *value, names map[string]place, precedence map[idbridge.Attribute][]string) {
	if v.bad {
		return
	}
	name := v.str("name")
	at := v.where("name")
	if first, twice := names[name]; twice && name != "" {
		b.add(at, join(v.path, "name"), "users are tied to a directory by its name", "%q is taken by line %d", name, first.line)
	} else {
		names[name] = at
	}
	d := Directory{Name: name, Mode: engine.Mode(v.str("mode")), Timing: b.timing(v, name)}
	fields, rules := b.mapped(v)
	d.LDAP = b.ldap(v, fields)
	d.Policy = b.policy(v, rules, precedence)
	b.validate(v, &d.LDAP)
	d.Policy.Scope = d.LDAP.Scope()
	b.cfg.Directories = append(b.cfg.Directories, d)
	for a, r := range rules {
		if r.Flow == plan.Both || r.Flow == plan.Out {
			b.cfg.Outward[name] = append(b.cfg.Outward[name], a)
		}
	}
	slices.Sort(b.cfg.Outward[name])
}

// preset is what a kind of server fills in.
type preset struct{ users, id, groups string }

func presetOf(name string) preset {
	switch name {
	case "openldap":
		return preset{
			users: "(objectClass=inetOrgPerson)", id: "entryUUID",
			groups: "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))",
		}
	default:
		return preset{}
	}
}

// or returns the text below v, or else what stands in for it, which becomes a value of its own so that Show tells where
// it came from.
func (b *builder) or(v *value, stand, origin string, names ...string) string {
	if x := v.get(names...); x != nil {
		if x.bad {
			return ""
		}
		return x.text
	}
	parent, k := v, v.key
	for i, n := range names {
		if k = k.child(n); k == nil {
			return stand
		}
		next := parent.get(n)
		if next == nil {
			next = &value{key: k, name: n, path: join(parent.path, n), origin: origin, key0: parent.key0}
			if i == len(names)-1 {
				next.text = stand
			}
			parent.fields = append(parent.fields, next)
		}
		parent = next
	}
	return stand
}

func (b *builder) ldap(v *value, fields []mapping.Field) ldap.Config {
	p := presetOf(v.str("preset"))
	origin := "preset " + v.str("preset")
	c := ldap.Config{
		Name: v.str("name"), URLs: v.texts("urls"), BaseDN: v.str("base_dn"),
		Bind: ldap.Bind{DN: v.str("bind", "dn"), Password: b.password(v.get("bind"), variable(v.str("name")))},
		TLS: ldap.TLS{
			StartTLS: v.flag("tls", "start_tls"), CAFile: b.path(v.str("tls", "ca_file")), ServerName: v.str("tls", "server_name"),
			CertFile: b.path(v.str("tls", "cert_file")), KeyFile: b.path(v.str("tls", "key_file")),
			InsecureSkipVerify: v.flag("tls", "insecure_skip_verify"), AllowCleartextBind: v.flag("insecure_cleartext_bind"),
		},
		Users:       ldap.Search{Base: v.str("users", "base"), Filter: b.or(v, p.users, origin, "users", "filter")},
		IDAttribute: b.or(v, p.id, origin, "users", "id"),
		Groups:      ldap.Groups{Base: v.str("groups", "base"), Member: v.str("groups", "member")},
		Canary:      v.str("canary"), PageSize: int(v.number("page_size")),
		Timeouts: ldap.Timeouts{Dial: v.duration("timeouts", "dial"), Request: v.duration("timeouts", "request"), Idle: v.duration("timeouts", "idle")},
		Schema:   b.cfg.Schema, Map: fields,
	}
	if v.get("groups") != nil || b.hasRoles(c.Name) { // otherwise nobody needs the groups, and they are not read
		c.Groups.Filter = b.or(v, p.groups, origin, "groups", "filter")
	}
	return c
}

func (b *builder) hasRoles(directory string) bool {
	return slices.ContainsFunc(b.cfg.Roles, func(r idbridge.RoleRule) bool { return r.Directory == directory })
}

// validate asks the provider, and puts its faults where the keys stand. What has a fault already is not repeated.
func (b *builder) validate(v *value, c *ldap.Config) {
	for _, err := range c.Validate() {
		path, msg, ok := strings.Cut(err.Error(), ": ")
		if !ok {
			path, msg = "", err.Error()
		}
		names := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(". []", r) })
		full := strings.TrimSuffix(v.path+"."+strings.ReplaceAll(path, " ", "."), ".")
		if b.at(full) || len(names) > 0 && b.at(join(v.path, names[0])) {
			continue
		}
		if strings.HasSuffix(path, "s.base") && !v.get(names...).written() {
			continue // it stands in for base_dn, which has its fault
		}
		msg, hint := plainer(path, msg)
		b.add(v.whereItem(names), full, cmp.Or(idbridge.HintOf(err), hint), "%s", msg)
	}
}

// plainer takes what means nothing to a person out of a fault of the provider, and adds a hint.
func plainer(path, msg string) (string, string) {
	msg = strings.ReplaceAll(msg, `LDAP Result Code 201 "Filter Compile Error": ldap: `, "")
	switch {
	case strings.Contains(msg, "is not a filter"):
		return msg, "each condition stands in parentheses: (objectClass=inetOrgPerson)"
	case strings.Contains(msg, "is not a distinguished name"):
		return msg, "write it like ou=people,dc=example,dc=org"
	case strings.HasPrefix(path, "urls") && strings.Contains(msg, "must begin with"):
		return msg, "write it like ldaps://ldap.example.org"
	}
	return msg, ""
}

// whereItem is where, with numbers for the items of lists.
func (v *value) whereItem(names []string) place {
	at := v.key0
	for _, n := range names {
		next := v.get(n)
		if i, err := strconv.Atoi(n); err == nil && i >= 0 && i < len(v.items) {
			next = v.items[i]
		}
		if next == nil {
			break
		}
		if v = next; v.at.line > 0 {
			at = v.at
		}
	}
	return at
}

func (b *builder) timing(v *value, name string) schedule.Timing {
	spec := func(key string) schedule.Spec {
		x := v.get("schedule", key)
		if x == nil || x.bad {
			return schedule.Spec{}
		}
		s, err := schedule.Parse(x.text, b.cfg.Zone)
		if err != nil { // it was read once, in another zone
			b.add(x.at, x.path, idbridge.HintOf(err), "%s", err.Error())
		}
		return s
	}
	return schedule.Timing{
		Directory: name, Full: spec("full"), Changes: spec("changes"),
		Missed: schedule.Missed(v.str("schedule", "missed")), Limit: v.duration("schedule", "limit"),
	}
}

func (b *builder) policy(v *value, rules map[idbridge.Attribute]plan.Rule, precedence map[idbridge.Attribute][]string) *plan.Policy {
	p := &plan.Policy{
		Directory: v.str("name"), Schema: b.cfg.Schema, Rules: rules,
		LinkBy: b.linkBy(v, rules), Required: b.required(v, rules),
		ConfirmAfter: v.duration("absent", "confirm_after"), PurgeAfter: v.duration("absent", "purge_after"),
		Limits: limits(v.get("guards")), Overrides: b.overrides(v.get("guards", "overrides")), Precedence: precedence, Access: b.access(), Writable: true,
	}
	for _, r := range b.cfg.Roles {
		if r.Directory == p.Directory {
			p.Roles = append(p.Roles, r)
		}
	}
	if p.PurgeAfter > 0 && p.PurgeAfter <= p.ConfirmAfter {
		b.add(v.where("absent", "purge_after"), join(v.path, "absent.purge_after"), "days, usually", "is not longer than confirm_after (%s)", short(p.ConfirmAfter))
	}
	return p
}

func limits(g *value) plan.Limits {
	number := func(name string) (int, float64) {
		x := g.get(name)
		if x == nil || x.bad {
			return 0, 0
		}
		return int(x.num), x.share
	}
	l := plan.DefaultLimits()
	l.Removals, l.RemovalsShare = number("removals")
	l.Changes, l.ChangesShare = number("changes")
	l.Creations, l.CreationsShare = number("creations")
	l.Members, l.MembersShare = number("members")
	l.Writes, l.WritesShare = number("writes")
	l.Grants, l.GrantsShare = number("grants")
	l.Admins, l.AdminsShare = number("admin_grants")
	l.Keys, l.KeysShare = number("keys")
	l.IDs, l.IDsShare = number("ids")
	l.Back, l.BackShare = number("rollback")
	l.RemovalsCap = int(g.number("removals_cap"))
	if !g.get("removals_cap").written() {
		l.RemovalsCap = max(l.RemovalsCap, l.Removals) // a number that was written is meant
	}
	return l
}
