package assets

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// key shows, makes or switches the key of a user. create and enable change something: they are read first and strictly, so
// that whatever is not documented does nothing at all.
func (f *Facade) key(x *exchange) error {
	create, err := x.query.flag("create", "true")
	if err != nil {
		return err
	}
	enable, err := x.query.flag("enable", "true", "false")
	if err != nil {
		return err
	}
	name := x.r.PathValue("name")
	if create == "" && enable == "" {
		return x.showKey(name)
	}
	if err := guard(x.r); err != nil {
		return err
	}
	u, err := x.named(name, keysAdmin)
	if err != nil {
		return err
	}
	if create != "" {
		return x.create(&u, enable)
	}
	if err := x.ownWhole(keysAdmin); err != nil {
		return err
	}
	k, err := x.primary(&u)
	if err != nil {
		return err
	}
	if err := f.config.Store.SetKeyEnabled(x.ctx(), k.ID, enable == "true", x.by()); err != nil {
		return raced(err)
	}
	k.Enabled = enable == "true"
	return x.answer(http.StatusOK, viewKey(u.UserName(), &k))
}

func (x *exchange) showKey(name string) error {
	u, err := x.named(name, usersRead)
	if err != nil {
		return err
	}
	k, err := x.primary(&u)
	if err != nil {
		return err
	}
	return x.answer(http.StatusOK, viewKey(u.UserName(), &k))
}

// ownWhole lets a superuser pass, and who acts on himself with all his rights.
func (x *exchange) ownWhole(permission string) error {
	if x.superuser(permission) {
		return nil
	}
	return x.whole()
}

// primary returns the one key of a user that was neither revoked nor replaced. Error: 404 no_key.
func (x *exchange) primary(u *idbridge.User) (idbridge.Key, error) {
	all, err := x.f.config.Store.Keys(x.ctx(), u.ID)
	if err != nil {
		return idbridge.Key{}, err
	}
	for i := range all {
		if k := &all[i]; k.Slot == idbridge.PrimarySlot && k.Revoked.IsZero() && k.ReplacedBy == "" {
			return *k, nil
		}
	}
	return idbridge.Key{}, errNoKey()
}

// create makes a key and shows it once. The one before it dies in the same transaction. Here, and nowhere else, a key may
// make a key: the documented calls do exactly that.
func (x *exchange) create(u *idbridge.User, enable string) error {
	if !x.superuser(keysAdmin) && !x.may(keysGenerate) {
		return problem.New(problem.Forbidden, "This needs the permission to make keys.")
	}
	if err := x.complete(u); err != nil {
		return err
	}
	text, k, err := x.draw(u)
	if err != nil {
		return err
	}
	on := enable == "true" || enable == "" && !x.f.config.NewKeyDisabled
	if !on { // nobody knows the key yet: until it is answered it cannot be used
		if err := x.f.config.Store.SetKeyEnabled(x.ctx(), k.ID, false, x.by()); err != nil {
			ctx := context.WithoutCancel(x.ctx())
			return errors.Join(raced(err), x.f.config.Store.RevokeKey(ctx, k.ID, x.by(), "could not be disabled"))
		}
	}
	return x.answer(http.StatusOK, &newKeyView{Name: u.UserName(), APIKey: text.Native(), Enabled: on})
}

// complete refuses a key for a person whose profile lacks what the rule asks for. Services are exempt, and so are users
// without a directory when a superuser asks: nobody can fill in their given name and e-mail here.
func (x *exchange) complete(u *idbridge.User) error {
	if u.Kind == idbridge.Service {
		return nil
	}
	var gaps []string
	for _, a := range [...]idbridge.Attribute{idbridge.GivenName, idbridge.FamilyName, idbridge.Email} {
		if strings.TrimSpace(u.Profile[a].First()) == "" {
			gaps = append(gaps, string(a))
		}
	}
	if len(gaps) == 0 {
		return nil
	}
	if x.superuser(keysAdmin) {
		links, err := x.f.config.Store.Links(x.ctx(), u.ID)
		if err != nil || len(links) == 0 {
			return err
		}
	}
	return problem.New(problem.ProfileIncomplete, "Fill in first: "+strings.Join(gaps, ", ")+".")
}

// draw draws until the store takes the id: 62⁸ ids make a second draw a rarity, and a third one a fault.
func (x *exchange) draw(u *idbridge.User) (idbridge.KeyText, idbridge.Key, error) {
	scopes := []string{credential.AllScopes}
	if x.who.Key != "" {
		scopes = x.who.Scopes // never more than its maker's
	}
	var last error
	for range 3 {
		text, err := idbridge.NewKeyText(x.f.config.Random)
		if err != nil {
			return text, idbridge.Key{}, fmt.Errorf("make a key: %w", err)
		}
		k, err := x.f.config.Store.CreateKey(x.ctx(), idbridge.Key{
			ID: text.ID(), User: u.ID, Slot: idbridge.PrimarySlot, Digest: text.Digest(), Enabled: true, Created: x.f.config.Now(),
			CreatedBy: x.by(), Scopes: scopes,
		}, x.by())
		if err == nil || idbridge.KindOf(err) != idbridge.Exists {
			return text, k, err
		}
		last = err
	}
	return idbridge.KeyText{}, idbridge.Key{}, fmt.Errorf("make a key: %w", last)
}

// removeKey ends the key of a user.
func (f *Facade) removeKey(x *exchange) error {
	u, err := x.named(x.r.PathValue("name"), keysAdmin)
	if err != nil {
		return err
	}
	if err := x.ownWhole(keysAdmin); err != nil {
		return err
	}
	k, err := x.primary(&u)
	if err != nil {
		return err
	}
	if err := f.config.Store.RevokeKey(x.ctx(), k.ID, x.by(), "deleted"); err != nil {
		return raced(err)
	}
	return x.nothing()
}

// raced says no_key when the key went away between looking and acting.
func raced(err error) error {
	if k := idbridge.KindOf(err); err != nil && (k == idbridge.NotFound || k == idbridge.Conflicting) {
		return errNoKey()
	}
	return err
}
