package testserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// identity is the ordinary user that a server runs as; PostgreSQL refuses to run as root.
type identity struct {
	cred *syscall.Credential // nil: as ourselves
	uid  int
	gid  int
}

// unprivileged returns ourselves, or, for root, the first of the named users that exists.
func unprivileged(names ...string) (identity, error) {
	if os.Geteuid() != 0 {
		return identity{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range names {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2); err != nil {
			return identity{}, fmt.Errorf("ids of %s: %w", name, err)
		}
		cred := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} //nolint:gosec // ids of the system
		return identity{cred: cred, uid: uid, gid: gid}, nil
	}
	return identity{}, fmt.Errorf("root needs one of the users %v to run a server as", names)
}

// run runs a program to its end; its output is in the error.
func (id identity) run(dir, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return id.runWithin(ctx, dir, program, args...)
}

// runWithin runs a program to its end or the context's.
func (id identity) runWithin(ctx context.Context, dir, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir, "PGCONNECT_TIMEOUT=5")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: id.cred}
	cmd.WaitDelay = 5 * time.Second // a server that was started keeps the pipe of its parent open
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// own hands a folder to the identity. Every folder above it must let others pass: temporary folders of tests do not.
func (id identity) own(dir string) error {
	if id.cred == nil {
		return nil
	}
	if err := os.Chown(dir, id.uid, id.gid); err != nil {
		return fmt.Errorf("hand over %s: %w", dir, err)
	}
	return nil
}

// freePort returns a TCP port of 127.0.0.1 that nobody used a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close() // it was only asked for its number
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("listener on %v is not TCP", l.Addr())
	}
	return addr.Port, nil
}
