package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/testserver"
)

// TestPlanOutputs: one plan as text, JSON, CSV and LDIF; the LDIF is what ldapmodify takes and what the run then writes.
func TestPlanOutputs(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		b.must(0, "user", "set", "p006", "phone=+44 6", "title=Lead é")
		b.modify(testserver.Change(personDN("p005"), "mail", "five@example.org"))
		b.add(person("new1"))
		text := b.must(int(exitPending), "plan")
		for _, want := range []string{"+ create    new1", "~ update    p005", "directory → store", "store → directory", "Apply: idbridge sync --plan"} {
			if !strings.Contains(text, want) {
				t.Errorf("the text has no %q:\n%s", want, text)
			}
		}
		rows, err := csv.NewReader(strings.NewReader(b.must(int(exitPending), "plan", "-o", "csv"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != 5 || rows[0][0] != "directory" {
			t.Errorf("CSV: %d rows\n%v", len(rows), rows)
		}
		for _, row := range rows[1:] {
			for i, cell := range row {
				if i != 1 && cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
					t.Errorf("a spreadsheet takes %q for a formula", cell)
				}
			}
		}
		ldif := b.must(int(exitPending), "plan", "-o", "ldif")
		if !strings.Contains(ldif, "changetype: modify") || !strings.Contains(ldif, "# + create new1") || !strings.Contains(ldif, "telephoneNumber: +44 6") {
			t.Errorf("LDIF:\n%s", ldif)
		}
		b.modify(ldif) // an administrator gives it to ldapmodify himself
		writes := b.writes()
		b.run(0)
		if n := b.writes() - writes; n != 0 {
			t.Errorf("%d writes after the LDIF did it all", n)
		}
		if got := b.user("p006").Profile["title"].First(); got != "Lead é" {
			t.Errorf("title is %q", got)
		}
		b.fixpoint()
		b.must(int(exitUsage), "status", "-o", "csv")
	})
}

// TestPlanUser: `plan --user` decides about one person with everything a run has, and nothing else.
func TestPlanUser(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		b.modify(testserver.Change(personDN("p005"), "mail", "five@example.org"))
		b.modify(testserver.Change(personDN("p006"), "mail", "six@example.org"))
		b.remove("p007")
		b.intact(func() {
			text := b.must(int(exitPending), "plan", "--user", "p005")
			if !strings.Contains(text, "five@example.org") || strings.Contains(text, "six@example.org") {
				t.Errorf("the plan of p005:\n%s", text)
			}
			b.must(0, "plan", "--user", "p004")
			b.must(0, "plan", "--user", "p007") // one lookup proves no absence
			b.must(1, "plan", "--user", "nobody")
		})
	})
}

// TestPlanConfig: `plan --config NEW` shows what another config would do to people that the one in force does not, and
// keeps nothing.
func TestPlanConfig(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		b.modify(testserver.Change(personDN("p002"), "mail", "two@example.org")) // both configs would take it over
		text, err := os.ReadFile(b.config)
		if err != nil {
			t.Fatal(err)
		}
		changed := filepath.Join(b.dir, "new.yaml")
		narrow := strings.Replace(string(text), `"(objectClass=inetOrgPerson)"`, `"(&(objectClass=inetOrgPerson)(!(uid=p01*)))"`, 1)
		narrow = strings.Replace(narrow, "title: title", "title: description", 1)
		if err := os.WriteFile(changed, []byte(narrow), 0o600); err != nil {
			t.Fatal(err)
		}
		before := b.digests()
		code, out, errs := b.do("plan", "--config", changed)
		if code != int(exitHeld) {
			t.Fatalf("exit %d, want 4: the scope changed\n%s%s", code, out, errs)
		}
		if !strings.Contains(out, "p012") || strings.Contains(out, "two@example.org") || !strings.Contains(out, "Nothing was kept") {
			t.Errorf("the difference:\n%s%s", out, errs)
		}
		for table, digest := range b.digests() {
			switch table {
			case "runs", "lease":
				continue
			}
			if digest != before[table] {
				t.Errorf("table %s changed", table)
			}
		}
		if out := b.must(0, "plan", "--config", b.config); !strings.Contains(out, "0 things") {
			t.Errorf("the same config makes a difference:\n%s", out)
		}
	})
}

// TestKeeping: the commands about what is kept: erase with what is kept and why, prune, audit, restore.
func TestKeeping(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		b.must(0, "key", "new", "p006")
		before := b.digests()
		dry := b.must(0, "user", "erase", "p006")
		if !strings.Contains(dry, "kept:") || !strings.Contains(dry, "repeat with --yes") {
			t.Errorf("the dry erasure:\n%s", dry)
		}
		for table, digest := range b.digests() {
			if digest != before[table] {
				t.Errorf("a dry erasure changed table %s", table)
			}
		}
		b.must(0, "user", "erase", "p006", "--yes")
		b.must(1, "user", "show", "p006")
		b.must(int(exitConflicts), "sync", "--once")
		b.must(1, "user", "show", "p006")
		for _, table := range []string{"-o json audit list", "-o json runs", "audit list"} {
			if text := b.must(0, strings.Fields(table)...); strings.Contains(text, "p006") {
				t.Errorf("%s still names him:\n%s", table, text)
			}
		}
		if text := b.must(0, "audit", "verify"); !strings.Contains(text, "nothing was changed") {
			t.Errorf("audit verify: %s", text)
		}
		b.must(0, "prune")
		b.must(0, "prune", "--yes")
		if text := b.must(0, "restore"); !strings.Contains(text, "was not restored") {
			t.Errorf("restore: %s", text)
		}
	})
}

// TestRestoredStore: a backup of the store that is put back is recognised: runs are held and keys refused until somebody
// accepts it; a user who came since is made again and nobody gets his id.
func TestRestoredStore(t *testing.T) {
	b := company(t, "", 20)
	revoked := strings.TrimSpace(b.must(0, "key", "new", "p005"))
	keep := t.TempDir()
	copyFiles(t, b.dir, keep)
	if err := os.Remove(filepath.Join(keep, "idbridge.db.mark")); err != nil {
		t.Fatal(err) // a backup of the file alone, as everybody makes it
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(revoked, "idb_"), "_")
	b.must(0, "key", "delete", id)
	b.add(person("new1"))
	b.run(0)
	was := b.user("new1").ID
	mark := read(t, filepath.Join(b.dir, "idbridge.db.mark"))
	copyFiles(t, keep, b.dir)
	if err := os.WriteFile(filepath.Join(b.dir, "idbridge.db.mark"), []byte(mark), 0o600); err != nil {
		t.Fatal(err)
	}
	text := b.must(int(exitHeld), "restore")
	if !strings.Contains(text, "older copy") {
		t.Errorf("restore: %s", text)
	}
	r := b.sync(int(exitHeld))
	b.held(&r, "restored")
	if status := b.must(0, "status"); !strings.Contains(status, "red") || !strings.Contains(status, "idbridge restore") {
		t.Errorf("status:\n%s", status)
	}
	b.must(0, "restore", "--accept")
	b.run(0)
	if id := b.user("new1").ID; id <= was {
		t.Errorf("new1 has id %d again, or a smaller one than %d", id, was)
	}
	for _, k := range b.user("p005").Keys {
		if k.Enabled && strings.Contains(revoked, string(k.ID)) {
			t.Error("a revoked key came alive")
		}
	}
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "idbridge.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal("nothing to copy", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestExplainUser: `explain` and its API say the five things about a person: found, in scope, matched, each attribute,
// access; and what was not done.
func TestExplainUser(t *testing.T) {
	stores(t, func(t *testing.T, url string) {
		b := company(t, url, 20)
		b.must(0, "role", "grant", "p006", "editor")
		b.must(0, "key", "new", "p006")
		b.must(0, "user", "set", "p006", "title=Lead")
		b.modify(testserver.Change(personDN("p006"), "title", "Senior"))
		text := b.must(0, "explain", "p006")
		for _, want := range []string{
			"1 found     corp  " + personDN("p006"), "2 in scope  yes: ", "3 matched   by id", "4 title", `base "Engineer"`, `directory "Senior"`,
			`store "Lead"`, "on_conflict: directory", "5 access    active", "role editor", "key ", "not done",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("explain has no %q:\n%s", want, text)
			}
		}
		var e idbridge.Explanation
		if err := json.Unmarshal([]byte(b.must(0, "-o", "json", "explain", "p006", "title")), &e); err != nil {
			t.Fatal(err)
		}
		if len(e.Records) != 1 || len(e.Records[0].Attributes) != 1 || e.Records[0].Attributes[0].Outcome == "" {
			t.Errorf("JSON: %+v", e.Records)
		}
		for _, r := range e.Records {
			for _, a := range r.Attributes {
				if a.Why == "" {
					t.Errorf("%s is decided without a reason", a.Attribute)
				}
			}
		}
		b.intact(func() { b.must(0, "explain", "p006"); b.must(0, "explain", "p000") })
		b.slapd.Stop()
		if text := b.must(0, "explain", "p006"); !strings.Contains(text, "could not be asked") || !strings.Contains(text, "role editor") {
			t.Errorf("without the directory:\n%s", text)
		}
	})
}
