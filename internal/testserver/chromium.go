package testserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

const chromiumTimeout = 60 * time.Second

// ChromiumBrowser is a running headless browser with an empty profile. It reaches the loopback only: every other name leads
// nowhere, except that names below .localhost are the loopback, each a site of its own.
type ChromiumBrowser struct {
	// URL is the ws:// address of its DevTools, for chromedp's remote.NewAllocator.
	URL string

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// Chromium starts a browser for one test and ends it with the test.
func Chromium(t testing.TB) *ChromiumBrowser {
	t.Helper()
	Need(t, "chromium", "chromium-browser", "google-chrome")
	dir, err := os.MkdirTemp("", "idbridge-chromium") //nolint:usetesting // its children may still write when the test ends, and t.TempDir forbids that
	if err != nil {
		t.Fatal(err)
	}
	b, err := StartChromium(dir)
	if err != nil {
		t.Fatalf("start Chromium: %v", errors.Join(err, os.RemoveAll(dir)))
	}
	t.Cleanup(func() {
		b.Kill()
		for range 50 { // its children end a moment after it
			if err = os.RemoveAll(dir); err == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("remove the profile: %v", err)
	})
	return b
}

// StartChromium starts a browser whose profile lies in dir. The caller ends it by Kill and removes dir.
func StartChromium(dir string) (*ChromiumBrowser, error) {
	program, err := find("chromium", "chromium-browser", "google-chrome")
	if err != nil {
		return nil, err
	}
	b := &ChromiumBrowser{done: make(chan struct{})}
	b.cmd = exec.Command(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", //nolint:gosec,noctx // a test's own browser
		"--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-component-update",
		"--disable-sync", "--disable-extensions", "--no-proxy-server", "--password-store=basic",
		"--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
		"--remote-debugging-port=0", "--user-data-dir="+filepath.Join(dir, "profile"), "about:blank")
	b.cmd.Env = append(os.Environ(), "HOME="+dir)
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	stderr, err := b.cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("chromium: %w", err)
	}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("chromium: %w", err)
	}
	address := make(chan string, 1)
	go func() {
		devTools(stderr, address)
		_ = b.cmd.Wait()
		close(b.done)
	}()
	select {
	case b.URL = <-address:
		return b, nil
	case <-b.done:
		return nil, errors.New("chromium ended at once")
	case <-time.After(chromiumTimeout):
		b.Kill()
		return nil, errors.New("chromium does not answer")
	}
}

// devTools reads the browser's log to its end and hands over the address that it names.
func devTools(log io.Reader, address chan<- string) {
	says := regexp.MustCompile(`DevTools listening on (ws://\S+)`)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if found := says.FindStringSubmatch(lines.Text()); found != nil {
			select {
			case address <- found[1]:
			default:
			}
		}
	}
	_, _ = io.Copy(io.Discard, log) // after a line too long
}

// Kill ends the browser and its children at once and waits for it.
func (b *ChromiumBrowser) Kill() {
	_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL) // its own group
	<-b.done
}
