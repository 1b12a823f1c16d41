package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/idbridge/idbridge"
)

func (w *world) userCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Users of the store: people and services"}
	cmd.AddCommand(w.userAdd(), w.userList(), w.userShow(), w.userSet(), w.userSuspend(true), w.userSuspend(false), w.userPassword(),
		w.userDelete(), w.userErase())
	return cmd
}

func (w *world) userAdd() *cobra.Command {
	var service bool
	cmd := &cobra.Command{
		Use:   "add NAME [ATTRIBUTE=VALUE …]",
		Short: "Make a user by hand; with --service an application, which needs no name, e-mail or directory",
		Args:  cobra.MinimumNArgs(1),
		Example: "  idbridge user add jdoe givenName=Jo familyName=Doe email=jo@example.org\n" +
			"  idbridge user add --service billing",
	}
	cmd.Flags().BoolVar(&service, "service", false, "an application: never synced, no password")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		profile, err := h.assignments(args[1:])
		if err != nil {
			return err
		}
		profile[idbridge.UserName] = idbridge.Values{args[0]}
		kind := idbridge.Person
		if service {
			kind = idbridge.Service
		}
		user, err := h.store.AddUser(ctx, idbridge.NewUser{Kind: kind, Profile: profile, By: w.who()})
		if err != nil {
			return fmt.Errorf("add user %q: %w", args[0], err)
		}
		return w.print(userView(&user), func(out io.Writer) {
			fmt.Fprintf(out, "added %s %s, id %d\n", user.Kind, user.UserName(), user.ID)
		})
	})
	return cmd
}

// assignments reads ATTRIBUTE=VALUE words. A name given twice adds a value; an empty value clears.
func (h *house) assignments(words []string) (idbridge.Profile, error) {
	p := idbridge.Profile{}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		a := idbridge.Attribute(name)
		spec, known := h.cfg.Schema[a]
		switch {
		case !ok:
			return nil, invalid(fmt.Sprintf("%q is not ATTRIBUTE=VALUE", word), "write for example email=jo@example.org")
		case a == idbridge.Active:
			return nil, invalid("active belongs to the directory", "use `idbridge user suspend` and `idbridge user resume`")
		case !known:
			return nil, invalid(fmt.Sprintf("there is no attribute %q", name), "known: "+joinAttributes(h.cfg.Schema))
		case value == "":
			p[a] = idbridge.Values{}
		case spec.Single && len(p[a]) > 0:
			return nil, invalid(name+" takes one value", "")
		default:
			p[a] = append(p[a], value)
		}
	}
	return p, nil
}

func invalid(msg, hint string) error {
	return &idbridge.Error{Kind: idbridge.Invalid, Msg: msg, Hint: hint}
}

func joinAttributes(schema idbridge.Schema) string {
	var names []string
	for _, a := range schema.Attributes() {
		if a != idbridge.Active {
			names = append(names, string(a))
		}
	}
	return strings.Join(names, ", ")
}

// find resolves a user by name or, when it is a number that is nobody's name, by id.
func (h *house) find(ctx context.Context, word string) (idbridge.User, error) {
	user, err := h.store.UserByName(ctx, word)
	if idbridge.KindOf(err) == idbridge.NotFound {
		if id, bad := strconv.ParseInt(word, 10, 64); bad == nil {
			user, err = h.store.User(ctx, idbridge.UserID(id))
		}
	}
	if err != nil {
		return idbridge.User{}, fmt.Errorf("user %q: %w", word, err)
	}
	return user, nil
}

func (w *world) userList() *cobra.Command {
	var filter idbridge.UserFilter
	cmd := &cobra.Command{Use: "list", Short: "List users", Args: cobra.NoArgs}
	cmd.Flags().StringVarP(&filter.Query, "query", "q", "", "part of a user name, display name or e-mail")
	cmd.Flags().StringVarP(&filter.Directory, "directory", "d", "", "linked to this directory")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, _ []string) error {
		filter.Limit = 500
		table := w.table("id", "kind", "userName", "displayName", "email", "access")
		for {
			users, err := h.store.Users(ctx, filter)
			if err != nil {
				return fmt.Errorf("list users: %w", err)
			}
			ids := make([]idbridge.UserID, len(users))
			for i := range users {
				ids[i] = users[i].ID
			}
			may, err := h.store.AccessOf(ctx, ids)
			if err != nil {
				return fmt.Errorf("access of %d users: %w", len(ids), err)
			}
			for i := range users {
				access := may[users[i].ID]
				table.row(users[i].ID, users[i].Kind, users[i].UserName(), users[i].Profile[idbridge.DisplayName],
					users[i].Profile[idbridge.Email], accessWord(&access))
				filter.After = users[i].ID
			}
			if len(users) < filter.Limit {
				return table.print()
			}
		}
	})
	return cmd
}

func accessWord(a *idbridge.Access) string {
	if a.May {
		return "yes"
	}
	return "no: " + a.Why
}

type shownUser struct {
	ID        idbridge.UserID   `json:"id"`
	Kind      idbridge.UserKind `json:"kind"`
	UserName  string            `json:"userName"`
	Profile   idbridge.Profile  `json:"profile"`
	Suspended bool              `json:"suspended"`
	Revision  int64             `json:"revision"`
	May       *bool             `json:"may,omitempty"`
	Why       string            `json:"why,omitempty"`
	Links     []shownLink       `json:"links,omitempty"`
	Grants    []idbridge.Grant  `json:"grants,omitempty"`
	Keys      []idbridge.Key    `json:"keys,omitempty"`
	Pending   int               `json:"pending,omitempty"`
}

type shownLink struct {
	Directory string             `json:"directory"`
	ID        string             `json:"id"`
	Locator   string             `json:"locator"`
	State     idbridge.LinkState `json:"state"`
	Base      idbridge.Profile   `json:"base"`
}

func userView(u *idbridge.User) shownUser {
	return shownUser{ID: u.ID, Kind: u.Kind, UserName: u.UserName(), Profile: u.Profile, Suspended: u.Suspended, Revision: u.Revision}
}

func (w *world) userShow() *cobra.Command {
	return &cobra.Command{
		Use: "show USER", Short: "Show one user: profile, links, roles and where they come from, keys", Args: cobra.ExactArgs(1),
		RunE: w.inHouse(func(ctx context.Context, h *house, args []string) error {
			view, err := h.wholeUser(ctx, args[0])
			if err != nil {
				return err
			}
			return w.print(view, func(out io.Writer) { writeUser(out, view) })
		}),
	}
}

func (h *house) wholeUser(ctx context.Context, word string) (shownUser, error) {
	user, err := h.find(ctx, word)
	if err != nil {
		return shownUser{}, err
	}
	view := userView(&user)
	access, err := h.store.Access(ctx, user.ID)
	if err != nil {
		return view, fmt.Errorf("access of %q: %w", word, err)
	}
	view.May, view.Why = &access.May, access.Why
	links, err := h.store.Links(ctx, user.ID)
	if err != nil {
		return view, fmt.Errorf("links of %q: %w", word, err)
	}
	for i := range links {
		view.Links = append(view.Links, shownLink{links[i].ID.Directory, links[i].ID.ID, links[i].Locator, links[i].State, links[i].Base})
	}
	if view.Grants, err = h.store.Grants(ctx, user.ID); err != nil {
		return view, fmt.Errorf("grants of %q: %w", word, err)
	}
	if view.Keys, err = h.store.Keys(ctx, user.ID); err != nil {
		return view, fmt.Errorf("keys of %q: %w", word, err)
	}
	pending, err := h.store.Pending(ctx, user.ID)
	view.Pending = len(pending)
	return view, err
}

func writeUser(out io.Writer, v shownUser) {
	access := "may act"
	if v.May != nil && !*v.May {
		access = "refused: " + v.Why
	}
	fmt.Fprintf(out, "%s %s, id %d, %s\n", v.Kind, v.UserName, v.ID, access)
	for _, a := range v.Profile.Attributes() {
		fmt.Fprintf(out, "  %-14s %s\n", a, v.Profile[a])
	}
	for _, l := range v.Links {
		fmt.Fprintf(out, "  linked         %s  %s  {%s}  %s\n", l.Directory, l.Locator, l.ID, l.State)
	}
	for i := range v.Grants {
		fmt.Fprintf(out, "  role           %s\n", grantText(&v.Grants[i]))
	}
	for i := range v.Keys {
		fmt.Fprintf(out, "  key            %s  %s  since %s\n", v.Keys[i].ID, keyWord(&v.Keys[i]), day(v.Keys[i].Created))
	}
	if v.Pending > 0 {
		fmt.Fprintf(out, "  %d edits are on their way to the directory\n", v.Pending)
	}
}

func (w *world) userSet() *cobra.Command {
	return &cobra.Command{
		Use: "set USER ATTRIBUTE=VALUE …", Short: "Edit a user; the edit travels to the directory where its flow allows", Args: cobra.MinimumNArgs(2),
		RunE: w.inHouse(func(ctx context.Context, h *house, args []string) error {
			set, err := h.assignments(args[1:])
			if err != nil {
				return err
			}
			user, err := h.find(ctx, args[0])
			if err != nil {
				return err
			}
			user, err = h.store.EditUser(ctx, idbridge.UserEdit{User: user.ID, Set: set, By: w.who()})
			if err != nil {
				return fmt.Errorf("edit user %q: %w", args[0], err)
			}
			h.wake()
			pending, err := h.store.Pending(ctx, user.ID)
			if err != nil {
				return fmt.Errorf("edits of %q: %w", args[0], err)
			}
			return w.print(userView(&user), func(out io.Writer) {
				fmt.Fprintf(out, "kept in the store\n")
				if len(pending) > 0 {
					fmt.Fprintln(out, "on its way to the directory: with the daemon within seconds, otherwise with the next run")
				}
			})
		}),
	}
}

func (w *world) userSuspend(on bool) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "resume USER", Short: "Lift an administrator's suspension", Args: cobra.ExactArgs(1)}
	done := "resumed"
	if on {
		cmd.Use, cmd.Short, done = "suspend USER", "Refuse a user everything from the next request on; no run lifts it", "suspended"
	}
	cmd.Flags().StringVar(&reason, "reason", "", "kept in the audit")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		user, err := h.find(ctx, args[0])
		if err != nil {
			return err
		}
		if err := h.store.SetSuspended(ctx, user.ID, on, w.who(), reason); err != nil {
			return fmt.Errorf("%s: %w", cmd.Use, err)
		}
		return w.print(map[string]any{"id": user.ID, "suspended": on}, func(out io.Writer) { fmt.Fprintln(out, done, user.UserName()) })
	})
	return cmd
}

func (w *world) userDelete() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete USER", Args: cobra.ExactArgs(1),
		Short: "Delete a user of the store for good, with keys and roles; a run does not make him again",
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really")
	cmd.RunE = w.inHouse(func(ctx context.Context, h *house, args []string) error {
		user, err := h.find(ctx, args[0])
		if err != nil {
			return err
		}
		if !yes {
			return needed("delete " + user.UserName())
		}
		if err := h.store.DeleteUser(ctx, user.ID, w.who()); err != nil {
			return fmt.Errorf("delete user %q: %w", args[0], err)
		}
		return w.print(map[string]any{"id": user.ID, "deleted": true}, func(out io.Writer) { fmt.Fprintln(out, "deleted", user.UserName()) })
	})
	return cmd
}
