package assets

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// userView is a user as this API shows him. These members and no others.
type userView struct {
	XMLName   struct{}        `json:"-"         xml:"user"`
	ID        idbridge.UserID `json:"id"        xml:"id"`
	Name      string          `json:"name"      xml:"name"`
	FullName  string          `json:"fullName"  xml:"fullName"`
	Superuser bool            `json:"superuser" xml:"superuser"`
}

// keyView is what may be known about a key. What is null in JSON has no element in XML.
type keyView struct {
	XMLName  struct{}       `json:"-"        xml:"apikey"`
	Name     string         `json:"name"     xml:"name"`
	ID       idbridge.KeyID `json:"id"       xml:"id"`
	Enabled  bool           `json:"enabled"  xml:"enabled"`
	Created  *string        `json:"created"  xml:"created"`
	Expires  *string        `json:"expires"  xml:"expires"`
	LastUsed *string        `json:"lastUsed" xml:"lastUsed"`
}

// newKeyView is the one answer that holds a key.
type newKeyView struct {
	XMLName struct{} `json:"-"       xml:"apikey"`
	Name    string   `json:"name"    xml:"name"`
	APIKey  string   `json:"apikey"  xml:"apikey"`
	Enabled bool     `json:"enabled" xml:"enabled"`
}

// errorView is an error.
type errorView struct {
	XMLName struct{} `json:"-"       xml:"error"`
	Code    string   `json:"error"   xml:"code"`
	Message string   `json:"message" xml:"message"`
}

// superuser tells whether one of the grants makes its user an administrator.
func superuser(grants []idbridge.Grant) bool {
	for i := range grants {
		if grants[i].Role == idbridge.Admin && grants[i].Application == "" {
			return true
		}
	}
	return false
}

func viewUser(u *idbridge.User, grants []idbridge.Grant) *userView {
	return &userView{ID: u.ID, Name: u.UserName(), FullName: u.Profile[idbridge.DisplayName].First(), Superuser: superuser(grants)}
}

func viewKey(name string, k *idbridge.Key) *keyView {
	return &keyView{
		Name: name, ID: k.ID, Enabled: k.Enabled, Created: moment(k.Created), Expires: moment(k.Expires), LastUsed: moment(k.LastUsed),
	}
}

func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339)
	return &s
}

const indent = "  "

// marshal writes one value in the format.
func (f format) marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	if !f.xml {
		e := json.NewEncoder(&b)
		if f.pretty {
			e.SetIndent("", indent)
		}
		err := e.Encode(v)
		return b.Bytes(), err
	}
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	if f.pretty {
		e.Indent("", indent)
	}
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write XML: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// answer writes a value as the whole answer.
func (x *exchange) answer(status int, v any) error {
	body, err := x.format.marshal(v)
	if err != nil {
		return err
	}
	x.head(status)
	_, _ = x.w.Write(body) // a client that went away
	return nil
}

// head writes status and the headers that all answers of this API have.
func (x *exchange) head(status int) {
	h := x.w.Header()
	h.Set("Content-Type", x.format.mediaType())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	x.w.WriteHeader(status)
}

// fail writes an error.
func (x *exchange) fail(err error) {
	p := problem.From(err)
	if p.Status == http.StatusUnprocessableEntity { // what the store refuses: this API has one status for it
		p = malformed(p.Detail).Because(err)
	}
	h := x.w.Header()
	for name, values := range p.GetHeaders() {
		h[name] = values
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="idbridge", Basic realm="idbridge"`)
	}
	message := p.Detail
	if message == "" {
		message = p.Title
	}
	if p.Status >= http.StatusInternalServerError {
		x.f.config.Log.LogAttrs(x.ctx(), slog.LevelWarn, "assets cannot answer", slog.Int("status", p.Status), slog.Any("cause", p.Cause),
			slog.String("request", h.Get("X-Request-Id")))
	}
	if err := x.answer(p.Status, &errorView{Code: code(p), Message: message}); err != nil {
		x.f.config.Log.LogAttrs(x.ctx(), slog.LevelError, "error not written", slog.Any("cause", err))
	}
}

// errNoKey says that a user has no key.
func errNoKey() error {
	p := problem.New(problem.NotFound, "The user has no API key.")
	p.Code = "no_key"
	return p
}

// code is this API's word for a problem.
func code(p *problem.Problem) string {
	switch p.Code {
	case "no_key":
		return "no_key"
	case problem.ProfileIncomplete:
		return "profile_incomplete"
	case problem.OwnedByDirectory:
		return "owned_by_directory"
	case problem.LastAdmin:
		return "last_superuser"
	}
	switch p.Status {
	case http.StatusUnauthorized:
		return "unauthorized"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusNotFound:
		return "not_found"
	case http.StatusMethodNotAllowed:
		return "method_not_allowed"
	case http.StatusNotAcceptable:
		return "not_acceptable"
	case http.StatusConflict:
		return "conflict"
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType:
		return "unsupported_media_type"
	case http.StatusTooManyRequests:
		return "too_many_requests"
	case http.StatusInternalServerError:
		return "internal"
	}
	if p.Status > http.StatusInternalServerError {
		return "unavailable"
	}
	return "bad_request"
}

// statusProblem is the problem for a status that the router decided on.
func statusProblem(status int) *problem.Problem {
	p := problem.New(problem.OfStatus(status), "")
	p.Status = status
	return p
}
