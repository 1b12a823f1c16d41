package testserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PostgresServer is a PostgreSQL of the test's own that can be killed, paused, copied and promoted. It ends with the test.
type PostgresServer struct {
	p       *postgres
	address string
}

// NewPostgresServer starts a server with an empty database.
func NewPostgresServer(t testing.TB) *PostgresServer {
	t.Helper()
	for _, program := range []string{"initdb", "psql", "pg_basebackup", "pg_ctl"} {
		Need(t, program)
	}
	p, err := newPostgres(t.TempDir())
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	s := &PostgresServer{p: p}
	t.Cleanup(func() { s.remove(t) })
	if s.address, err = PostgresDatabase(p.url("postgres")); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	return s
}

func (s *PostgresServer) remove(t testing.TB) {
	t.Helper()
	if err := errors.Join(s.Resume(), s.p.stop()); err != nil {
		t.Errorf("stop PostgreSQL: %v", err)
	}
}

// URL names an empty database of the server.
func (s *PostgresServer) URL() string { return s.address }

// Addr is the server's host:port.
func (s *PostgresServer) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.p.port)) }

// PID is the process id of the postmaster, 0 when it has ended.
func (s *PostgresServer) PID() int {
	select {
	case <-s.p.ended:
		return 0
	default:
		return s.p.cmd.Process.Pid
	}
}

// Kill ends the server by SIGKILL, its sessions with it, and waits until all are gone. The data survives: Start brings it
// back.
func (s *PostgresServer) Kill() error {
	all := append([]int{s.PID()}, s.sessions()...)
	for _, pid := range all {
		if pid == 0 {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill postgres: %w", err)
		}
	}
	<-s.p.ended
	return within(postgresTimeout, func() bool { return !anyAlive(all) })
}

// Start starts a server that has ended again, on the port it had.
func (s *PostgresServer) Start() error {
	if s.PID() != 0 {
		return errors.New("start postgres: it runs")
	}
	_ = os.Remove(filepath.Join(s.p.data(), "postmaster.pid")) // of the dead one: its number may be somebody else's by now
	return s.p.startOn(s.p.port)
}

// Pause stops the server and its sessions where they stand: connections stay open and nothing answers.
func (s *PostgresServer) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *PostgresServer) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *PostgresServer) signal(sig syscall.Signal) error {
	pid := s.PID()
	if pid == 0 {
		return nil
	}
	for _, one := range append([]int{pid}, s.sessions()...) { // the postmaster first: it starts no more then
		if err := syscall.Kill(one, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal postgres: %w", err)
		}
	}
	return nil
}

// sessions returns the processes that the postmaster has started.
func (s *PostgresServer) sessions() []int {
	parent := s.PID()
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || parent == 0 {
		return nil
	}
	var out []int
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if state, above := process(pid); err == nil && state != 0 && above == parent {
			out = append(out, pid)
		}
	}
	return out
}

// process returns a process's state, 0 when there is none, and its parent.
func process(pid int) (state byte, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	_, rest, _ := bytes.Cut(text, []byte(") "))
	words := strings.Fields(string(rest))
	if len(words) < 2 {
		return 0, 0
	}
	if parent, err = strconv.Atoi(words[1]); err != nil {
		return 0, 0
	}
	return words[0][0], parent
}

// anyAlive tells whether one of the processes still runs. One that is dead and whom nobody has buried yet does not.
func anyAlive(pids []int) bool {
	for _, pid := range pids {
		if state, _ := process(pid); pid != 0 && state != 0 && state != 'Z' && state != 'X' {
			return true
		}
	}
	return false
}

func within(limit time.Duration, done func() bool) error {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done() {
			return nil
		}
	}
	return fmt.Errorf("not within %s", limit)
}

// SQL runs a statement as the superuser in the database of URL and returns what psql prints: a row a line, columns parted
// by |.
func (s *PostgresServer) SQL(statement string) (string, error) {
	psql, err := find("psql")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), postgresTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, psql, "-X", "-At", "-v", "ON_ERROR_STOP=1", "-c", statement, s.address) //nolint:gosec // a test's own server
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, &stderr)
	}
	return strings.TrimSpace(string(out)), nil
}

// Standby copies the server and starts the copy as a hot standby that follows it. Where synchronous is set, the primary
// acknowledges no commit before the standby has it; undo that by Alone when the standby is gone. URL of the standby names
// the same database.
func (s *PostgresServer) Standby(t testing.TB, synchronous bool) *PostgresServer {
	t.Helper()
	standby, err := s.standby()
	if err != nil {
		t.Fatalf("make a standby: %v", err)
	}
	t.Cleanup(func() { standby.remove(t) })
	err = within(postgresTimeout, func() bool {
		n, err := s.SQL("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
		return err == nil && n != "0"
	})
	if err == nil && synchronous {
		err = s.set("synchronous_standby_names", "*")
	}
	if err != nil {
		t.Fatalf("standby: %v", err)
	}
	return standby
}

func (s *PostgresServer) standby() (*PostgresServer, error) {
	backup, err := find("pg_basebackup")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(s.p.dir), "idbridge-pg")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	p := &postgres{id: s.p.id, dir: dir, bin: s.p.bin}
	err = errors.Join(p.id.own(dir), p.id.run(dir, backup, "--host=127.0.0.1", "--port="+strconv.Itoa(s.p.port),
		"--username="+postgresRole, "--pgdata="+p.data(), "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"))
	if err == nil {
		err = p.start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	out := &PostgresServer{p: p}
	out.address = strings.Replace(s.address, s.Addr(), out.Addr(), 1)
	return out, nil
}

// Alone lets a primary acknowledge its commits again without a standby.
func (s *PostgresServer) Alone() error { return s.set("synchronous_standby_names", "") }

func (s *PostgresServer) set(name, value string) error {
	_, err := s.SQL("ALTER SYSTEM SET " + name + " = '" + value + "'")
	if err == nil {
		_, err = s.SQL("SELECT pg_reload_conf()")
	}
	if err != nil {
		return err
	}
	return within(postgresTimeout, func() bool {
		now, err := s.SQL("SHOW " + name)
		return err == nil && now == value
	})
}

// Promote makes a standby a primary and waits until it is one. What it had taken over as a copy of the primary's settings,
// a wait for standbys, is lifted.
func (s *PostgresServer) Promote() error {
	ctl, err := find("pg_ctl")
	if err != nil {
		return err
	}
	if err := s.p.id.run(s.p.dir, ctl, "promote", "--pgdata="+s.p.data(), "--wait"); err != nil {
		return err
	}
	return s.Alone()
}
