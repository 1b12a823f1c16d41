//go:build failpoints

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/idbridge/idbridge/internal/testserver"
)

// TestN24CrashInImport: a process killed in the middle of a large import leaves no half-made user, and the next run ends
// what it began.
//
// Keycloak #21146.
func TestN24CrashInImport(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "idbridge")
	if out, err := exec.Command("go", "build", "-tags", "failpoints", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	const n = 10_000
	var ldif bytes.Buffer
	if err := testserver.WritePeople(&ldif, n, 10, 1); err != nil {
		t.Fatal(err)
	}
	stores(t, func(t *testing.T, url string) {
		b := newBridge(t, testserver.Slapd(t, testserver.SlapdOptions{LDIF: ldif.String()}), url, settings{})
		b.swap(adminGroup, "cn=group003,ou=groups,dc=example,dc=org")
		b.swap("role: ADMIN", "role: QUALITY_MANAGER")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, binary, "-c", b.config, "sync", "--once")
		cmd.Env = append(os.Environ(), "FP=store.commit.after:10:kill9")
		out, err := cmd.CombinedOutput()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("not killed: %v\n%s", err, out)
		}
		if url != "" {
			endLease(t, url)
		}
		half := 0
		b.enter(func(ctx context.Context, h *house) {
			p, err := h.store.Population(ctx, "corp")
			if err != nil {
				t.Fatal(err)
			}
			half = p.Links
		})
		if half == 0 || half == n {
			t.Fatalf("%d were there after the kill", half)
		}
		if c := b.run(exitDone).Run.Counts; c.Created != n-half || c.Unchanged != half {
			t.Errorf("resumed after %d: %+v", half, c)
		}
		b.fixpoint()
	})
}
