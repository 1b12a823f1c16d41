package testserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	postgresRole    = "idbridge"
	postgresTries   = 5
	postgresTimeout = 30 * time.Second
)

// Postgres starts a PostgreSQL server of the test's own and returns the URL of an empty database in it. The server ends
// with the test. To share one server among tests, start it by StartPostgres and call PostgresDatabase for each.
func Postgres(t testing.TB) string {
	t.Helper()
	Need(t, "initdb")
	address, stop, err := StartPostgres(t.TempDir())
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	return address
}

// postgres is one running server.
type postgres struct {
	id   identity
	dir  string // scratch, reachable by the server's user
	port int
	bin  string

	cmd   *exec.Cmd
	ended chan struct{} // closed when the server is gone
}

// StartPostgres makes a cluster below dir, or below the system's temporary folder where the server's user cannot reach dir,
// and starts a server on a free port of 127.0.0.1. It returns the URL of an empty database and what stops the server and
// removes its files.
func StartPostgres(dir string) (address string, stop func() error, err error) {
	p, err := newPostgres(dir)
	if err != nil {
		return "", nil, err
	}
	address, err = PostgresDatabase(p.url("postgres"))
	if err != nil {
		return "", nil, errors.Join(err, p.stop())
	}
	return address, p.stop, nil
}

// newPostgres makes a cluster and starts its server.
func newPostgres(dir string) (*postgres, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil { // the server lies beside the real one
		return nil, fmt.Errorf("find initdb: %w", err)
	}
	id, err := unprivileged("postgres", "nobody")
	if err != nil {
		return nil, err
	}
	if id.cred != nil { // a test's folder is closed to everybody but root
		dir = os.TempDir()
	}
	scratch, err := os.MkdirTemp(dir, "idbridge-pg")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	p := &postgres{id: id, dir: scratch, bin: filepath.Dir(initdb)}
	err = errors.Join(id.own(scratch), p.init(initdb))
	if err == nil {
		err = p.start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(scratch))
	}
	return p, nil
}

func (p *postgres) init(initdb string) error {
	return p.id.run(p.dir, initdb, "--pgdata="+p.data(), "--username="+postgresRole, "--auth=trust", "--encoding=UTF8", "--locale=C",
		"--no-instructions")
}

func (p *postgres) data() string { return filepath.Join(p.dir, "data") }

// start starts the server on a port that was free a moment ago and waits until it answers. Somebody may take the port in
// between, so it tries a few times.
func (p *postgres) start() error {
	var err error
	for range postgresTries {
		var port int
		if port, err = freePort(); err != nil {
			return err
		}
		if err = p.startOn(port); err == nil {
			return nil
		}
	}
	return err
}

// startOn starts the server on this port. The server ends with us, however we end.
func (p *postgres) startOn(port int) error {
	p.port = port
	log, err := os.Create(filepath.Join(p.dir, "log"))
	if err != nil {
		return fmt.Errorf("make log: %w", err)
	}
	defer log.Close()                                                      // the server has its own descriptor
	p.cmd = exec.Command(filepath.Join(p.bin, "postgres"), "-D", p.data(), //nolint:gosec,noctx // found on this machine; stop ends it
		"-c", "listen_addresses=127.0.0.1", "-c",
		"port="+strconv.Itoa(port), "-c", "unix_socket_directories=", "-c", "max_connections=200")
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = p.dir, append(os.Environ(), "LC_ALL=C", "HOME="+p.dir), log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.id.cred, Pdeathsig: syscall.SIGQUIT}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	p.ended = make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // the log says why
		close(p.ended)
	}()
	return p.await()
}

// await polls until the server takes connections.
func (p *postgres) await() error {
	deadline := time.After(postgresTimeout)
	for {
		if p.ready() {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("postgres ended: %s", p.lastLines())
		case <-deadline:
			return errors.Join(fmt.Errorf("postgres does not answer: %s", p.lastLines()), p.end())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ready tells what the server writes into the eighth line of its pid file.
func (p *postgres) ready() bool {
	text, err := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	return len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
}

func (p *postgres) lastLines() string {
	text, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-1000):]))
}

// stop ends the server and removes its files.
func (p *postgres) stop() error { return errors.Join(p.end(), os.RemoveAll(p.dir)) }

// end stops the server at once, and kills it when it does not listen.
func (p *postgres) end() error {
	for _, sig := range []os.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
		if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop postgres: %w", err)
		}
		select {
		case <-p.ended:
			return nil
		case <-time.After(postgresTimeout / 2):
		}
	}
	return errors.New("postgres does not end")
}

func (p *postgres) url(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", postgresRole, p.port, database)
}

// PostgresDatabase makes an empty database beside the one that address names, and returns its URL.
func PostgresDatabase(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("read URL: %w", err)
	}
	createdb, err := find("createdb")
	if err != nil {
		return "", err
	}
	id, err := unprivileged("postgres", "nobody")
	if err != nil {
		return "", err
	}
	name := "idb_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	ctx, cancel := context.WithTimeout(context.Background(), postgresTimeout)
	defer cancel()
	err = id.runWithin(ctx, os.TempDir(), createdb, "--host="+u.Hostname(), "--port="+u.Port(), "--username="+u.User.Username(),
		"--no-password", "--maintenance-db=postgres", name)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}
