package main

import (
	"strings"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// unharmed checks that a fault of the directory harmed nobody, and that the next good run is clean.
func (b *bridge) unharmed() {
	b.t.Helper()
	for _, name := range []string{"p000", "p011", "p039"} {
		u := b.user(name)
		if !*u.May || u.Profile["email"].First() != name+"@example.org" {
			b.t.Errorf("%s was harmed: %+v", name, u)
		}
	}
	if u := b.user("p000"); len(u.Grants) != 1 {
		b.t.Errorf("the administrator's role is gone: %+v", u.Grants)
	}
}

// TestFaults: a directory that lies, stops or hides is not read as "these people left".
func TestFaults(t *testing.T) {
	start := func(t *testing.T, url string) (*bridge, *testserver.SlapdServer) {
		t.Helper()
		slapd := testserver.Slapd(t, testserver.SlapdOptions{LDIF: people(40, "p000", "p001")})
		b := newBridge(t, slapd, url, settings{})
		b.sync(0)
		return b, slapd
	}
	// twice does two runs, since absence needs two sightings.
	twice := func(b *bridge, code int) (stdout, stderr string) {
		b.t.Helper()
		for range 2 {
			var got int
			if got, stdout, stderr = b.do("sync", "--once"); got != code {
				b.t.Errorf("exit %d, want %d\n%s%s", got, code, stdout, stderr)
			}
		}
		return stdout, stderr
	}
	cases := map[string]func(t *testing.T, b *bridge, slapd *testserver.SlapdServer){
		"size limit": func(t *testing.T, b *bridge, slapd *testserver.SlapdServer) {
			if err := slapd.SetSizeLimit(10); err != nil {
				t.Fatal(err)
			}
			out, errs := twice(b, 6)
			if !strings.Contains(out+errs, "size") {
				t.Errorf("the size limit is not named:\n%s%s", out, errs)
			}
			b.unharmed()
			if err := slapd.SetSizeLimit(0); err != nil {
				t.Fatal(err)
			}
		},
		"empty but successful": func(t *testing.T, b *bridge, slapd *testserver.SlapdServer) {
			b.swap("(objectClass=inetOrgPerson)", "(objectClass=account)")
			out, _ := twice(b, 4)
			if !strings.Contains(out, "Held") {
				t.Errorf("not held:\n%s", out)
			}
			b.unharmed()
			b.swap("(objectClass=account)", "(objectClass=inetOrgPerson)")
		},
		"lost right on one attribute": func(t *testing.T, b *bridge, slapd *testserver.SlapdServer) {
			allow := "dn: olcDatabase={2}mdb,cn=config\nchangetype: modify\nadd: olcAccess\nolcAccess: {0}to attrs=mail by * none\n\n"
			if err := slapd.Configure(allow); err != nil {
				t.Fatal(err)
			}
			twice(b, 0)
			b.unharmed()
			if err := slapd.Configure(strings.Replace(allow, "add: olcAccess\nolcAccess: {0}to attrs=mail by * none", "delete: olcAccess\nolcAccess: {0}", 1)); err != nil {
				t.Fatal(err)
			}
		},
		"stopped": func(t *testing.T, b *bridge, slapd *testserver.SlapdServer) {
			slapd.Stop()
			_, errs := twice(b, 6)
			if !strings.Contains(errs, "corp") {
				t.Errorf("the directory is not named:\n%s", errs)
			}
			b.unharmed()
			if err := slapd.Start(); err != nil {
				t.Fatal(err)
			}
		},
		"stopped in the middle of a listing": func(t *testing.T, b *bridge, slapd *testserver.SlapdServer) {
			proxy, err := ldapsim.NewProxy(slapd.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer proxy.Close()
			b.swap(slapd.TLSURL, proxy.URL())
			b.swap("    base_dn:", "    insecure_cleartext_bind: true\n    base_dn:")
			stall := proxy.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Filter: "inetOrgPerson", Do: ldapsim.Stall, N: 20})
			killed := make(chan struct{})
			go func() { // slapd dies when twenty entries have gone through
				defer close(killed)
				<-stall.Struck()
				slapd.Kill()
				stall.Release()
			}()
			_, errs := twice(b, 6)
			<-killed
			if errs == "" {
				t.Error("nothing is said")
			}
			if err := slapd.Start(); err != nil {
				t.Fatal(err)
			}
			b.unharmed()
			b.swap(proxy.URL(), slapd.TLSURL)
			b.swap("    insecure_cleartext_bind: true\n", "")
		},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			stores(t, func(t *testing.T, url string) {
				b, slapd := start(t, url)
				f(t, b, slapd)
				b.sync(0)
				b.unharmed()
				b.fixpoint()
			})
		})
	}
}
