package authstore_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
)

const tinyDisk = "IDBRIDGE_TINY_DISK"

// TestF15FullDisk: a disk that fills up at any moment that writes leaves a clean error and an undamaged store, and the work
// goes on once there is space. TestOnTinyDisk runs in a process with mounts of its own, so that nothing is left mounted
// however it ends.
func TestF15FullDisk(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOnTinyDisk$", "-test.v")
	cmd.Env = append(os.Environ(), tinyDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 { // a user may mount where he is root: in a name space of his own
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || strings.Contains(string(out), "no mount:") {
		if os.Getenv("REQUIRE_ALL") == "1" {
			t.Fatalf("no small disk can be mounted here: %v\n%s", err, out)
		}
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestOnTinyDisk") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestOnTinyDisk fills the disk of an open store at every moment that writes.
func TestOnTinyDisk(t *testing.T) {
	dir := os.Getenv(tinyDisk)
	if dir == "" {
		t.Skip("runs inside TestF15FullDisk")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatalf("no mount: %v", err)
	}
	b := newBed(t, "sqlite:"+filepath.Join(dir, "idbridge.db"))
	b.create("ann", "bob")
	d := disk{b, filepath.Join(dir, "ballast")}

	t.Run("while an edit is committed", func(t *testing.T) {
		d.full(t, func() error { return d.add("carl") })
	})
	t.Run("while a run commits", func(t *testing.T) {
		list := make([]idbridge.Decision, 300)
		for i := range list {
			id, p := person(i)
			list[i] = creation(id, p)
		}
		d.full(t, func() error {
			_, err := b.Commit(t.Context(), b.lead, list)
			return err
		})
	})
	t.Run("while the log is written back", func(t *testing.T) {
		d.full(t, func() error { return b.Checkpoint(t.Context()) })
	})
	t.Run("while the audit is sealed", func(t *testing.T) {
		d.full(t, func() error {
			_, err := b.Seal(t.Context(), b.lead.Epoch)
			return err
		})
		b.whole()
	})
	t.Run("at the end and the beginning", func(t *testing.T) {
		mark := must(os.ReadFile(b.file() + ".mark"))(t)
		d.fill(t)
		_ = b.Close() // it cannot write what waits in memory; what was committed is in the log
		s, err := authstore.Open(t.Context(), authstore.Config{URL: b.url}, b.opts)
		if err == nil {
			err = s.Ping(t.Context())
			_ = s.Close()
		} else if idbridge.HintOf(err) == "" || idbridge.KindOf(err) == idbridge.Internal {
			t.Errorf("open on a full disk: %v, kind %v", err, idbridge.KindOf(err))
		}
		t.Logf("open on a full disk: %v", err)
		if now := must(os.ReadFile(b.file() + ".mark"))(t); len(now) < len(mark)/2 {
			t.Errorf("mark %q", now)
		}
		d.free(t)
		b.open()
		b.notRestored()
		for _, login := range []string{"ann", "bob", "carl"} {
			must(b.UserByName(t.Context(), login))(t)
		}
		b.whole()
	})
}

// disk is a bed on a disk that can be filled.
type disk struct {
	*bed
	ballast string
}

// fill takes all space there is.
func (d disk) fill(t *testing.T) {
	t.Helper()
	f, err := os.Create(d.ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for range 4096 {
		if _, err := f.Write(block); err != nil {
			if errors.Is(err, syscall.ENOSPC) {
				return
			}
			t.Fatal(err)
		}
	}
	t.Fatal("the disk does not become full")
}

func (d disk) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(d.ballast); err != nil {
		t.Fatal(err)
	}
}

// full runs work while the disk is full: it fails with a hint, changes nothing, and works as soon as there is space.
func (d disk) full(t *testing.T, work func() error) {
	t.Helper()
	before := must(d.Digests(t.Context()))(t)
	d.fill(t)
	err := work()
	if idbridge.KindOf(err) != idbridge.Unavailable || !strings.Contains(idbridge.HintOf(err), "space") {
		t.Errorf("error %v of kind %v, hint %q", err, idbridge.KindOf(err), idbridge.HintOf(err))
	}
	if a, err := d.AccessByName(t.Context(), "ann"); err != nil || !a.May {
		t.Errorf("checks on a full disk: %+v, %v", a, err)
	}
	if diff := cmp.Diff(before, must(d.Digests(t.Context()))(t)); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
	d.free(t)
	if err := work(); err != nil {
		t.Errorf("with space: %v", err)
	}
	if got := d.ask(`PRAGMA integrity_check`); len(got) != 1 || got[0] != "ok" {
		t.Errorf("integrity: %q", got)
	}
}

func (d disk) add(login string) error {
	_, err := d.AddUser(d.t.Context(), idbridge.NewUser{Profile: profile("userName", login, "displayName", strings.Repeat("x", 50_000))})
	return err
}
