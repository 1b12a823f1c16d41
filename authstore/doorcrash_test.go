//go:build failpoints

package authstore_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// TestCrashOfDoors kills or fails a process of its own before and after each commit that sessions, passwords and the first
// administrator need: each is there as a whole, with its audit row, or not at all.
func TestCrashOfDoors(t *testing.T) {
	if os.Getenv("FP") != "" {
		crashDoors(t)
		return
	}
	for _, database := range []string{"sqlite", "postgres"} {
		for _, point := range []string{"session", "endsession", "suspend", "password", "bootstrap", "signingkey", "setting"} {
			for _, when := range []string{"before", "after"} {
				for _, action := range []string{"kill9", "error"} {
					t.Run(database+"/"+point+"/"+when+"/"+action, func(t *testing.T) {
						url := databases(t)[database](t)
						cmd := exec.Command(os.Args[0], "-test.run=^TestCrashOfDoors$", "-test.count=1")
						nth := "1"
						if point == "session" { // the one that ends the single one before
							nth = "2"
						}
						cmd.Env = append(os.Environ(), "FP=store."+point+"."+when+":"+nth+":"+action, "CRASH_URL="+url, "CRASH_POINT="+point)
						out, err := cmd.CombinedOutput()
						if (err == nil) != (action == "error") {
							t.Fatalf("%v\n%s", err, out)
						}
						checkDoors(t, url, point, when == "after")
					})
				}
			}
		}
	}
}

// crashDoors runs in the other process.
func crashDoors(t *testing.T) {
	b := newBed(t, os.Getenv("CRASH_URL"))
	ctx := t.Context()
	ann, lou := b.create("ann")[0], b.local("lou", idbridge.Person)
	single := draft("first", ann)
	single.Single = true
	first := must(b.NewSession(ctx, single, 0))(t)
	var err error
	switch os.Getenv("CRASH_POINT") {
	case "session":
		single.Digest = digestOf("second")
		_, err = b.NewSession(ctx, single, 0)
	case "endsession":
		err = b.EndSession(ctx, first.ID, "ann", idbridge.EndedByLogout)
	case "suspend":
		err = b.SetSuspended(ctx, ann, true, "cli", "")
	case "password":
		err = b.SetPassword(ctx, lou, idbridge.NewSecret(phc), "cli")
	case "bootstrap":
		_, err = b.BootstrapAdmin(ctx, ann, "ann")
	case "signingkey":
		err = b.AddSigningKey(ctx, signer(t, "one"))
	case "setting":
		err = b.PutSetting(ctx, "one", []byte("x"), "cli")
	}
	if !errors.Is(err, failpoint.ErrInjected) {
		t.Fatalf("error %v", err)
	}
}

func checkDoors(t *testing.T, url, point string, done bool) {
	t.Helper()
	b := &bed{t: t, url: url, clock: &clock{}}
	want := map[bool]int{true: 1, false: 0}[done]
	for _, c := range map[string][]struct{ table, where string }{
		"session": {
			{"session", "ended = 0 AND id = 2"}, {"session", "ended <> 0 AND id = 1"}, {"audit", "action = 'session.login' AND target = 'session 2'"},
			{"audit", "action = 'session.end'"},
		},
		"endsession": {{"session", "ended <> 0"}, {"audit", "action = 'session.end'"}},
		"suspend":    {{"session", "ended <> 0"}, {"audit", "action = 'session.end'"}, {"users", "suspended"}},
		"password":   {{"password", "1 = 1"}, {"audit", "action = 'password.set'"}},
		"bootstrap":  {{"grants", "role = 'ADMIN'"}, {"audit", "action = 'admin.bootstrap'"}},
		"signingkey": {{"signing_key", "1 = 1"}, {"audit", "action = 'signingkey.add'"}},
		"setting":    {{"setting", "1 = 1"}, {"audit", "action = 'setting.put'"}},
	}[point] {
		if n := b.rows(c.table, c.where); n != want {
			t.Errorf("%d rows of %s where %s, want %d", n, c.table, c.where, want)
		}
	}
	if n := b.rows("session", "1 = 1"); n < 1 {
		t.Error("the session of before is gone")
	}
}
