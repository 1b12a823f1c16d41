package assets

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// read answers with one user. A variable apikey changes nothing about that.
func (f *Facade) read(x *exchange) error {
	u, err := x.named(x.r.PathValue("name"), usersRead)
	if err != nil {
		return err
	}
	return x.user(http.StatusOK, &u)
}

// user answers with a user as he is now.
func (x *exchange) user(status int, u *idbridge.User) error {
	held, err := x.f.config.Store.Grants(x.ctx(), u.ID)
	if err != nil {
		return err
	}
	return x.answer(status, viewUser(u, held))
}

// remove deletes a user; with the variable apikey, as the documentation prints the URL, his key and never the user. Any other
// variable but fmt is refused: a slip of the pen must not cost a user.
func (f *Facade) remove(x *exchange) error {
	for _, p := range x.query {
		switch {
		case strings.EqualFold(p.key, "apikey"):
			return f.removeKey(x)
		case p.key != "fmt":
			return malformed("The only variables here are fmt and apikey.")
		}
	}
	u, err := x.named(x.r.PathValue("name"), usersAdmin)
	if err != nil {
		return err
	}
	if !x.superuser(usersAdmin) {
		return problem.New(problem.Forbidden, "Only a superuser may do this.")
	}
	if err := f.config.Store.DeleteUser(x.ctx(), u.ID, x.by()); err != nil {
		return lastSuperuser(err)
	}
	return x.nothing()
}

// nothing answers 204.
func (x *exchange) nothing() error {
	x.w.Header().Set("Cache-Control", "no-store")
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// lastSuperuser names the only reason for which the store forbids a superuser something here.
func lastSuperuser(err error) error {
	if err != nil && idbridge.KindOf(err) == idbridge.Forbidden {
		return problem.New(problem.LastAdmin, "").Because(err)
	}
	return err
}

// batch is how many users are in memory at once.
const batch = 500

// list answers with all users by id, as they are read.
func (f *Facade) list(x *exchange) error {
	if !x.superuser(usersRead) {
		return problem.New(problem.Forbidden, "Only a superuser may do this.")
	}
	part, err := x.query.span()
	if err != nil {
		return err
	}
	page, after, err := x.skip(part.start)
	if err != nil {
		return err
	}
	out := x.listing()
	if x.r.Method == http.MethodHead {
		x.head(http.StatusOK)
		return nil
	}
	for left := part.size; ; {
		if part.size > 0 && len(page) > left {
			page = page[:left]
		}
		if err = x.show(out, page); err != nil {
			break
		}
		left -= len(page)
		if len(page) == 0 || part.size > 0 && left == 0 {
			break
		}
		if page, after, err = x.page(after); err != nil {
			break
		}
	}
	if err == nil {
		err = out.end()
	}
	if err != nil && out.begun { // the status is gone: a body that breaks off is the only way left to say so
		f.config.Log.LogAttrs(x.ctx(), slog.LevelWarn, "list broke off", slog.Any("cause", err))
		panic(http.ErrAbortHandler)
	}
	return err
}

// page reads users behind the given one.
func (x *exchange) page(after idbridge.UserID) ([]idbridge.User, idbridge.UserID, error) {
	page, err := x.f.config.Store.Users(x.ctx(), idbridge.UserFilter{After: after, Limit: batch})
	if err == nil && len(page) > 0 {
		after = page[len(page)-1].ID
	}
	return page, after, err
}

// skip passes over n users and returns what is left of the page in which that ends.
func (x *exchange) skip(n int64) ([]idbridge.User, idbridge.UserID, error) {
	var after idbridge.UserID
	for {
		page, last, err := x.page(after)
		if err != nil || len(page) == 0 {
			return nil, last, err
		}
		if int64(len(page)) > n {
			return page[n:], last, nil
		}
		n -= int64(len(page))
		after = last
	}
}

// show writes a page of users with one more query.
func (x *exchange) show(out *listing, page []idbridge.User) error {
	ids := make([]idbridge.UserID, len(page))
	for i := range page {
		ids[i] = page[i].ID
	}
	rights, err := x.f.config.Store.AccessOf(x.ctx(), ids)
	if err != nil {
		return err
	}
	for i := range page {
		if err := out.add(viewUser(&page[i], rights[page[i].ID].Grants)); err != nil {
			return err
		}
	}
	return nil
}

// listing writes a list while it is read: a bare array, or the element users.
type listing struct {
	x     *exchange
	xml   *xml.Encoder
	begun bool
	some  bool
}

func (x *exchange) listing() *listing {
	l := &listing{x: x, xml: xml.NewEncoder(x.w)}
	if x.format.pretty {
		l.xml.Indent("", indent)
	}
	return l
}

var users = xml.StartElement{Name: xml.Name{Local: "users"}} //nolint:gochecknoglobals // a constant; Go has no constant structs

// begin writes what stands before the first user.
func (l *listing) begin() error {
	if l.begun {
		return nil
	}
	l.begun = true
	l.x.head(http.StatusOK)
	if !l.x.format.xml {
		_, err := io.WriteString(l.x.w, "[")
		return err
	}
	if _, err := io.WriteString(l.x.w, xml.Header); err != nil {
		return err
	}
	return l.xml.EncodeToken(users)
}

// add writes one user.
func (l *listing) add(u *userView) error {
	if err := l.begin(); err != nil {
		return err
	}
	if l.x.format.xml {
		return l.xml.Encode(u)
	}
	var separator string
	if l.some {
		separator = ","
	}
	l.some = true
	var text []byte
	var err error
	if l.x.format.pretty {
		separator += "\n" + indent
		text, err = json.MarshalIndent(u, indent, indent)
	} else {
		text, err = json.Marshal(u)
	}
	if err != nil {
		return err
	}
	_, err = l.x.w.Write(append([]byte(separator), text...))
	return err
}

// end writes what stands behind the last user.
func (l *listing) end() error {
	if err := l.begin(); err != nil {
		return err
	}
	last := "]\n"
	switch {
	case l.x.format.xml:
		if err := l.xml.EncodeToken(users.End()); err != nil {
			return err
		}
		if err := l.xml.Flush(); err != nil {
			return err
		}
		last = "\n"
	case l.x.format.pretty && l.some:
		last = "\n]\n"
	}
	_, err := io.WriteString(l.x.w, last)
	return err
}
