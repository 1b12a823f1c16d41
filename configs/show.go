package configs

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Show prints the effective config as YAML, each value with where it came from: default, a line of the file, a preset, a
// password file or the environment. Secrets are ***. Except for these, what it prints loads again and means the same.
func Show(cfg *Config) string {
	p := &printer{}
	p.fields(cfg.root.fields, "")
	var b strings.Builder
	for _, l := range p.lines {
		b.WriteString(l.text)
		if l.origin != "" {
			pad := max(1, min(p.widest, 72)-utf8.RuneCountInString(l.text)+1)
			b.WriteString(strings.Repeat(" ", pad) + "# " + l.origin)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

type printer struct {
	lines  []printed
	widest int
}

type printed struct{ text, origin string }

func (p *printer) line(text, origin string) {
	p.lines = append(p.lines, printed{text, origin})
	if n := utf8.RuneCountInString(text); n <= 72 {
		p.widest = max(p.widest, n)
	}
}

// fields prints the fields of an object or dict, in the order of the table.
func (p *printer) fields(all []*value, indent string) {
	for _, v := range all {
		head := indent + quote(v.name) + ":"
		switch v.key.shape {
		case object, dict:
			if len(v.fields) == 0 {
				p.line(head+" {}", v.origin)
				continue
			}
			p.line(head, "")
			p.fields(v.ordered(), indent+"  ")
		case list:
			p.items(v, head, indent+"  ")
		case secret:
			p.secret(v, head, indent)
		case text, number, flag, duration, moment, limit, cron:
			if v.text != "" {
				p.line(head+" "+v.yaml(), v.origin)
			}
		}
	}
}

// secret prints a mask. One that came from elsewhere is a comment, so that what is printed loads again.
func (p *printer) secret(v *value, head, indent string) {
	if strings.HasPrefix(v.origin, "environment") {
		head = indent + "#" + strings.TrimSpace(head)
	}
	p.line(head+" "+strconv.Quote(masked), v.origin)
}

// ordered returns the fields of an object in the table's order, those of a dict in the file's.
func (v *value) ordered() []*value {
	if v.key.shape != object {
		return v.fields
	}
	out := make([]*value, 0, len(v.fields))
	for i := range v.key.keys {
		if x := v.get(v.key.keys[i].name); x != nil {
			out = append(out, x)
		}
	}
	return out
}

// items prints a list: objects as blocks, texts on one line.
func (p *printer) items(v *value, head, indent string) {
	if v.key.item.shape != object {
		texts := make([]string, len(v.items))
		for i, x := range v.items {
			texts[i] = x.yaml()
		}
		p.line(head+" ["+strings.Join(texts, ", ")+"]", v.origin)
		return
	}
	if len(v.items) == 0 {
		p.line(head+" []", v.origin)
		return
	}
	p.line(head, "")
	for _, x := range v.items {
		from := len(p.lines)
		p.fields(x.ordered(), indent+"  ")
		if from < len(p.lines) {
			p.lines[from].text = indent + "- " + strings.TrimLeft(p.lines[from].text, " ")
		}
	}
}

// yaml returns a scalar as the file would have it.
func (v *value) yaml() string {
	switch v.key.shape {
	case text, cron:
		return quote(v.text)
	case secret:
		return strconv.Quote(masked)
	case number, flag, duration, moment, limit, object, list, dict:
	}
	return v.text
}

// quote writes a text so that YAML reads the same text: plain when that is safe beyond doubt, else in double quotes.
func quote(s string) string {
	switch strings.ToLower(s) {
	case "", "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return strconv.Quote(s)
	}
	letter := s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z' || s[0] == '/'
	for _, c := range []byte(s) {
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("_-./=", c) >= 0 {
			continue
		}
		letter = false
	}
	if letter {
		return s
	}
	return double(s)
}

// double writes a text in double quotes with YAML's escapes.
func double(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
