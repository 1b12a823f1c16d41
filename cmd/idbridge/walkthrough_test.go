package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
)

// TestWalkthrough gives every command of docs/walkthrough.md in its order, against a real slapd and on both databases,
// and compares what it answers, line by line, with what the page shows.
func TestWalkthrough(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: twoUnits()})
		b := newBridge(t, slapd, url, settings{})
		b.swap(`users: {filter: "(objectClass=inetOrgPerson)"}`,
			`users: {filter: "(&(objectClass=inetOrgPerson)(|(entryDN:dnSubtreeMatch:=ou=engineering,dc=example,dc=org)(entryDN:dnSubtreeMatch:=ou=sales,dc=example,dc=org)))"}`)
		w := &walk{b: b}
		w.page(read(t, "../../docs/walkthrough.md"), func(step int) {
			if step == 1 { // what the page tells of p012 before it begins
				b.must(0, "key", "new", "p012")
			}
		})
		if w.steps < 15 {
			t.Errorf("only %d commands on the page", w.steps)
		}
		b.fixpoint()
		for i := range 20 {
			if u := b.user(fmt.Sprintf("p%03d", i)); !*u.May {
				t.Errorf("%s is not as before: %s", u.UserName, u.Why)
			}
		}
		if u := b.user("p012"); len(u.Keys) != 1 || len(u.Grants) != 1 {
			t.Errorf("p012 has %d keys and %d roles", len(u.Keys), len(u.Grants))
		}
		if u := b.user("p013"); len(u.Grants) != 1 {
			t.Error("p013 is no administrator any more")
		}
	})
}

// twoUnits is a company of twelve in engineering and eight in sales, with an administrator in each.
func twoUnits() string {
	var text strings.Builder
	for _, unit := range []string{"engineering", "sales"} {
		text.WriteString(testserver.Entry("ou="+unit+",dc=example,dc=org", "objectClass", "organizationalUnit", "ou", unit))
	}
	at := func(i int) string {
		if i < 12 {
			return "ou=engineering"
		}
		return "ou=sales"
	}
	for i := range 20 {
		text.WriteString(strings.Replace(person(fmt.Sprintf("p%03d", i)), "ou=people", at(i), 1))
	}
	text.WriteString(testserver.Entry(adminGroup, "objectClass", "groupOfNames", "cn", "idbridge-admins",
		"member", "uid=p000,ou=engineering,dc=example,dc=org", "member", "uid=p013,ou=sales,dc=example,dc=org"))
	return text.String()
}

// walk follows a page.
type walk struct {
	b         *bridge
	steps     int
	hash, run string // of the last plan and the last run that were shown
}

var (
	blocks   = regexp.MustCompile("(?ms)^```(console|ldif)\n(.*?)^```")
	aHash    = regexp.MustCompile(`(?:Held plan|Plan|approve|--plan) ([0-9a-f]{12})\b`)
	aRun     = regexp.MustCompile(`(?m)^(\d+) +corp +apply`)
	exitLine = regexp.MustCompile(`^exit (\d+)$`)
)

func (w *walk) page(text string, after func(step int)) {
	w.b.t.Helper()
	for _, m := range blocks.FindAllStringSubmatch(text, -1) {
		if m[1] == "ldif" {
			w.b.modify(m[2] + "\n")
			continue
		}
		for _, part := range strings.Split("\n"+m[2], "\n$ ")[1:] {
			w.command(part)
			after(w.steps)
		}
	}
}

// command gives one command and compares its output with the lines below it.
func (w *walk) command(part string) {
	b := w.b
	b.t.Helper()
	w.steps++
	line, want, _ := strings.Cut(strings.TrimRight(part, "\n"), "\n")
	words := strings.Fields(line)[1:]
	for i := range words {
		words[i] = strings.NewReplacer("HASH", w.hash, "RUN", w.run).Replace(words[i])
	}
	code, lines := 0, strings.Split(want, "\n")
	if m := exitLine.FindStringSubmatch(lines[len(lines)-1]); m != nil {
		code, _ = strconv.Atoi(m[1])
		lines = lines[:len(lines)-1]
	}
	got, out, errs := b.do(words...)
	if got != code {
		b.t.Fatalf("%s: exit %d, the page says %d\n%s%s", line, got, code, out, errs)
	}
	if m := aHash.FindAllStringSubmatch(out, -1); m != nil {
		w.hash = m[len(m)-1][1]
	}
	if m := aRun.FindStringSubmatch(out); m != nil {
		w.run = m[1]
	}
	rest := strings.Split(out+errs, "\n")
	for _, l := range lines {
		if l == "" || l == "…" {
			continue
		}
		pattern := strings.NewReplacer("…", ".*", "HASH", "[0-9a-f]{12}").Replace(regexp.QuoteMeta(l))
		re := regexp.MustCompile("^.*" + pattern)
		at := -1
		for i := range rest {
			if re.MatchString(rest[i]) {
				at = i
				break
			}
		}
		if at < 0 {
			b.t.Fatalf("%s: the page shows %q, the answer was\n%s%s", line, l, out, errs)
		}
		rest = rest[at+1:]
	}
}
