package testserver

import (
	"errors"
	"fmt"
	"io"
	"net"
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

const nginxTries = 5

// NginxServer is a running nginx that asks somebody else about every request: / is behind auth_request.
type NginxServer struct {
	// URL is http://127.0.0.1:PORT. What is let through is answered 200 with the body "let through as NAME", the name being
	// what the answer to the question said in X-Auth-User.
	URL string

	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// Nginx starts a server for one test and ends it with the test. Every request to / is first asked at ask, an http URL with
// its query, with the headers of the request.
func Nginx(t testing.TB, ask string) *NginxServer {
	t.Helper()
	Need(t, "nginx")
	s, err := StartNginx(t.TempDir(), ask)
	if err != nil {
		t.Fatalf("start nginx: %v", err)
	}
	t.Cleanup(s.Kill)
	return s
}

// StartNginx starts a server whose files lie in dir. The caller ends it by Kill.
func StartNginx(dir, ask string) (*NginxServer, error) {
	program, err := find("nginx")
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(ask)
	if err != nil || u.Scheme != "http" || strings.ContainsAny(ask, "\"'; {}$\\\n") {
		return nil, errors.New("nginx: the URL to ask is not a plain http URL")
	}
	for range nginxTries { // somebody may take the port in between
		var port int
		if port, err = freePort(); err != nil {
			return nil, err
		}
		s := &NginxServer{URL: "http://127.0.0.1:" + strconv.Itoa(port), dir: dir}
		if err = s.start(program, nginxConf(port, ask)); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// nginxConf is one process, one listener, and a location whose every request is asked about.
func nginxConf(port int, ask string) string {
	return fmt.Sprintf(`daemon off; master_process off; pid nginx.pid; error_log error.log warn;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server {
		listen 127.0.0.1:%d;
		location = /alive { return 204; }
		location / {
			auth_request /ask;
			auth_request_set $who $upstream_http_x_auth_user;
			try_files /nothing @inside;
		}
		location @inside { return 200 "let through as $who"; }
		location = /ask {
			internal;
			proxy_pass %s;
			proxy_pass_request_body off;
			proxy_set_header Content-Length "";
			proxy_set_header X-Original-URI $request_uri;
			proxy_set_header X-Forwarded-For $remote_addr;
		}
	}
}
`, port, ask)
}

func (s *NginxServer) start(program, conf string) error {
	file := filepath.Join(s.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return fmt.Errorf("write nginx.conf: %w", err)
	}
	s.cmd = exec.Command(program, "-p", s.dir, "-c", file, "-e", filepath.Join(s.dir, "error.log")) //nolint:gosec,noctx // a test's own server
	s.cmd.SysProcAttr = dieWithParent()
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("nginx: %w", err)
	}
	done := make(chan struct{})
	s.done = done
	cmd := s.cmd
	go func() { _ = cmd.Wait(); close(done) }()
	return s.await()
}

func (s *NginxServer) await() error {
	for range 500 {
		if s.answers() {
			return nil
		}
		select {
		case <-s.done:
			text, _ := os.ReadFile(filepath.Join(s.dir, "error.log"))
			return fmt.Errorf("nginx ended at once: %s", text)
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.Kill()
	return errors.New("nginx does not answer within 5 s")
}

func (s *NginxServer) answers() bool {
	c, err := net.DialTimeout("tcp", strings.TrimPrefix(s.URL, "http://"), time.Second) //nolint:noctx // bounded
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(c, "GET /alive HTTP/1.0\r\n\r\n"); err != nil {
		return false
	}
	status := make([]byte, len("HTTP/1.1 204"))
	_, err = io.ReadFull(c, status)
	return err == nil && string(status) == "HTTP/1.1 204"
}

// Kill ends the server at once and waits for it.
func (s *NginxServer) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.done
}
