//go:build failpoints

package authstore_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// TestCrash kills or fails a process of its own at each point of the store, opens the database again, and looks whether the
// transaction is there as a whole or not at all.
func TestCrash(t *testing.T) {
	if os.Getenv("FP") != "" {
		crash(t)
		return
	}
	for _, database := range []string{"sqlite", "postgres"} {
		for point, done := range map[string]bool{
			"store.commit.before:2": false, "store.commit.after:2": true, "store.settle.before:1": false, "store.settle.after:1": true,
			"store.endrun.before:1": false,
		} {
			for _, action := range []string{"kill9", "error"} {
				t.Run(database+"/"+point+"/"+action, func(t *testing.T) {
					url := databases(t)[database](t)
					cmd := exec.Command(os.Args[0], "-test.run=^TestCrash$", "-test.count=1")
					cmd.Env = append(os.Environ(), "FP="+point+":"+action, "CRASH_URL="+url)
					out, err := cmd.CombinedOutput()
					if (err == nil) != (action == "error") {
						t.Fatalf("%v\n%s", err, out)
					}
					checkCrash(t, url, point, done)
				})
			}
		}
	}
}

// crash runs in the other process: two commits, a settlement and the end of a run. An injected error comes back as it is.
func crash(t *testing.T) {
	b := newBed(t, os.Getenv("CRASH_URL"))
	ctx := t.Context()
	b.create("ann")
	step := idbridge.Step{Side: idbridge.DirectorySide, Verb: idbridge.Update, After: profile("email", "new@example.org")}
	out, err := b.Commit(ctx, b.lead, []idbridge.Decision{b.about("id-ann", step)})
	if err == nil {
		err = b.Settle(ctx, b.lead, []idbridge.Settlement{{Sent: out[0].Sent, ID: corp("id-ann"), How: idbridge.SentSettled, Base: step.After}})
	}
	if err == nil {
		err = b.EndRun(ctx, b.lead, idbridge.Run{ID: b.lead.Run, Directory: "corp", State: idbridge.RunDone}, &idbridge.Source{Cursor: "moved"})
	}
	if !errors.Is(err, failpoint.ErrInjected) {
		t.Fatalf("error %v", err)
	}
}

func checkCrash(t *testing.T, url, point string, done bool) {
	t.Helper()
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		if _, err := os.Stat(filepath.Clean(path)); err != nil {
			t.Fatal(err)
		}
	}
	s := must(authstore.Open(t.Context(), authstore.Config{URL: url}, authstore.Options{}))(t)
	defer s.Close()
	sub := must(s.Subjects(t.Context(), "corp", []idbridge.ExternalID{corp("id-ann")}, nil))(t)[0]
	open := must(s.OpenSent(t.Context(), "corp"))(t)
	moved := sub.Link.Base["email"].First() == "new@example.org"
	switch {
	case strings.HasPrefix(point, "store.commit"):
		if (len(open) == 1) != done || (sub.Link.Sent != 0) != done || moved {
			t.Errorf("sent %d, open %+v, base %v", sub.Link.Sent, open, sub.Link.Base)
		}
	case strings.HasPrefix(point, "store.settle"):
		if (len(open) == 0) != done || (sub.Link.Sent == 0) != done || moved != done {
			t.Errorf("sent %d, open %+v, base %v", sub.Link.Sent, open, sub.Link.Base)
		}
	default:
		if src := must(s.Source(t.Context(), "corp"))(t); src.Cursor != "" || !moved {
			t.Errorf("source %+v", src)
		}
	}
}
