package authstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/idbridge/idbridge"
)

// applyGroup notes the memberships of a decision about a group, and the grants that come and go with them. A member who is
// not linked keeps his membership; inherit gives him the grants when he is.
func (c *commit) applyGroup(d *idbridge.Decision) error {
	if d.ID.ID != "" && d.Group == nil {
		// The name must be known as soon as there are members: a record linked meanwhile inherits by it.
		c.w.groupsNew.add(d.ID.Directory, pack(d.ID.ID), pack(d.Name), make([]byte, len(idbridge.Digest{})), int64(0))
	}
	for k := range d.Steps {
		step := &d.Steps[k]
		group := step.Group
		if group == (idbridge.ExternalID{}) {
			group = d.ID
		}
		var user *userRecord
		if link := c.links[step.ID.ID]; link != nil {
			user = c.users[link.User]
		}
		switch step.Verb {
		case idbridge.Join:
			c.w.joins.add(group.Directory, pack(group.ID), pack(step.ID.ID))
		case idbridge.Leave:
			c.w.leaves.add(group.Directory, pack(group.ID), pack(step.ID.ID))
		case idbridge.Create, idbridge.Linking, idbridge.Update, idbridge.Suspend, idbridge.Restore, idbridge.Miss, idbridge.Purge:
			return fmt.Errorf("step %q in a decision about group %s", step.Verb, d.ID)
		}
		var id idbridge.UserID
		if user != nil {
			id = user.ID
			c.grants(step, group, d.Name, user)
		}
		c.w.changeGroup(step, id, group)
	}
	if d.Group != nil {
		digest := d.Group.Digest
		c.w.groups.add(d.ID.Directory, pack(d.ID.ID), pack(d.Group.Name), digest[:], int64(d.Group.Members))
	}
	return nil
}

// grants gives or takes the grants of a membership step.
func (c *commit) grants(step *idbridge.Step, group idbridge.ExternalID, name string, user *userRecord) {
	for _, g := range step.Grants {
		if g.Directory == "" {
			g.Directory, g.Group = group.Directory, group.ID
		}
		if g.Group == "" {
			g.Group = group.ID
		}
		if g.GroupName == "" {
			g.GroupName = name
		}
		if step.Verb == idbridge.Join {
			c.give(g, user)
			continue
		}
		c.w.revokes.add(int64(user.ID), string(g.Role), g.Application, g.Directory, pack(g.Group))
		c.w.granted(user.ID)
		c.t.note(c.auditRow("revoke", user, roleText(g.Role, g.Application)+" by group "+g.GroupName))
	}
}

func (c *commit) give(g idbridge.Grant, user *userRecord) {
	c.w.gives.add(int64(user.ID), string(g.Role), g.Application, g.Directory, pack(g.Group), pack(g.GroupName), "", c.t.now)
	c.w.granted(user.ID)
	c.t.note(c.auditRow("grant", user, roleText(g.Role, g.Application)+" by group "+g.GroupName))
}

// inherit gives the users of links made in this commit the grants that their memberships and the stored rules give.
func (c *commit) inherit(ctx context.Context) error {
	if len(c.w.linked) == 0 {
		return nil
	}
	ids := make([]string, len(c.w.linked))
	for i, id := range c.w.linked {
		ids[i] = pack(id)
	}
	type membership struct{ member, group, name string }
	rows, err := c.t.QueryContext(ctx, `SELECT m.member, m.group_id, g.name FROM membership m
		JOIN directory_group g ON g.directory = m.directory AND g.id = m.group_id
		WHERE m.directory = $1 AND `+c.s.among("m.member", 2), c.lead.Directory, c.s.texts(ids))
	found, err := collect(rows, err, func(r *sql.Rows) (m membership, err error) {
		err = r.Scan(&m.member, &m.group, &m.name)
		return membership{unpack(m.member), unpack(m.group), unpack(m.name)}, err
	})
	if err != nil {
		return fmt.Errorf("read memberships: %w", err)
	}
	if len(found) == 0 {
		return nil
	}
	rules, err := c.t.roleRules(ctx, c.lead.Directory)
	if err != nil {
		return err
	}
	for _, m := range found {
		for _, rule := range rules[foldDN(m.name)] {
			rule.Directory, rule.Group, rule.GroupName = c.lead.Directory, m.group, m.name
			c.give(rule, c.users[c.links[m.member].User])
		}
	}
	return nil
}

// roleRules returns what each group of a directory gives, by its folded name.
func (t *tx) roleRules(ctx context.Context, directory string) (map[string][]idbridge.Grant, error) {
	rows, err := t.QueryContext(ctx, `SELECT group_name, role, application FROM role_rule WHERE directory = $1
		ORDER BY group_name, role, application`, directory)
	out := map[string][]idbridge.Grant{}
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var name string
		var g idbridge.Grant
		err := r.Scan(&name, &g.Role, &g.Application)
		out[unpack(name)] = append(out[unpack(name)], g)
		return struct{}{}, err //nolint:wrapcheck // named below
	})
	if err != nil {
		return nil, fmt.Errorf("read role rules: %w", err)
	}
	return out, nil
}
