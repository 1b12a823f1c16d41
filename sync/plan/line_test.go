package plan_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// TestLinesGroup: who joins and leaves, with what that gives and takes.
func TestLinesGroup(t *testing.T) {
	g := idbridge.Grant{Role: idbridge.Admin}
	d := idbridge.Decision{ID: groupG, Name: "cn=admins", Steps: []idbridge.Step{
		{ID: record(1), Verb: idbridge.Join, Grants: []idbridge.Grant{g, {Role: "T", Application: "App"}}},
		{ID: record(2), Verb: idbridge.Leave, Grants: []idbridge.Grant{g}, Why: "the rule went"},
	}}
	lines := plan.Lines(&d)
	if len(lines) != 2 || lines[0].Sign != plan.Gives || lines[0].Why != "gives ADMIN, T on App" || lines[0].After != "cn=admins" ||
		lines[1].Sign != plan.Takes || lines[1].Why != "takes ADMIN (the rule went)" || lines[1].Before != "cn=admins" {
		t.Errorf("%+v", lines)
	}
}

// FuzzPrintable: nothing that a directory shows moves the cursor of a terminal.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"Ada Lovelace", "\x1b[2J", "a\nb", "\u202egnp.exe", "\xff\xfe", strings.Repeat("é", 500), "日本", "\x7f", "a\u00a0b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := plan.Printable(s)
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Errorf("%q prints %q", s, got)
			}
		}
		if n := len([]rune(got)); n > 10*80+1 {
			t.Errorf("%d characters", n)
		}
	})
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Zoë Müller":            "Zoë Müller",
		"\x1b[31mred":           `\x1b[31mred`,
		"a\nb":                  `a\nb`,
		"x\u202ey":              `x\u202ey`,
		strings.Repeat("a", 80): strings.Repeat("a", 80),
		strings.Repeat("é", 81): strings.Repeat("é", 80) + "…",
	} {
		if got := plan.Printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
