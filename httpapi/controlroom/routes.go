package controlroom

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// session is what login and refresh answer.
type session struct {
	Token string    `json:"token"`
	User  *userView `json:"user"`
}

type validity struct {
	Valid bool `json:"valid"`
}

// login makes a session and its first token. Whatever is wrong with name and credential, there is one answer.
func (f *Facade) login(w http.ResponseWriter, r *http.Request) error {
	l, err := readLogin(w, r)
	if err != nil {
		return err
	}
	from := f.config.Resolver.Address(r)
	var who credential.Caller
	if l.key.IsEmpty() {
		who.How = credential.ByPassword
		who.Access, err = f.config.Resolver.Login(r.Context(), l.name, l.password, from)
	} else {
		who, err = f.byKey(r, &l, from)
	}
	if err != nil {
		return as(badLogin, err)
	}
	one, _, err := f.config.Resolver.Start(r, &who, credential.ControlSessions, l.key.IsEmpty() && !l.multiple)
	if err != nil {
		return as(badLogin, err)
	}
	return f.grant(w, r, &who, one.ID)
}

// byKey proves a key in any rendering, that it is the named user's, and that he may make keys at this moment.
func (f *Facade) byKey(r *http.Request, l *login, from netip.Addr) (credential.Caller, error) {
	carrier := r.Clone(r.Context())
	carrier.Header = http.Header{"X-Api-Key": {l.key.Reveal()}}
	who, err := f.config.Resolver.ResolveAt(carrier, &credential.Surface{Name: "controlroom", Key: true}, from, f.config.Now())
	if err != nil {
		return who, err
	}
	links, err := f.config.Store.Links(r.Context(), who.User())
	if err != nil {
		return who, err
	}
	if !f.named(l.name, who.Name(), links) {
		return who, refuse(badLogin, &credential.Refusal{Action: credential.RefusedSignIn, Why: "key of another user", User: who.User(), Key: who.Key})
	}
	if !slices.ContainsFunc(f.config.Roles[keysGenerate], who.Has) {
		return who, refuse(badLogin, &credential.Refusal{
			Action: credential.RefusedSignIn, Why: "user has not the permission " + keysGenerate, User: who.User(), Key: who.Key,
		})
	}
	return who, nil
}

// named tells whether a name that was typed means the user: his own whatever its case, or with one of his directories.
func (f *Facade) named(typed, name string, links []idbridge.Link) bool {
	same := func(s string) bool { return idbridge.CaseIgnore.Normal(s) == idbridge.CaseIgnore.Normal(name) }
	if same(typed) {
		return true
	}
	of := func(domain string) bool {
		return slices.ContainsFunc(f.config.Directories, func(d string) bool {
			return strings.EqualFold(d, domain) && slices.ContainsFunc(links, func(l idbridge.Link) bool { return l.ID.Directory == d })
		})
	}
	if domain, user, ok := strings.Cut(typed, `\`); ok && same(user) && of(domain) {
		return true
	}
	at := strings.LastIndexByte(typed, '@')
	return at > 0 && same(typed[:at]) && of(typed[at+1:])
}

// grant answers with a fresh token of a session.
func (f *Facade) grant(w http.ResponseWriter, r *http.Request, who *credential.Caller, id int64) error {
	v, err := f.user(r.Context(), who)
	if err != nil {
		return err
	}
	token, err := f.config.Tokens.Mint(r.Context(), who.User(), id)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, &session{Token: token.Reveal(), User: v})
}

// validate tells whether a token is good, and answers 200 for one that is not, too.
func (f *Facade) validate(w http.ResponseWriter, r *http.Request) error {
	token, err := readToken(r, true, nil)
	if err != nil {
		return err
	}
	if token == "" {
		return refuse(badToken, &credential.Refusal{Action: credential.RefusedSignIn, Why: "no token"})
	}
	_, err = f.config.Resolver.Token(r.Context(), token, f.config.Resolver.Address(r), f.config.Now())
	if err != nil && problem.From(err).Status != http.StatusUnauthorized {
		return err
	}
	return answer(w, http.StatusOK, &validity{err == nil})
}

// refresh answers with another token of the same session. The presented one stays good until it expires: clients use this to
// find out whether it lives, and go on with it.
func (f *Facade) refresh(w http.ResponseWriter, r *http.Request) error {
	data, err := body(w, r)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		if err := typed(r); err != nil {
			return err
		}
	}
	who, err := f.bearer(r, data)
	if err != nil {
		return err
	}
	return f.grant(w, r, &who, who.Session.ID)
}

// logout ends the session of a token, and with it all its tokens. Other sessions live on. A body means nothing.
func (f *Facade) logout(w http.ResponseWriter, r *http.Request) error {
	who, err := f.bearer(r, nil)
	if err != nil {
		return err
	}
	err = f.config.Store.EndSession(r.Context(), who.Session.ID, who.Name(), idbridge.EndedByLogout)
	if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// bearer proves the one token of a request. Errors: 400, 401 UM1117 and UM1114, 503.
func (f *Facade) bearer(r *http.Request, data []byte) (credential.Caller, error) {
	token, err := readToken(r, false, data)
	if err != nil {
		return credential.Caller{}, err
	}
	if token == "" {
		return credential.Caller{}, refuse(badToken, &credential.Refusal{Action: credential.RefusedSignIn, Why: "no token"})
	}
	who, err := f.config.Resolver.Token(r.Context(), token, f.config.Resolver.Address(r), f.config.Now())
	if err != nil {
		return who, as(badToken, err)
	}
	return who, nil
}

// variables returns the values of a variable of a raw query. Errors: 400 when it cannot be read, or the variable comes twice.
func variables(raw, key string) ([]string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil || len(values[key]) > 1 {
		return nil, malformed("The query cannot be read.") // err quotes the query, which holds a token
	}
	return values[key], nil
}
