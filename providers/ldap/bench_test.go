package ldap_test

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/mapping"
	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldap"
)

// benchPeople is how many entries are listed; BENCH_PEOPLE changes it.
func benchPeople(b *testing.B) int {
	if text := os.Getenv("BENCH_PEOPLE"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	return 100_000
}

// ten maps ten attributes of a person.
func ten() (idbridge.Schema, []mapping.Field) {
	schema := idbridge.CoreSchema()
	f := fields()
	for a, from := range map[idbridge.Attribute]string{
		"phone": "telephoneNumber", "number": "employeeNumber", "title": "title", "city": "l", "fullName": "cn",
	} {
		schema[a] = idbridge.Spec{}
		f = append(f, mapping.Field{Attribute: a, From: from})
	}
	return schema, f
}

func benchServer(b *testing.B, n int) *testserver.SlapdServer {
	b.Helper()
	file := filepath.Join(b.TempDir(), "people.ldif")
	f, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	if err := testserver.WritePeople(f, n, 200, 42); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return testserver.Slapd(b, testserver.SlapdOptions{File: file})
}

// BenchmarkScan lists 100,000 people of ten attributes as records, beside ldapsearch and go-ldap's paged search of the
// same entries in the same run, and reports how many times ldapsearch's time it takes.
func BenchmarkScan(b *testing.B) {
	n := benchPeople(b)
	srv := benchServer(b, n)
	cfg := settings(srv)
	cfg.Schema, cfg.Map = ten()
	cfg.PageSize = 1000
	cfg.Groups.Filter = os.Getenv("BENCH_GROUPS")
	cfg.URLs, cfg.TLS = []string{srv.URL}, ldap.TLS{AllowCleartextBind: true}
	s := session(b, directory(b, cfg))
	attributes := []string{"entryUUID", "entryCSN"}
	for _, f := range cfg.Map {
		attributes = append(attributes, f.From)
	}
	tool := func() time.Duration { return ldapsearch(b, srv, attributes) }
	tool() // the server's caches are warm for everybody
	var ours, theirs, gold []time.Duration
	var heap runtime.MemStats
	for b.Loop() {
		theirs = append(theirs, tool())
		start := time.Now()
		scan(b, s, n)
		ours = append(ours, time.Since(start))
	}
	runtime.ReadMemStats(&heap)
	gold = append(gold, goLDAP(b, srv, attributes, n))
	b.ReportMetric(least(ours).Seconds(), "s/scan")
	b.ReportMetric(least(theirs).Seconds(), "s/ldapsearch")
	b.ReportMetric(least(gold).Seconds(), "s/go-ldap")
	b.ReportMetric(least(ours).Seconds()/least(theirs).Seconds(), "x-ldapsearch")
	b.ReportMetric(float64(heap.Sys)/(1<<20), "MiB-sys")
}

func least(d []time.Duration) time.Duration {
	m := d[0]
	for _, x := range d {
		m = min(m, x)
	}
	return m
}

func scan(b *testing.B, s *ldap.Session, n int) {
	b.Helper()
	people := 0
	for c, err := range s.Scan(b.Context(), "") {
		if err != nil {
			b.Fatal(err)
		}
		switch c := c.(type) {
		case idbridge.Present:
			people++
		case idbridge.Checkpoint:
			if !c.Complete {
				b.Fatal(c.Proof.Doubt)
			}
		}
	}
	if people != n {
		b.Fatalf("%d people of %d", people, n)
	}
}

func ldapsearch(b *testing.B, srv *testserver.SlapdServer, attributes []string) time.Duration {
	b.Helper()
	args := append([]string{
		"-x", "-LLL", "-H", srv.URL, "-D", srv.SyncDN, "-w", srv.SyncPassword, "-b", srv.BaseDN, "(objectClass=inetOrgPerson)",
	}, attributes...)
	cmd := exec.CommandContext(b.Context(), "ldapsearch", args...)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	cmd.Stdout, cmd.Stderr = null, io.Discard
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func goLDAP(b *testing.B, srv *testserver.SlapdServer, attributes []string, n int) time.Duration {
	b.Helper()
	c, err := goldap.DialURL(srv.URL)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(srv.SyncDN, srv.SyncPassword); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	page := goldap.NewControlPaging(1000)
	req := goldap.NewSearchRequest(srv.BaseDN, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=inetOrgPerson)", attributes, []goldap.Control{page})
	people := 0
	for {
		res, err := c.Search(req)
		if err != nil {
			b.Fatal(err)
		}
		people += len(res.Entries)
		answer, ok := goldap.FindControl(res.Controls, goldap.ControlTypePaging).(*goldap.ControlPaging)
		if !ok || len(answer.Cookie) == 0 {
			break
		}
		page.SetCookie(answer.Cookie)
	}
	if people != n {
		b.Fatalf("go-ldap: %d people of %d", people, n)
	}
	return time.Since(start)
}

// BenchmarkApply makes 2,000 changes with eight in flight, beside ldapmodify with the same number of changes.
func BenchmarkApply(b *testing.B) {
	const n = 2000
	srv := benchServer(b, n)
	cfg := settings(srv)
	cfg.URLs, cfg.TLS = []string{srv.URL}, ldap.TLS{AllowCleartextBind: true}
	s := session(b, directory(b, cfg))
	records := complete(b, s).records
	var ours, theirs []time.Duration
	for round := 0; b.Loop(); round++ {
		var ldif strings.Builder
		for _, rec := range records {
			ldif.WriteString(testserver.Change(rec.Locator, "title", fmt.Sprintf("round %d", round)))
		}
		start := time.Now()
		if err := srv.Modify(ldif.String()); err != nil {
			b.Fatal(err)
		}
		theirs = append(theirs, time.Since(start))
		start = time.Now()
		applyAll(b, s, records, fmt.Sprintf("round %d", round))
		ours = append(ours, time.Since(start))
	}
	b.ReportMetric(n/least(ours).Seconds(), "changes/s")
	b.ReportMetric(n/least(theirs).Seconds(), "ldapmodify/s")
	b.ReportMetric(least(theirs).Seconds()/least(ours).Seconds(), "x-ldapmodify")
}

func applyAll(b *testing.B, s *ldap.Session, records map[string]idbridge.Record, text string) {
	b.Helper()
	work := make(chan string)
	var wait sync.WaitGroup
	var mu sync.Mutex
	for range inFlight() {
		wait.Go(func() {
			for name := range work {
				mu.Lock()
				rec := records[name]
				mu.Unlock()
				after, err := s.Apply(b.Context(), update(rec, idbridge.DisplayName, name+" "+text))
				if err != nil {
					b.Errorf("%s: %v", name, err)
				}
				mu.Lock()
				records[name] = after
				mu.Unlock()
			}
		})
	}
	names := slices.Collect(maps.Keys(records))
	for _, name := range names {
		work <- name
	}
	close(work)
	wait.Wait()
}

func inFlight() int {
	if n, err := strconv.Atoi(os.Getenv("BENCH_FLIGHT")); err == nil {
		return n
	}
	return 8
}
