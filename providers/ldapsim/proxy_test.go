package ldapsim_test

import (
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/idbridge/idbridge/internal/testserver"
	"github.com/idbridge/idbridge/providers/ldapsim"
)

// TestProxyBeforeSlapd lets a real server be the one whose answers are spoilt.
func TestProxyBeforeSlapd(t *testing.T) {
	real := testserver.Slapd(t, testserver.SlapdOptions{LDIF: seedLDIF})
	for _, url := range []string{real.URL, real.SocketURL} {
		p, err := ldapsim.NewProxy(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Close() })
		whole := dump(t, signedIn(t, real.URL))
		if dump(t, signedIn(t, p.URL())) != whole {
			t.Error("the proxy shows something else")
		}
		p.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: ldapsim.Cut, N: 2})
		if uids, _, err := all(signedIn(t, p.URL())); codeOf(t, err) != ldap.ErrorNetwork || len(uids) != 2 {
			t.Errorf("cut: %d entries, %v", len(uids), err)
		}
		page := ldap.NewControlPaging(2)
		p.Fault(ldapsim.Fault{Op: ldapsim.OpSearch, Do: ldapsim.Empty, After: 1})
		c := signedIn(t, p.URL())
		first, controls, err := all(c, page)
		if err != nil {
			t.Fatal(err)
		}
		page.SetCookie(ldap.FindControl(controls, ldap.ControlTypePaging).(*ldap.ControlPaging).Cookie)
		second, controls, err := all(c, page)
		back := ldap.FindControl(controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if err != nil || len(first) != 2 || len(second) != 0 || len(back.Cookie) > 0 {
			t.Errorf("page dropped: %q, %q, %v, %v", first, second, back, err)
		}
		p.Fault(ldapsim.Fault{Op: ldapsim.OpModify, Do: ldapsim.Cut})
		if err = modify(anna, replace("title", "Lost "+url[:5]))(c); codeOf(t, err) != ldap.ErrorNetwork {
			t.Errorf("answer lost: %v", err)
		}
		if err = compare(anna, "title", "Lost "+url[:5])(signedIn(t, real.URL)); codeOf(t, err) != 6 {
			t.Errorf("the modify was not done: %v", err)
		}
		if p.Count(ldapsim.OpModify) != 1 || p.Count(ldapsim.OpBind) != 3 || p.Count(ldapsim.OpSearch) != 4 {
			t.Errorf("counted %d modifies, %d binds, %d searches", p.Count(ldapsim.OpModify), p.Count(ldapsim.OpBind), p.Count(ldapsim.OpSearch))
		}
		if err = dial(t, p.URL()).StartTLS(trust(t, start(t, ldapsim.Config{}))); codeOf(t, err) != 52 {
			t.Errorf("StartTLS through the proxy: %v", err)
		}
		c = signedIn(t, p.URL())
		p.Sever()
		if _, _, err = all(c); err == nil {
			t.Error("a severed connection answers")
		}
	}
	if _, err := ldapsim.NewProxy("ldaps://127.0.0.1:1"); err == nil {
		t.Error("a proxy into TLS")
	}
}
