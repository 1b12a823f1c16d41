package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	hotUsers = 5000 // that are asked about; all of them fit into the cache
	hotKeys  = 20
)

// api measures the hot routes of a daemon over a store with everybody in it, each beside an empty handler of net/http in
// the same turns: what is printed is the median of the turns' ratios' two sides.
func (b *bench) api(ctx context.Context) error {
	config := filepath.Join(b.dir, "api.yaml")
	store := "sqlite:" + filepath.Join(b.dir, "api.db")
	if err := os.WriteFile(config, []byte(b.apiConfig(store)), 0o600); err != nil {
		return err
	}
	if _, err := b.sync(ctx, config); err != nil {
		return err
	}
	keys, err := b.keys(ctx, config)
	if err != nil {
		return err
	}
	address, stop, err := b.serve(ctx, config)
	if err != nil {
		return err
	}
	defer stop()
	empty, end := emptyHandler()
	defer end()
	routes, verify := b.routes(address, keys)
	nothing := post(empty, "/", "", `{"user":"u0000001","role":"r001"}`)
	fmt.Fprintf(b.out, "\n%-34s %10s %8s %9s %9s %9s\n", fmt.Sprintf("%d connections, %d people", loadConns, b.people), "requests/s", "ratio", "p50", "p99", "p99.9")
	for _, r := range routes {
		if _, err := drive(ctx, address, r.req); err != nil { // fills the cache
			return fmt.Errorf("%s: %w", r.name, err)
		}
		var ours, theirs []load
		for range b.rounds {
			one, err := drive(ctx, empty, nothing)
			if err != nil {
				return err
			}
			two, err := drive(ctx, address, r.req)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			theirs, ours = append(theirs, one), append(ours, two)
		}
		b.loadRow("empty net/http handler", middle(theirs), middle(theirs))
		b.loadRow(r.name, middle(ours), middle(theirs))
	}
	late, asked, err := revoked(ctx, address, verify, func() error { return b.revoke(ctx, config, keys[1]) })
	if err != nil {
		return fmt.Errorf("revoke under load: %w", err)
	}
	fmt.Fprintf(b.out, "%-34s %d of %d questions asked after the revocation were answered yes\n", "revoke under load", late, asked)
	return nil
}

func (b *bench) loadRow(name string, l, against load) {
	us := func(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }
	fmt.Fprintf(b.out, "%-34s %10.0f %7.2fx %9s %9s %9s\n", name, l.perSecond, l.perSecond/against.perSecond, us(l.p50), us(l.p99), us(l.p999))
}

// route is one that is measured.
type route struct {
	name string
	req  request
}

// routes returns the hot routes, and a question about the second key alone.
func (b *bench) routes(address string, keys []string) (all []route, second request) {
	header := "X-Api-Key: " + keys[0] + "\r\n"
	var asks, verifies []string
	for i := range hotUsers {
		asks = append(asks, fmt.Sprintf(`{"user":"u%07d","role":"r%03d"}`, i*7%b.people, i%b.groups))
	}
	for _, key := range keys {
		verifies = append(verifies, fmt.Sprintf(`{"key":%q}`, key))
	}
	check, verify := post(address, "/api/v1/check", header, asks...), post(address, "/api/v1/keys/verify", header, verifies...)
	check.want, verify.want = `"allowed":`, `"valid":true`
	auth := request{raw: [][]byte{[]byte("GET /authz/nginx?role=ADMIN HTTP/1.1\r\nHost: " + address + "\r\n" + header + "\r\n")}}
	return []route{{"check", check}, {"keys/verify", verify}, {"auth_request", auth}}, post(address, "/api/v1/keys/verify", header, verifies[1])
}

// middle returns the reading with the median rate.
func middle(all []load) load {
	best := all[0]
	for _, l := range all {
		below := 0
		for _, other := range all {
			if other.perSecond < l.perSecond {
				below++
			}
		}
		if below == len(all)/2 {
			best = l
		}
	}
	return best
}

// apiConfig gives two roles by each group, so that everybody has ten.
func (b *bench) apiConfig(store string) string {
	var roles strings.Builder
	for g := range b.groups {
		group := fmt.Sprintf("cn=group%03d,ou=groups,%s", g, b.slapd.BaseDN)
		fmt.Fprintf(&roles, "  - {role: r%03d, directory: bench, group: %q}\n  - {role: r%03d, application: app, directory: bench, group: %q}\n", g, group, g, group)
	}
	return b.config(store) + "http: {listen: \"127.0.0.1:0\"}\nlog: {level: info}\nroles:\n" + roles.String()
}

// command gives a command of the program and returns what it printed.
func (b *bench) command(ctx context.Context, config string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, b.binary, append([]string{"-c", config}, args...)...).CombinedOutput() //nolint:gosec // our own program
	if err != nil {
		return "", fmt.Errorf("idbridge %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (b *bench) keys(ctx context.Context, config string) ([]string, error) {
	if _, err := b.command(ctx, config, "role", "grant", "u0000000", "ADMIN"); err != nil {
		return nil, err
	}
	var keys []string
	for i := range hotKeys {
		key, err := b.command(ctx, config, "key", "new", fmt.Sprintf("u%07d", i))
		if err != nil {
			return nil, err
		}
		keys = append(keys, strings.Fields(key)[0])
	}
	return keys, nil
}

func (b *bench) revoke(ctx context.Context, config, key string) error {
	_, err := b.command(ctx, config, "key", "delete", key[4:12])
	return err
}

var serving = regexp.MustCompile(`msg=serving http=(\S+)`)

// serve starts the daemon.
func (b *bench) serve(ctx context.Context, config string) (address string, stop func(), err error) {
	cmd := exec.CommandContext(ctx, b.binary, "-c", config, "serve") //nolint:gosec // our own program
	log, err := cmd.StderrPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := serving.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, log) }() // ends with the process
			return m[1], stop, nil
		}
	}
	stop()
	return "", nil, errors.New("the daemon does not serve")
}

// emptyHandler serves nothing, as fast as net/http can.
func emptyHandler() (address string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // on loopback
	if err != nil {
		return "", func() {}
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: loadTimeout}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return listener.Addr().String(), func() { _ = server.Close() }
}
