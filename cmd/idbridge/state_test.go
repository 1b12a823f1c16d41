package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
)

// state spells everything that matters of store and directory, without numbers, times and history: two ways to the same
// end have the same state.
func (b *bridge) state() string {
	b.t.Helper()
	w := &world{getenv: func(string) string { return "" }, configPath: b.config, stdout: os.Stdout, stderr: os.Stderr}
	defer w.close()
	ctx := context.Background()
	if err := w.enter(ctx); err != nil {
		b.t.Fatal(err)
	}
	var lines []string
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	users, err := w.house.store.Users(ctx, idbridge.UserFilter{Limit: 1000})
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range users {
		b.stateOf(ctx, w.house, &users[i], say)
	}
	conflicts, err := w.house.store.Conflicts(ctx, idbridge.ConflictFilter{Limit: 1000})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range conflicts {
		say("conflict %s %s: base %q store %q directory %q winner %s closed %t", c.Name, c.Attribute, c.Base, c.Store, c.Directory, c.Winner, !c.Closed.IsZero())
	}
	ill, err := w.house.store.Quarantine(ctx, "corp")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, q := range ill {
		say("quarantine %s %s %s: %s", q.Locator, q.Attribute, q.Value, q.Why)
	}
	slices.Sort(lines)
	entries, err := b.slapd.Search(b.slapd.BaseDN, "(objectClass=*)", "*")
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(lines, "\n") + "\n\n" + entries
}

func (b *bridge) stateOf(ctx context.Context, h *house, u *idbridge.User, say func(format string, args ...any)) {
	b.t.Helper()
	name := u.UserName()
	access, err := h.store.Access(ctx, u.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, a := range u.Profile.Attributes() {
		say("%s %s %q", name, a, u.Profile[a])
	}
	say("%s may %t suspended %t", name, access.May, u.Suspended)
	links, err := h.store.Links(ctx, u.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range links {
		l := &links[i]
		say("%s link %s state %s missed %d sent %t", name, l.Locator, l.State, l.Sightings, l.Sent != 0)
		for _, a := range l.Base.Attributes() {
			say("%s base %s %q", name, a, l.Base[a])
		}
	}
	grants, err := h.store.Grants(ctx, u.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, g := range grants {
		say("%s role %s %s from %s", name, g.Role, g.Application, g.Directory)
	}
	keys, err := h.store.Keys(ctx, u.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, k := range keys {
		say("%s key %s enabled %t", name, k.ID, k.Enabled)
	}
	pending, err := h.store.Pending(ctx, u.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	say("%s edits on their way %d", name, len(pending))
}

// unlike shows where two states differ.
func unlike(want, got string) string {
	var out strings.Builder
	is := map[string]bool{}
	for l := range strings.SplitSeq(got, "\n") {
		is[l] = true
	}
	was := map[string]bool{}
	for l := range strings.SplitSeq(want, "\n") {
		was[l] = true
		if !is[l] {
			out.WriteString("- " + l + "\n")
		}
	}
	for l := range strings.SplitSeq(got, "\n") {
		if !was[l] {
			out.WriteString("+ " + l + "\n")
		}
	}
	return out.String()
}
