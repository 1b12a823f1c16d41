package imaging

import (
	"net/http"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/rest"
)

// rootView is the answer that tells a client that it reached the server and is known there.
type rootView struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	User    string `json:"user"`
}

// userView is the caller's own profile, exactly these members.
type userView struct {
	ID            idbridge.UserID `json:"id"`
	Username      string          `json:"username"`
	FirstName     string          `json:"firstName"`
	LastName      string          `json:"lastName"`
	Email         string          `json:"email"`
	Roles         []idbridge.Role `json:"roles"`
	Administrator bool            `json:"administrator"`
}

// apiView says which version of the API is spoken: a semantic version, which clients parse.
type apiView struct {
	APIVersion  string  `json:"apiVersion"`
	CastVersion *string `json:"castVersion"`
}

type readyView struct {
	Status string `json:"status"`
}

const apiVersion = "2.0.0"

func (f *Facade) root(w http.ResponseWriter, r *http.Request) {
	if who, ok := f.gate.Enter(w, r); ok {
		rest.Answer(w, http.StatusOK, rootView{"idbridge", f.config.Version, who.Name()})
	}
}

// ready looks at the store before it looks at who asks: without a store nobody can be told who he is.
func (f *Facade) ready(w http.ResponseWriter, r *http.Request) {
	if err := f.config.Store.Ping(r.Context()); err != nil {
		f.gate.Fail(w, r, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "the store does not answer", Err: err})
		return
	}
	if _, ok := f.gate.Enter(w, r); ok {
		rest.Answer(w, http.StatusOK, readyView{"ready"})
	}
}

// nothing is below /rest: who is not signed in learns not even that.
func (f *Facade) nothing(w http.ResponseWriter, r *http.Request) {
	if _, ok := f.gate.Enter(w, r); ok {
		rest.Refuse(w, http.StatusNotFound)
	}
}

func (f *Facade) api(w http.ResponseWriter, r *http.Request) {
	if _, ok := f.gate.Enter(w, r); ok {
		rest.Answer(w, http.StatusOK, apiView{APIVersion: apiVersion})
	}
}

func (f *Facade) user(w http.ResponseWriter, r *http.Request) {
	who, ok := f.gate.Enter(w, r)
	if !ok {
		return
	}
	u, err := f.config.Store.User(r.Context(), who.User())
	if err != nil {
		f.gate.Fail(w, r, err)
		return
	}
	rest.Answer(w, http.StatusOK, userView{
		ID: u.ID, Username: u.UserName(), FirstName: u.Profile[idbridge.GivenName].First(), LastName: u.Profile[idbridge.FamilyName].First(),
		Email: u.Profile[idbridge.Email].First(), Roles: rolesOf(&who), Administrator: who.Has(idbridge.Admin) && who.Whole(),
	})
}

// rolesOf returns what the caller has globally, sorted. A key that carries only some of its user's rights shows none.
func rolesOf(who *credential.Caller) []idbridge.Role {
	roles := []idbridge.Role{}
	for i := range who.Access.Grants {
		if g := &who.Access.Grants[i]; g.Application == "" && who.Whole() {
			roles = append(roles, g.Role)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}
