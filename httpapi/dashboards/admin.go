package dashboards

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/rest"
)

// adminRoleView says whether somebody may administer.
type adminRoleView struct {
	Href         string `json:"href"`
	Exists       bool   `json:"exists"`
	SecurityMode string `json:"securityMode"`
}

func (f *Facade) adminRole(w http.ResponseWriter, r *http.Request) {
	if _, ok := f.gate.Enter(w, r); !ok {
		return
	}
	exists, err := f.adminExists(r.Context())
	if err != nil {
		f.gate.Fail(w, r, err)
		return
	}
	rest.Answer(w, http.StatusOK, adminRoleView{"user/admin-role", exists, f.config.SecurityMode})
}

const adminPage = 100

// adminExists tells whether a user who may act has ADMIN. One who is suspended does not count, or a departed administrator
// locks everybody out.
func (f *Facade) adminExists(ctx context.Context) (bool, error) {
	var after idbridge.UserID
	for {
		page, err := f.config.Store.RoleMembers(ctx, idbridge.Admin, "", after, adminPage)
		if err != nil {
			return false, err
		}
		for i := range page {
			access, err := f.config.Store.Access(ctx, page[i].User)
			if err != nil || access.Exists && access.May {
				return err == nil, err
			}
		}
		if len(page) == 0 || page[len(page)-1].User == after {
			return false, nil
		}
		after = page[len(page)-1].User
	}
}

// bootstrap makes the caller the first administrator. The order of the refusals is part of the contract; the store has the
// last word, in one transaction.
//
//	nobody 401 · a key 403 · integrated 403 · a page of another site 403 · not local 403 · administrator already 200 ·
//	another one exists 409 · granted: new session id, 200
func (f *Facade) bootstrap(w http.ResponseWriter, r *http.Request) {
	who, ok := f.gate.Look(w, r) // refuses pages of other sites, too
	if !ok {
		return
	}
	if why := f.mayNotBootstrap(r, who.Key != ""); why != "" {
		f.gate.Note(w, r, idbridge.Audit{
			Actor: who.Name(), Action: "admin.bootstrap", Target: who.Name(), User: who.User(), Result: "refused", Reason: why,
		})
		f.gate.Fail(w, r, problem.New(problem.Forbidden, why))
		return
	}
	already, err := f.config.Store.BootstrapAdmin(r.Context(), who.User(), who.Name())
	if err != nil {
		f.gate.Fail(w, r, err)
		return
	}
	if !already && !f.gate.Renew(w, r, &who) {
		return
	}
	rest.Answer(w, http.StatusOK, adminRoleView{"user/admin-role", true, f.config.SecurityMode})
}

// mayNotBootstrap says why nobody becomes administrator by this request, "" when he may.
func (f *Facade) mayNotBootstrap(r *http.Request, byKey bool) string {
	switch {
	case byKey:
		return "a key makes no administrator"
	case f.config.SecurityMode == ModeIntegrated:
		return "integrated security decides who is administrator"
	case f.config.AdminBootstrap == BootstrapOff:
		return "the bootstrap is off"
	case f.config.AdminBootstrap == BootstrapAnywhere:
		return ""
	}
	return notLocal(r)
}

// notLocal says why a request does not come from a person on this machine, "" when it does. A proxy on this machine would
// make everybody local, and a name that its owner points at 127.0.0.1 would let his page in (DNS rebinding).
func notLocal(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return "the peer is not local"
	}
	for name := range r.Header {
		switch {
		case name == "Forwarded", name == "X-Real-Ip", name == "Via", strings.HasPrefix(name, "X-Forwarded-"), name == "X-Forwarded":
			return "it came through a proxy"
		}
	}
	if !loopbackHost(r.Host) {
		return "the Host header is not a loopback address"
	}
	return ""
}

func loopbackHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.Unmap().IsLoopback()
}
