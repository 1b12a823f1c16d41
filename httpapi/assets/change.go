package assets

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// change is what a body asks for, checked and ready to be done.
type change struct {
	fullName  *string
	phc       idbridge.Secret // of a new password
	superuser *bool
	roles     *[]grant
}

// check refuses a change that cannot be done, before any part of it is.
func (x *exchange) check(d *details) (change, error) {
	c := change{fullName: d.fullName, superuser: d.superuser}
	if (d.superuser != nil || d.roles != nil) && !x.superuser(usersAdmin) {
		return c, problem.New(problem.Forbidden, "Only a superuser may give superuser and roles.")
	}
	if d.fullName != nil {
		if err := fullName(*d.fullName); err != nil {
			return c, err
		}
	}
	if d.roles != nil {
		known, err := x.known(*d.roles)
		if err != nil {
			return c, err
		}
		c.roles = &known
	}
	if d.password == nil {
		return c, nil
	}
	if err := password(*d.password); err != nil {
		return c, err
	}
	var err error
	c.phc, err = x.f.config.Hasher.Hash(x.ctx(), idbridge.NewSecret(*d.password))
	return c, err
}

// known returns the roles in the store's spelling. Error: 400 for a role or an organization that nobody knows.
func (x *exchange) known(asked []grant) ([]grant, error) {
	roles := append([]idbridge.Role{idbridge.SuperConsumer, idbridge.APIKeyGeneration}, x.f.config.KnownRoles...)
	if len(asked) > 0 {
		held, err := x.f.config.Store.Roles(x.ctx())
		if err != nil {
			return nil, err
		}
		for i := range held {
			roles = append(roles, held[i].Role)
		}
	}
	out := make([]grant, 0, len(asked))
	for _, g := range asked {
		switch {
		case g.role == idbridge.Admin && g.application == "":
			return nil, malformed("superuser gives ADMIN, not a role.")
		case !slices.Contains(roles, g.role):
			return nil, malformed("One of the roles is unknown.")
		}
		if g.application != "" {
			a, err := x.f.config.Store.Application(x.ctx(), g.application)
			switch {
			case err != nil && idbridge.KindOf(err) == idbridge.NotFound:
				return nil, malformed("One of the organizations is unknown.")
			case err != nil:
				return nil, err
			}
			g.application = a.Name
		}
		if !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out, nil
}

// add makes a user. What cannot be done leaves nobody behind.
func (f *Facade) add(x *exchange) error {
	if !x.superuser(usersAdmin) {
		return problem.New(problem.Forbidden, "Only a superuser may do this.")
	}
	d, err := x.details("addUser_request")
	if err != nil {
		return err
	}
	name, err := newName(d.name)
	if err != nil {
		return err
	}
	c, err := x.check(&d)
	if err != nil {
		return err
	}
	profile := idbridge.Profile{idbridge.UserName: {name}}
	if c.fullName != nil && *c.fullName != "" {
		profile[idbridge.DisplayName] = idbridge.Values{*c.fullName}
	}
	u, err := f.config.Store.AddUser(x.ctx(), idbridge.NewUser{Kind: idbridge.Person, Profile: profile, By: x.by()})
	switch idbridge.KindOf(err) {
	case idbridge.Exists:
		return problem.New(problem.Exists, "There is a user with this name.").Because(err)
	case idbridge.Invalid:
		return malformed("The user cannot be kept.").Because(err)
	default:
	}
	if err != nil {
		return err
	}
	c.fullName = nil
	if err := x.apply(&u, &c, nil); err != nil {
		ctx := context.WithoutCancel(x.ctx())
		return errors.Join(err, f.config.Store.DeleteUser(ctx, u.ID, x.by()))
	}
	x.w.Header().Set("Location", Base+"/user/"+url.PathEscape(u.UserName()))
	return x.user(http.StatusCreated, &u)
}

// update changes a user: what the body does not name stays as it is.
func (f *Facade) update(x *exchange) error {
	d, err := x.details("updateUser_request")
	if err != nil {
		return err
	}
	u, err := x.named(d.name, usersAdmin)
	if err != nil {
		return err
	}
	if !x.superuser(usersAdmin) {
		if err := x.whole(); err != nil {
			return err
		}
	}
	c, err := x.check(&d)
	if err != nil {
		return err
	}
	if err := x.owned(&u, &c); err != nil {
		return err
	}
	held, err := f.config.Store.Grants(x.ctx(), u.ID)
	if err != nil {
		return err
	}
	if err := x.apply(&u, &c, held); err != nil {
		return err
	}
	return x.user(http.StatusOK, &u)
}

// owned refuses a change of what a directory owns: a full name that it does not take back, and a password that it checks.
func (x *exchange) owned(u *idbridge.User, c *change) error {
	named := c.fullName != nil && *c.fullName != u.Profile[idbridge.DisplayName].First()
	if !named && c.phc.IsEmpty() {
		return nil
	}
	links, err := x.f.config.Store.Links(x.ctx(), u.ID)
	if err != nil {
		return err
	}
	for i := range links {
		if !c.phc.IsEmpty() {
			return problem.New(problem.OwnedByDirectory, "A directory keeps this user's password.")
		}
		if slices.Contains(x.f.config.Owned[links[i].ID.Directory], idbridge.DisplayName) {
			return problem.New(problem.OwnedByDirectory, "A directory owns this user's full name.")
		}
	}
	return nil
}

// apply does a change, what may be refused first. held is what the user has; after it, u is as the store has it.
func (x *exchange) apply(u *idbridge.User, c *change, held []idbridge.Grant) error {
	if err := x.applySuperuser(u, c.superuser, held); err != nil {
		return err
	}
	if c.roles != nil {
		if err := x.applyRoles(u, *c.roles, held); err != nil {
			return err
		}
	}
	if c.fullName != nil {
		set := idbridge.Profile{idbridge.DisplayName: nil}
		if *c.fullName != "" {
			set[idbridge.DisplayName] = idbridge.Values{*c.fullName}
		}
		edited, err := x.f.config.Store.EditUser(x.ctx(), idbridge.UserEdit{User: u.ID, Set: set, By: x.by()})
		if err != nil {
			return err
		}
		*u = edited
	}
	if c.phc.IsEmpty() {
		return nil
	}
	return x.f.config.Store.SetPassword(x.ctx(), u.ID, c.phc, x.by())
}

func (x *exchange) applySuperuser(u *idbridge.User, on *bool, held []idbridge.Grant) error {
	switch {
	case on == nil || *on == superuser(held):
		return nil
	case *on:
		return x.f.config.Store.GrantRole(x.ctx(), u.ID, idbridge.Admin, "", x.by())
	}
	for i := range held {
		if g := &held[i]; g.Role == idbridge.Admin && g.Application == "" && !g.Manual() {
			return problem.New(problem.OwnedByDirectory, "")
		}
	}
	return gone(lastSuperuser(x.f.config.Store.RevokeRole(x.ctx(), u.ID, idbridge.Admin, "", x.by())))
}

// applyRoles replaces the roles that were given by hand; those of a directory's groups, and superuser, are not among them.
func (x *exchange) applyRoles(u *idbridge.User, want []grant, held []idbridge.Grant) error {
	var have []grant
	for i := range held {
		if g := (grant{held[i].Role, held[i].Application}); held[i].Manual() && g != (grant{role: idbridge.Admin}) {
			have = append(have, g)
		}
	}
	for _, g := range have {
		if slices.Contains(want, g) {
			continue
		}
		if err := gone(x.f.config.Store.RevokeRole(x.ctx(), u.ID, g.role, g.application, x.by())); err != nil {
			return fmt.Errorf("take a role: %w", err)
		}
	}
	for _, g := range want {
		if slices.Contains(have, g) {
			continue
		}
		if err := x.f.config.Store.GrantRole(x.ctx(), u.ID, g.role, g.application, x.by()); err != nil {
			return fmt.Errorf("give a role: %w", err)
		}
	}
	return nil
}

// gone lets pass that somebody else took the role meanwhile.
func gone(err error) error {
	if err != nil && idbridge.KindOf(err) == idbridge.NotFound {
		return nil
	}
	return err
}
