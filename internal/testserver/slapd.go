package testserver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SlapdOptions says what an OpenLDAP server shall be. The zero SlapdOptions is an empty directory that the sync account
// reads and writes without limits.
type SlapdOptions struct {
	// LDIF is loaded below the base, ou=people, ou=more, ou=groups and the sync account, which are always there.
	LDIF string
	// File is loaded after LDIF; for what is too large for a string.
	File string
	// Access has lines of slapd.conf that come before the usual rule, such as: access to attrs=mail by * none.
	Access []string
	// Database has further lines of slapd.conf for the database.
	Database []string
	// SizeLimit is what the sync account may read in one search; 0: everything.
	SizeLimit int
	// Certificate is the server's; it is always signed by an authority of its own.
	Certificate Certificate
}

// SlapdServer is a running OpenLDAP server. Clear text, TLS (also StartTLS on URL) and a local socket are all open.
type SlapdServer struct {
	URL, TLSURL, SocketURL      string
	BaseDN, PeopleDN, GroupsDN  string
	MoreDN                      string // a second container for people
	AdminDN, AdminPassword      string // the rootdn: no limits, no rules
	SyncDN, SyncPassword        string // what the program signs in as
	ConfigDN, ConfigPassword    string // cn=config, for changes while it runs
	CAFile                      string
	Authority                   *Authority
	Dir                         string
	slapd, listen               string
	cmd                         *exec.Cmd
	done                        chan struct{} // closed when the process has ended
	ldapmodify, ldapsearch, add string
}

// Slapd starts a server for one test and ends it with the test.
func Slapd(t testing.TB, o SlapdOptions) *SlapdServer {
	t.Helper()
	for _, program := range []string{"slapd", "slapadd", "ldapmodify", "ldapsearch"} {
		Need(t, program)
	}
	s, err := StartSlapd(t.TempDir(), o)
	if err != nil {
		t.Fatalf("start slapd: %v", err)
	}
	t.Cleanup(s.Kill)
	return s
}

// StartSlapd starts a server whose files lie in dir. The caller ends it with Stop or Kill.
func StartSlapd(dir string, o SlapdOptions) (*SlapdServer, error) {
	const base = "dc=example,dc=org"
	s := &SlapdServer{
		BaseDN: base, PeopleDN: "ou=people," + base, MoreDN: "ou=more," + base, GroupsDN: "ou=groups," + base,
		AdminDN: "cn=admin," + base, AdminPassword: "secret", SyncDN: "cn=sync," + base, SyncPassword: "Sync.Pw.123",
		ConfigDN: "cn=config", ConfigPassword: "cfg", Dir: dir,
	}
	for program, path := range map[string]*string{
		"slapd": &s.slapd, "slapadd": &s.add, "ldapmodify": &s.ldapmodify, "ldapsearch": &s.ldapsearch,
	} {
		var err error
		if *path, err = find(program); err != nil {
			return nil, err
		}
	}
	for _, sub := range []string{"data", "log", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("make folders: %w", err)
		}
	}
	if err := s.configure(o); err != nil {
		return nil, err
	}
	if err := s.load(o); err != nil {
		return nil, err
	}
	return s, s.listenAndStart()
}

// listenAndStart looks for free ports; somebody may take one in between, so it tries a few times.
func (s *SlapdServer) listenAndStart() error {
	socket := filepath.Join(s.Dir, "run", "ldapi")
	if len(socket) > 100 { // a socket's path has little room
		short, err := os.MkdirTemp("", "slapd")
		if err != nil {
			return fmt.Errorf("make a folder for the socket: %w", err)
		}
		socket = filepath.Join(short, "ldapi")
	}
	var err error
	for range 5 {
		var ports [2]int
		if ports, err = freePorts(); err != nil {
			return err
		}
		s.URL = fmt.Sprintf("ldap://127.0.0.1:%d", ports[0])
		s.TLSURL = fmt.Sprintf("ldaps://127.0.0.1:%d", ports[1])
		s.SocketURL = "ldapi://" + strings.ReplaceAll(socket, "/", "%2F")
		s.listen = s.URL + " " + s.TLSURL + " " + s.SocketURL
		if err = s.Start(); err == nil {
			return nil
		}
	}
	return err
}

func freePorts() ([2]int, error) {
	var ports [2]int
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
		if err != nil {
			return ports, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // both are held until both are known
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return ports, errors.New("find a free port: not TCP")
		}
		ports[i] = addr.Port
	}
	return ports, nil
}

// Start starts the server again, on the ports it had.
func (s *SlapdServer) Start() error {
	log, err := os.OpenFile(filepath.Join(s.Dir, "slapd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	s.cmd = exec.Command(s.slapd, "-f", filepath.Join(s.Dir, "slapd.conf"), "-h", s.listen, "-d", "0") //nolint:gosec,noctx // a test's own server
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = dieWithParent()
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start slapd: %w", err)
	}
	done := make(chan struct{})
	s.done = done
	cmd := s.cmd
	go func() { _ = cmd.Wait(); close(done) }()
	addr := strings.TrimPrefix(s.URL, "ldap://")
	for range 500 {
		if answers(addr) {
			return nil
		}
		select {
		case <-done:
			text, _ := os.ReadFile(filepath.Join(s.Dir, "slapd.log"))
			return fmt.Errorf("slapd ended at once: %s", text)
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.Kill()
	return errors.New("slapd does not answer within 5 s")
}

// answers tells whether an LDAP server takes an anonymous bind there.
func answers(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second) //nolint:noctx // bounded
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00")); err != nil {
		return false
	}
	answer := make([]byte, 14)
	_, err = io.ReadFull(c, answer)
	return err == nil && answer[0] == 0x30
}

// Stop asks the server to end and waits for it.
func (s *SlapdServer) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the server at once and waits for it. The data survives: Start brings it back.
func (s *SlapdServer) Kill() { s.end(syscall.SIGKILL) }

func (s *SlapdServer) end(sig syscall.Signal) {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// Restart ends the server properly and starts it again.
func (s *SlapdServer) Restart() error {
	s.Stop()
	return s.Start()
}

// Pause stops the process where it stands: connections stay open and nothing answers. Resume lets it go on.
func (s *SlapdServer) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (s *SlapdServer) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *SlapdServer) signal(sig syscall.Signal) error {
	if err := s.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal slapd: %w", err)
	}
	return nil
}

// PID is the server's process id.
func (s *SlapdServer) PID() int { return s.cmd.Process.Pid }
