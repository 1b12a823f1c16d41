package ldap

import (
	"context"
	"encoding/base64"
	"log/slog"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
)

// LDIF returns a directory step as a change record of RFC 2849, ended by an empty line, so that records can be put
// together into one text for ldapmodify. It is what Apply would send if the record were still as the step saw it: the
// same code makes it. What only the live server adds is left out: the guard on the entry's version, the values of an
// attribute that the step does not speak of, and "replace" for attributes without an equality rule. Passwords are
// masked. Errors: Refused when Apply would refuse the step by our own rules, Invalid when it does not say where the
// record is.
func (d *Directory) LDIF(step idbridge.Step) (string, error) {
	if err := takes(step); err != nil {
		return "", err
	}
	if step.Locator == "" {
		return "", &idbridge.Error{
			Kind: idbridge.Invalid, Msg: "the step does not say where the record is", Hint: "the directory was not asked for it yet; make the plan again",
		}
	}
	h := d.remembered(step)
	todo, err := d.compare(h, step)
	if err != nil {
		return "", err
	}
	if len(todo) == 0 {
		return "", nil
	}
	mods, err := d.modifications(schema{}, h, todo)
	if err != nil {
		return "", err
	}
	return changeRecord(modifyOf(step.Locator, mods)) + "\n", nil
}

// remembered is the entry as a step saw it, as far as the step speaks of it.
func (d *Directory) remembered(step idbridge.Step) *held {
	h := &held{values: map[string]idbridge.Values{}}
	h.record = idbridge.Record{ID: step.ID, Locator: step.Locator, Profile: idbridge.Profile{}}
	for a, v := range step.Before {
		h.record.Profile[a] = v
		if source, values, mapped := d.m.Back(a, v); mapped {
			h.values[source] = values
		}
	}
	return h
}

// modifyOf makes one request of all modifications of an entry.
func modifyOf(dn string, mods []modification) *ldap.ModifyRequest {
	r := ldap.NewModifyRequest(dn, nil)
	for i := range mods {
		mods[i].put(r)
	}
	return r
}

// changeRecord writes a modify as LDIF that ldapmodify takes, without its controls.
func changeRecord(r *ldap.ModifyRequest) string {
	var b strings.Builder
	line(&b, "dn", r.DN)
	line(&b, "changetype", "modify")
	for _, c := range r.Changes {
		kind := c.Modification.Type
		line(&b, [...]string{"add", "delete", "replace"}[c.Operation], kind)
		for _, v := range c.Modification.Vals {
			if secret(kind) {
				v = "***"
			}
			line(&b, kind, v)
		}
		b.WriteString("-\n")
	}
	return b.String()
}

// lineLength is where long lines are folded; RFC 2849 lets a program choose.
const lineLength = 76

// line writes one line, in base64 where it must be, and folds it.
func line(b *strings.Builder, name, value string) {
	text := name + ": " + value
	if !plainText(value) {
		text = name + ":: " + base64.StdEncoding.EncodeToString([]byte(value))
	}
	for length := lineLength; len(text) > length; length = lineLength - 1 { // the blank of a folded line counts
		b.WriteString(text[:length] + "\n ")
		text = text[length:]
	}
	b.WriteString(text + "\n")
}

// plainText tells whether LDIF takes a value as it is (RFC 2849).
func plainText(v string) bool {
	if v == "" || strings.ContainsAny(v[:1], " :<") || v[len(v)-1] == ' ' {
		return false
	}
	for i := range len(v) {
		if v[i] < ' ' || v[i] > '~' {
			return false
		}
	}
	return true
}

// secret tells the attributes whose values nobody may read in a log or a plan: passwords and keys, by the names that
// servers give them.
func secret(attribute string) bool {
	name, _, _ := strings.Cut(strings.ToLower(attribute), ";")
	switch name {
	case "unicodepwd", "dbcspwd", "ntpwdhistory", "lmpwdhistory", "supplementalcredentials", "krbprincipalkey", "ipanthash":
		return true
	}
	return strings.HasSuffix(name, "password")
}

// logModify writes a modify as LDIF that can be given to ldapmodify.
func (d *Directory) logModify(ctx context.Context, r *ldap.ModifyRequest) {
	if d.log.Enabled(ctx, slog.LevelDebug) {
		d.log.DebugContext(ctx, "modify", "ldif", changeRecord(r))
	}
}
