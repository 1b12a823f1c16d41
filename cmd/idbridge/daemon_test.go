package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemonProcess is `idbridge serve` in a process of its own, for what cannot be done to oneself: signals.
type daemonProcess struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  lines
	done chan error
}

// builtBinary builds the program.
func builtBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "idbridge")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// daemon starts one and waits until it serves; the test's end stops it.
func (b *bridge) daemon(binary string) *daemonProcess {
	b.t.Helper()
	if strings.Contains(read(b.t, b.config), "log: {level: warn}") {
		b.swap("log: {level: warn}", "log: {level: info}")
	}
	d := &daemonProcess{t: b.t, done: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	d.cmd = exec.CommandContext(ctx, binary, "-c", b.config, "serve")
	d.cmd.Env, d.cmd.Stdout, d.cmd.Stderr = os.Environ(), &d.log, &d.log
	if err := d.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() { d.done <- d.cmd.Wait() }()
	b.t.Cleanup(func() { d.stop(); cancel() })
	d.says("msg=serving")
	return d
}

// says waits until the log has the text.
func (d *daemonProcess) says(text string) {
	d.t.Helper()
	eventually(d.t, func() bool { return strings.Contains(d.log.String(), text) }, func() string { return "log without " + text + "\n" + d.log.String() })
}

// api returns the URL that it serves.
func (d *daemonProcess) api() string {
	_, rest, _ := strings.Cut(d.log.String(), "msg=serving http=")
	address, _, _ := strings.Cut(rest, " ")
	return "http://" + address + "/api/v1"
}

func (d *daemonProcess) signal(s syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
}

// stop ends it as an operator does.
func (d *daemonProcess) stop() {
	if d.cmd.ProcessState != nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-d.done:
		d.done <- nil
	case <-time.After(30 * time.Second):
		d.t.Error("the daemon does not end\n" + d.log.String())
		_ = d.cmd.Process.Kill()
	}
}

// report1 reads the one report of a command.
func (b *bridge) report1(text string) shownReport {
	b.t.Helper()
	return b.report("[" + text + "]")
}
