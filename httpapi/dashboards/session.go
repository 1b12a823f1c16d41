package dashboards

import (
	"net/http"

	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/rest"
)

// foreign tells whether a page of another origin makes a browser ask. CrossOriginProtection lets every GET through, and
// these GETs change something.
func foreign(r *http.Request) bool {
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site == "cross-site" || site == "same-site" {
			return true
		}
	}
	return false
}

// login signs in with a header, never with a cookie alone, and begins a session in the place of the one there was.
func (f *Facade) login(w http.ResponseWriter, r *http.Request) {
	if foreign(r) {
		rest.Refuse(w, http.StatusForbidden)
		return
	}
	who, ok := f.gate.Look(w, r)
	if !ok {
		return
	}
	if who.How == credential.BySession {
		f.gate.Fail(w, r, credential.Refuse("login with a cookie alone"))
		return
	}
	if f.gate.Renew(w, r, &who) {
		f.describe(w, r, &who)
	}
}

// logout ends the session, and answers 401 with or without one: that is how browsers forget what they were told.
func (f *Facade) logout(w http.ResponseWriter, r *http.Request) {
	if foreign(r) {
		rest.Refuse(w, http.StatusForbidden)
		return
	}
	if f.gate.Leave(w, r) {
		rest.Refuse(w, http.StatusUnauthorized)
	}
}

// ping answers a bare JSON string of six octets: clients deserialise it and call the server invalid otherwise.
func (f *Facade) ping(w http.ResponseWriter, r *http.Request) {
	if _, ok := f.gate.Enter(w, r); ok {
		rest.Answer(w, http.StatusOK, "pong")
	}
}

// nothing is below the prefix: who is not signed in learns not even that.
func (f *Facade) nothing(w http.ResponseWriter, r *http.Request) {
	if _, ok := f.gate.Enter(w, r); ok {
		rest.Refuse(w, http.StatusNotFound)
	}
}
