package authstore

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/idbridge/idbridge"
)

// grantRow names a grant in the table.
type grantRow struct {
	user        idbridge.UserID
	role        idbridge.Role
	application string
	directory   string
	group       string
}

// grantMove is what a commit does to one grant in the end: a member whose roles change leaves and joins in one decision.
type grantMove struct {
	given bool
	name  string // of the group
	why   string
}

// applyGroup notes the memberships of a decision about a group, and the grants that come and go with them. A member who is
// not linked keeps his membership; inherit gives him the grants when he is.
func (c *commit) applyGroup(d *idbridge.Decision) error {
	for k := range d.Steps {
		step := &d.Steps[k]
		group := step.Group
		if group == (idbridge.ExternalID{}) {
			group = d.ID
		}
		switch step.Verb {
		case idbridge.Join:
			c.w.joins.add(group.Directory, pack(group.ID), pack(step.ID.ID))
			c.w.gives[group] = step.Grants
		case idbridge.Leave:
			c.w.leaves.add(group.Directory, pack(group.ID), pack(step.ID.ID))
		case idbridge.Create, idbridge.Linking, idbridge.Update, idbridge.Suspend, idbridge.Restore, idbridge.Miss, idbridge.Purge:
			return fmt.Errorf("step %q in a decision about group %s", step.Verb, d.ID)
		}
		var user *userRecord
		if link := c.links[step.ID.ID]; link != nil {
			user = c.users[link.User]
		}
		if err := c.w.changeGroup(step, user, group); err != nil {
			return err
		}
		if user == nil {
			continue
		}
		for _, g := range step.Grants {
			name := g.GroupName
			if name == "" {
				name = d.Name
			}
			c.grant(user, g, group, grantMove{given: step.Verb == idbridge.Join, name: name, why: step.Why})
		}
	}
	c.describeGroup(d)
	return nil
}

// describeGroup notes the group's row. The name must be known as soon as there are members; a group that is gone with all
// its members loses its row.
func (c *commit) describeGroup(d *idbridge.Decision) {
	switch g := d.Group; {
	case g == nil:
		c.w.groupsNew.add(d.ID.Directory, pack(d.ID.ID), pack(d.Name), make([]byte, len(idbridge.Digest{})), int64(0))
	case g.Digest.IsZero() && g.Members == 0:
		c.w.groupsGone.add(d.ID.Directory, pack(d.ID.ID))
	default:
		digest := g.Digest
		c.w.groups.add(d.ID.Directory, pack(d.ID.ID), pack(g.Name), digest[:], int64(g.Members))
	}
}

func (c *commit) grant(user *userRecord, g idbridge.Grant, group idbridge.ExternalID, m grantMove) {
	c.w.grants[grantRow{user.ID, g.Role, g.Application, group.Directory, group.ID}] = m
}

// writeGrants writes the grants that differ from what is there, each with its audit row.
func (c *commit) writeGrants(ctx context.Context) error {
	if len(c.w.grants) == 0 {
		return nil
	}
	there, err := c.grantsThere(ctx)
	if err != nil {
		return err
	}
	come := newBatch(insertRows, "grants", grantKey, grantRest)
	gone := newBatch(deleteRows, "grants", grantKey, "")
	rows := slices.SortedFunc(maps.Keys(c.w.grants), func(x, y grantRow) int {
		return cmp.Or(cmp.Compare(x.user, y.user), cmp.Compare(x.role, y.role), cmp.Compare(x.application, y.application),
			cmp.Compare(x.group, y.group))
	})
	for _, g := range rows {
		m := c.w.grants[g]
		user := c.users[g.user]
		if m.given == there[g] || user.gone {
			continue
		}
		action, kind := "revoke", idbridge.MoveRevoke
		if m.given {
			action, kind = "grant", idbridge.MoveGrant
			come.add(int64(g.user), string(g.role), g.application, g.directory, pack(g.group), pack(m.name), "", c.t.now)
		} else {
			gone.add(int64(g.user), string(g.role), g.application, g.directory, pack(g.group))
		}
		c.t.note(c.auditRow(action, user, roleText(g.role, g.application)+" by group "+m.name))
		c.t.move(idbridge.Move{Kind: kind, User: g.user, Role: g.role, Application: g.application})
		c.t.touched.users = append(c.t.touched.users, g.user)
		c.t.changed = true
	}
	return c.t.flush(ctx, gone, come)
}

// grantsThere returns which of the directory's grants the users of this commit have.
func (c *commit) grantsThere(ctx context.Context) (map[grantRow]bool, error) {
	users := map[idbridge.UserID]struct{}{}
	for g := range c.w.grants {
		users[g.user] = struct{}{}
	}
	rows, err := c.t.QueryContext(ctx, `SELECT user_id, role, application, group_id FROM grants WHERE directory = $1 AND `+
		c.s.among("user_id", 2), c.lead.Directory, numbers(c.s, slices.Collect(maps.Keys(users))))
	found, err := collect(rows, err, func(r *sql.Rows) (g grantRow, err error) {
		err = r.Scan(&g.user, &g.role, &g.application, &g.group)
		g.directory, g.group = c.lead.Directory, unpack(g.group)
		return g, err
	})
	if err != nil {
		return nil, fmt.Errorf("read grants: %w", err)
	}
	there := make(map[grantRow]bool, len(found))
	for _, g := range found {
		there[g] = true
	}
	return there, nil
}

// groupRoles makes the table say what each group of this commit gives.
func (c *commit) groupRoles(ctx context.Context) error {
	if len(c.w.gives) == 0 {
		return nil
	}
	gone := newBatch(deleteRows, "group_role", "directory group_id", "")
	come := newBatch(addRows, "group_role", "directory group_id role application", "")
	for group, grants := range c.w.gives {
		gone.add(group.Directory, pack(group.ID))
		for _, g := range grants {
			come.add(group.Directory, pack(group.ID), string(g.Role), g.Application)
		}
	}
	return c.t.flush(ctx, gone, come)
}

// inherit gives the users of links made in this commit the grants that their memberships bring.
func (c *commit) inherit(ctx context.Context) error {
	if len(c.w.linked) == 0 {
		return nil
	}
	var some int
	found, err := one(c.t.QueryRowContext(ctx, `SELECT 1 FROM group_role LIMIT 1`), &some)
	if err != nil || !found { // a first import: groups come after people
		return err
	}
	ids := make([]string, len(c.w.linked))
	for i, id := range c.w.linked {
		ids[i] = pack(id)
	}
	rows, err := c.t.QueryContext(ctx, `SELECT m.member, m.group_id, r.role, r.application, COALESCE(g.name, '') FROM membership m
		JOIN group_role r ON r.directory = m.directory AND r.group_id = m.group_id
		LEFT JOIN directory_group g ON g.directory = m.directory AND g.id = m.group_id
		WHERE m.directory = $1 AND `+c.s.among("m.member", 2), c.lead.Directory, c.s.texts(ids))
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var member, group, name string
		var g idbridge.Grant
		if err := r.Scan(&member, &group, &g.Role, &g.Application, &name); err != nil {
			return struct{}{}, err
		}
		if c.s.stillGiven(c.lead.Directory, &g) {
			user := c.users[c.links[unpack(member)].User]
			c.grant(user, g, idbridge.ExternalID{Directory: c.lead.Directory, ID: unpack(group)}, grantMove{given: true, name: unpack(name)})
		}
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("read memberships: %w", err)
	}
	return nil
}

// stillGiven tells whether any rule of the config gives a role to members of the directory's groups.
func (s *Store) stillGiven(directory string, g *idbridge.Grant) bool {
	return s.rules == nil || slices.ContainsFunc(s.rules, func(r idbridge.RoleRule) bool {
		return r.Directory == directory && r.Role == g.Role && r.Application == g.Application
	})
}
