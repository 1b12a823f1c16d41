package ldapsim

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// ldifRecord is one record of an LDIF text: an entry, or a change when change is set.
type ldifRecord struct {
	line   int
	name   string
	change string // changetype; "" for an entry
	lines  []ldifPair
}

// ldifPair is one attribute line; a line "-" has the name "-".
type ldifPair struct{ name, value string }

// parseLDIF reads RFC 2849 with its foldings, comments and base64. UTF-8 may stand plain. URLs as values are refused:
// the server reads no files.
func parseLDIF(text string) ([]ldifRecord, error) {
	var out []ldifRecord
	var cur ldifRecord
	flush := func() {
		if cur.name != "" || len(cur.lines) > 0 {
			out = append(out, cur)
		}
		cur = ldifRecord{}
	}
	for _, l := range unfold(text) {
		if l.text == "" {
			flush()
			continue
		}
		if l.text == "-" {
			cur.lines = append(cur.lines, ldifPair{name: "-"})
			continue
		}
		p, err := ldifSplit(l.text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", l.number, err)
		}
		switch {
		case cur.line == 0 && fold(p.name) == "version":
		case cur.line == 0 && fold(p.name) == "dn":
			cur.line, cur.name = l.number, p.value
		case cur.line == 0:
			return nil, fmt.Errorf("line %d: a record begins with dn:, not %s:", l.number, p.name) //nolint:staticcheck // the colon belongs to the name
		case fold(p.name) == "changetype":
			cur.change = fold(p.value)
		default:
			cur.lines = append(cur.lines, p)
		}
	}
	flush()
	return out, nil
}

type ldifText struct {
	number int
	text   string
}

// unfold joins continued lines and drops comments.
func unfold(text string) []ldifText {
	var out []ldifText
	comment := false
	n := 0
	for l := range strings.Lines(text) {
		n++
		l = strings.TrimRight(l, "\r\n")
		switch {
		case strings.HasPrefix(l, " ") && comment:
		case strings.HasPrefix(l, " ") && len(out) > 0:
			out[len(out)-1].text += l[1:]
		case strings.HasPrefix(l, "#"):
			comment = true
		default:
			comment = false
			out = append(out, ldifText{n, l})
		}
	}
	return out
}

func ldifSplit(l string) (ldifPair, error) {
	name, v, ok := strings.Cut(l, ":")
	if !ok || name == "" {
		return ldifPair{}, fmt.Errorf("no colon in %q", l)
	}
	switch {
	case strings.HasPrefix(v, ":"):
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(v[1:]))
		if err != nil {
			return ldifPair{}, fmt.Errorf("%s: %w", name, err)
		}
		return ldifPair{name, string(b)}, nil
	case strings.HasPrefix(v, "<"):
		return ldifPair{}, fmt.Errorf("%s: a URL is not read", name)
	}
	return ldifPair{name, strings.TrimLeft(v, " ")}, nil
}

// ldifLine writes one line, as base64 where RFC 2849 asks for it.
func ldifLine(b *strings.Builder, name, v string) {
	safe := v == "" || strings.IndexByte(" :<", v[0]) < 0 && v[len(v)-1] != ' '
	for i := range len(v) {
		safe = safe && v[i] != 0 && v[i] != '\n' && v[i] != '\r' && v[i] < 0x80
	}
	if safe {
		b.WriteString(name + ": " + v + "\n")
		return
	}
	b.WriteString(name + ":: " + base64.StdEncoding.EncodeToString([]byte(v)) + "\n")
}

// asUpdate turns a record into a write.
func (r ldifRecord) asUpdate() (update, error) {
	u := update{name: r.name}
	switch r.change {
	case "", "add":
		u.op = OpAdd
		u.mods = gather(r.lines)
	case "delete":
		u.op = OpDelete
	case "modify":
		u.op = OpModify
		return u, r.modify(&u)
	case "modrdn", "moddn":
		u.op = OpModifyDN
		for _, p := range r.lines {
			switch fold(p.name) {
			case "newrdn":
				u.move.rdn = p.value
			case "deleteoldrdn":
				u.move.deleteOld = p.value == "1"
			case "newsuperior":
				u.move.superior = &p.value
			}
		}
	default:
		return u, fmt.Errorf("line %d: unknown changetype %q", r.line, r.change)
	}
	return u, nil
}

// gather collects the values of each attribute, in the order the attributes come.
func gather(lines []ldifPair) []Mod {
	var out []Mod
	at := map[string]int{}
	for _, p := range lines {
		i, ok := at[fold(p.name)]
		if !ok {
			i = len(out)
			at[fold(p.name)] = i
			out = append(out, Mod{Attribute: p.name})
		}
		out[i].Values = append(out[i].Values, p.value)
	}
	return out
}

func (r ldifRecord) modify(u *update) error {
	verbs := map[string]Verb{"add": Put, "delete": Drop, "replace": Replace, "increment": Raise}
	open := false
	for _, p := range r.lines {
		switch {
		case p.name == "-":
			open = false
		case !open:
			v, ok := verbs[fold(p.name)]
			if !ok {
				return fmt.Errorf("line %d: unknown change %q", r.line, p.name)
			}
			u.mods = append(u.mods, Mod{Verb: v, Attribute: p.value})
			open = true
		default:
			m := &u.mods[len(u.mods)-1]
			m.Values = append(m.Values, p.value)
		}
	}
	return nil
}
