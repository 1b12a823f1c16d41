package testserver

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// StartPgBouncer puts a pgbouncer with pool_mode = transaction before the server that address names, and returns the URL
// of the same database through it. Each transaction may run on another session of the server then: no session state, no
// LISTEN, no session locks. It ends with the test.
func StartPgBouncer(t testing.TB, address string) string {
	t.Helper()
	program := Need(t, "pgbouncer")
	var err error
	for range postgresTries {
		var through string
		var stop func()
		if through, stop, err = startPgBouncer(program, address); err == nil {
			t.Cleanup(stop)
			return through
		}
	}
	t.Fatalf("start pgbouncer: %v", err)
	return ""
}

func startPgBouncer(program, address string) (through string, stop func(), err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, fmt.Errorf("read URL: %w", err)
	}
	id, err := unprivileged("postgres", "nobody") // it refuses to run as root
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "idbridge-pgb")
	if err != nil {
		return "", nil, fmt.Errorf("make a folder: %w", err)
	}
	port, err := freePort()
	if err == nil {
		err = errors.Join(pgBouncerFiles(dir, u, port), id.own(dir))
	}
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer log.Close()
	cmd := exec.Command(program, filepath.Join(dir, "pgbouncer.ini")) //nolint:gosec,noctx // found on this machine; stop ends it
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: id.cred, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", nil, errors.Join(fmt.Errorf("pgbouncer: %w", err), os.RemoveAll(dir))
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop = func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = os.RemoveAll(dir)
	}
	u.Host = fmt.Sprintf("127.0.0.1:%d", port)
	if err := awaitPort(u.Host, ended); err != nil {
		text, _ := os.ReadFile(filepath.Join(dir, "log"))
		stop()
		return "", nil, fmt.Errorf("pgbouncer: %w: %s", err, text)
	}
	return u.String(), stop, nil
}

// pgBouncerFiles writes the settings and the list of users, who are all trusted.
func pgBouncerFiles(dir string, u *url.URL, port int) error {
	settings := strings.Join([]string{
		"[databases]", "* = host=" + u.Hostname() + " port=" + u.Port(),
		"[pgbouncer]", "listen_addr = 127.0.0.1", fmt.Sprintf("listen_port = %d", port), "unix_socket_dir =",
		"auth_type = trust", "auth_file = " + dir + "/users", "pool_mode = transaction", "default_pool_size = 10",
		"max_client_conn = 200",
		"ignore_startup_parameters = extra_float_digits,statement_timeout,lock_timeout,idle_in_transaction_session_timeout,random_page_cost",
		"server_tls_sslmode = disable", "",
	}, "\n")
	users := fmt.Sprintf("%q \"\"\n", u.User.Username())
	for name, text := range map[string]string{"pgbouncer.ini": settings, "users": users} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // its user reads it
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// awaitPort waits until somebody listens, or the process has ended.
func awaitPort(addr string, ended <-chan struct{}) error {
	for range 500 {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil { //nolint:noctx // bounded
			_ = c.Close()
			return nil
		}
		select {
		case <-ended:
			return errors.New("it ended at once")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return errors.New("it does not listen within 5 s")
}
