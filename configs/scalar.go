package configs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/schedule"
)

// readScalar reads everything that is not an object, list or dict.
func (f *faults) readScalar(v *value, n ast.Node) {
	fault := func(hint, format string, args ...any) {
		v.bad = true
		f.add(v.at, v.path, hint, format, args...)
	}
	k := v.key
	switch x := n.(type) {
	case *ast.StringNode:
		v.text = x.Value
		switch k.shape {
		case flag:
			fault("write true or false, without quotes; yes and no are texts", "must be true or false, not a text")
			return
		case number:
			fault("write digits only, without quotes", "must be a number, not a text")
			return
		case text, secret, duration, moment, limit, cron, object, list, dict:
		}
	case *ast.LiteralNode:
		fault("write it on one line, in quotes", "must be on one line")
		return
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		v.text = x.GetToken().Value
		if k.shape != number && k.shape != limit && k.shape != duration {
			fault("put it in quotes", "must be %s; without quotes YAML reads a number and may rewrite it", k.kind())
			return
		}
	case *ast.BoolNode:
		v.text, v.on = strings.ToLower(x.GetToken().Value), x.Value
		if k.shape == flag {
			return
		}
		if k.shape == text || k.shape == secret || k.shape == cron {
			fault("put it in quotes", "must be %s; without quotes YAML reads true or false", k.kind())
			return
		}
		fault("", "must be %s, not true or false", k.kind())
		return
	case *ast.SequenceNode:
		if k.shape == limit {
			f.readLimits(v, x)
			return
		}
		fault("", "must be %s, not a list", k.kind())
		return
	default:
		fault("", "must be %s, not %s", k.kind(), sort(n))
		return
	}
	if hint, msg := v.parse(); msg != "" {
		fault(hint, "%s", msg)
	}
}

// fillDefault gives a value its default; a default that does not parse is our own fault, and a test finds it.
func (f *faults) fillDefault(v *value, def string) {
	if rest, ok := strings.CutPrefix(def, "["); ok {
		for part := range strings.SplitSeq(strings.TrimSuffix(rest, "]"), ",") {
			v.text = strings.TrimSpace(part)
			v.parse()
		}
		v.text = def
		return
	}
	v.text = def
	if _, msg := v.parse(); msg != "" {
		f.add(place{}, v.path, "", "default: %s", msg)
	}
}

// parse reads v.text by the key's shape. It returns what is wrong, "" for nothing. It never quotes a secret.
func (v *value) parse() (hint, msg string) {
	k := v.key
	switch k.shape {
	case text:
		return v.parseText()
	case secret:
		if v.text == "" {
			return "", "is empty"
		}
	case number:
		return v.parseNumber()
	case flag:
		v.on = v.text == "true"
		if v.text != "true" && v.text != "false" {
			return "write true or false, without quotes", "must be true or false"
		}
	case duration:
		return v.parseDuration()
	case moment:
		return v.parseMoment()
	case limit:
		return v.parseLimit()
	case cron:
		if _, err := schedule.Parse(v.text, nil); err != nil {
			msg := err.Error()
			var e *idbridge.Error
			if asError(err, &e) {
				msg = e.Msg
			}
			return idbridge.HintOf(err), msg
		}
	case object, list, dict:
	}
	return "", ""
}

func (v *value) parseText() (hint, msg string) {
	k := v.key
	switch {
	case v.text == "":
		return "give it a value, or remove the line", "is empty"
	case strings.TrimSpace(v.text) != v.text:
		return "remove the blanks inside the quotes", "begins or ends with a blank"
	case len(v.text) > 4096:
		return "", fmt.Sprintf("has %d characters, 4096 are allowed", len(v.text))
	case strings.ContainsFunc(v.text, control) || strings.Contains(v.text, "\t"):
		return "", "contains a control character"
	case len(k.choices) > 0 && !slices.Contains(k.choices, v.text):
		return choiceHint(v.text, k.choices), fmt.Sprintf("%q is not known", v.text)
	case k.pattern != "" && !regexp.MustCompile(`^(?:`+k.pattern+`)$`).MatchString(v.text):
		return "it must be " + k.expects, fmt.Sprintf("%q does not fit", v.text)
	}
	return "", ""
}

func (v *value) parseNumber() (hint, msg string) {
	n, err := strconv.ParseInt(v.text, 10, 64)
	switch {
	case err != nil || strings.HasPrefix(v.text, "+") || len(v.text) > 1 && v.text[0] == '0':
		return "write digits only", fmt.Sprintf("%q is not a whole number", v.text)
	case n < v.key.min || v.key.max > 0 && n > v.key.max:
		return fmt.Sprintf("between %d and %d", v.key.min, v.key.max), fmt.Sprintf("%d is out of range", n)
	}
	v.num = n
	return "", ""
}

func (v *value) parseDuration() (hint, msg string) {
	if v.key.never && v.text == "never" {
		return "", ""
	}
	d, ok := parseDuration(v.text)
	low, high := time.Duration(v.key.min)*time.Second, time.Duration(v.key.max)*time.Second
	switch {
	case !ok && strings.Trim(v.text, "0123456789") == "" && v.text != "":
		return fmt.Sprintf("write the unit: %ss, %sm, %sh or %sd", v.text, v.text, v.text, v.text), "has no unit"
	case !ok:
		return "write for example 90s, 10m, 1h30m or 30d", fmt.Sprintf("%q is not a duration", v.text)
	case d < low || high > 0 && d > high:
		return fmt.Sprintf("between %s and %s", short(low), short(high)), v.text + " is out of range"
	}
	v.span = d
	return "", ""
}

func (v *value) parseMoment() (hint, msg string) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, v.text); err == nil {
			v.when = t
			return "", ""
		}
	}
	return "write 2026-12-01, or 2026-12-01T18:00:00Z", fmt.Sprintf("%q is no date", v.text)
}

// parseDuration reads numbers with the units d, h, m, s, in this order, each once: 30d, 1h30m.
func parseDuration(s string) (time.Duration, bool) {
	if s == "" || len(s) > 24 {
		return 0, false
	}
	units := []struct {
		name byte
		is   time.Duration
	}{{'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}
	var sum time.Duration
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if i < 1 || i > 9 {
			return 0, false
		}
		n, err := strconv.Atoi(s[:i])
		for len(units) > 0 && units[0].name != s[i] {
			units = units[1:]
		}
		if err != nil || len(units) == 0 || int64(n) > int64(100*366*24*time.Hour/units[0].is) {
			return 0, false
		}
		sum += time.Duration(n) * units[0].is
		units, s = units[1:], s[i+1:]
	}
	return sum, true
}

// short writes a duration as parseDuration reads it.
func short(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	out := ""
	for _, u := range []struct {
		name string
		is   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / u.is; n > 0 {
			out += strconv.Itoa(int(n)) + u.name
			d %= u.is
		}
	}
	return out
}
