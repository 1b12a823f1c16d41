package authstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
)

// claim names one unique value, normalised.
type claim struct {
	attribute idbridge.Attribute
	value     string
}

// survey is one reading of all that is known about a batch of records.
type survey struct {
	s         *Store
	q         queryer
	directory string
	ids       []string // packed, of the records
	users     map[idbridge.UserID]*idbridge.User
	links     map[idbridge.UserID][]idbridge.Link // all links of a user
	admins    map[idbridge.UserID]int             // grants of the global role ADMIN
	manual    map[idbridge.UserID]int             // grants by hand
	holders   map[claim]idbridge.UserID
}

// Subjects returns what is known about the given records, in their order, on one snapshot and in a number of queries that
// does not depend on theirs. shown has what each record shows now, nil where it is absent; or is nil altogether.
func (s *Store) Subjects(
	ctx context.Context, directory string, ids []idbridge.ExternalID, shown []idbridge.Profile,
) ([]idbridge.Subject, error) {
	if shown != nil && len(shown) != len(ids) {
		return nil, fault("read subjects", errors.New("shown and ids differ in length"))
	}
	if len(ids) == 0 {
		return nil, nil
	}
	out := make([]idbridge.Subject, len(ids))
	err := s.view(ctx, fmt.Sprintf("read subjects of %q", directory), func(q queryer) error {
		v := &survey{s: s, q: q, directory: directory, ids: make([]string, len(ids))}
		at := make(map[string]int, len(ids))
		for i, id := range ids {
			out[i] = idbridge.Subject{ID: id}
			v.ids[i] = pack(id.ID)
			at[id.ID] = i
		}
		if err := v.linked(ctx, out, at); err != nil {
			return err
		}
		if err := v.tombstones(ctx, out, at); err != nil {
			return err
		}
		if err := v.listed(ctx, out, at); err != nil {
			return err
		}
		if err := v.standing(ctx, out, at); err != nil {
			return err
		}
		if err := v.claimed(ctx, shown); err != nil {
			return err
		}
		if err := v.around(ctx); err != nil {
			return err
		}
		v.fill(out, shown)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// linked reads the records' links with their users, and the conflicts that are open on them.
func (v *survey) linked(ctx context.Context, out []idbridge.Subject, at map[string]int) error {
	v.users, v.links = map[idbridge.UserID]*idbridge.User{}, map[idbridge.UserID][]idbridge.Link{}
	rows, err := v.q.QueryContext(ctx, `SELECT `+linkColumns+`, `+userColumns+` FROM links l JOIN users u ON u.id = l.user_id
		WHERE l.directory = $1 AND `+v.s.among("l.id", 2), v.directory, v.s.texts(v.ids))
	found, err := collect(rows, err, scanLinked)
	if err != nil || len(found) == 0 {
		return err
	}
	linked := make([]string, len(found))
	for i := range found {
		f := &found[i]
		linked[i] = pack(f.link.ID.ID)
		subject := &out[at[f.link.ID.ID]]
		subject.Link = &f.link
		if v.users[f.user.ID] == nil {
			v.users[f.user.ID] = &f.user
		}
		subject.User = v.users[f.user.ID]
		v.links[f.user.ID] = append(v.links[f.user.ID], f.link) // he may hold what another record of the batch shows
	}
	conflicts, err := readConflicts(ctx, v.q, ` WHERE c.closed = 0 AND c.directory = $1 AND `+v.s.among("c.link", 2)+` ORDER BY c.id`,
		v.directory, v.s.texts(linked))
	if err != nil {
		return fmt.Errorf("conflicts: %w", err)
	}
	for _, c := range conflicts {
		subject := &out[at[c.Link.ID]]
		subject.Open = append(subject.Open, c)
	}
	return nil
}

// linkedUser is a link with its user.
type linkedUser struct {
	link idbridge.Link
	user idbridge.User
}

func scanLinked(r *sql.Rows) (linkedUser, error) {
	var l linkCells
	var u userCells
	if err := r.Scan(append(l.dest(), u.dest()...)...); err != nil {
		return linkedUser{}, err
	}
	link, err := l.link()
	if err != nil {
		return linkedUser{}, err
	}
	user, err := u.user()
	return linkedUser{link, user}, err
}

func (v *survey) tombstones(ctx context.Context, out []idbridge.Subject, at map[string]int) error {
	rows, err := v.q.QueryContext(ctx, `SELECT id FROM tombstone WHERE directory = $1 AND `+v.s.among("id", 2), v.directory, v.s.texts(v.ids))
	found, err := collect(rows, err, scanText)
	if err != nil {
		return fmt.Errorf("tombstones: %w", err)
	}
	for _, id := range found {
		out[at[unpack(id)]].Tombstone = true
	}
	return nil
}

// listed reads what is in quarantine of the records.
func (v *survey) listed(ctx context.Context, out []idbridge.Subject, at map[string]int) error {
	rows, err := v.q.QueryContext(ctx, `SELECT id, attribute, value, holder, why FROM quarantine WHERE directory = $1 AND `+v.s.among("id", 2)+`
		ORDER BY id, attribute, value`, v.directory, v.s.texts(v.ids))
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var id string
		var w idbridge.Withheld
		err := r.Scan(&id, &w.Attribute, &w.Value, &w.Holder, &w.Why)
		w.Value = unpack(w.Value)
		if i, ok := at[unpack(id)]; ok {
			out[i].Listed = append(out[i].Listed, w)
		}
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return nil
}

// claimed reads who holds the unique values that the records show.
func (v *survey) claimed(ctx context.Context, shown []idbridge.Profile) (err error) {
	wanted := map[claim]struct{}{}
	for _, p := range shown {
		for _, a := range v.s.unique {
			for _, value := range v.s.schema.Normal(a, p[a]) {
				wanted[claim{a, value}] = struct{}{}
			}
		}
	}
	v.holders, err = v.s.readHolders(ctx, v.q, wanted)
	return err
}

// readHolders returns who holds each of the values. It asks for the values whatever their attribute, in one query, and keeps
// what was wanted.
func (s *Store) readHolders(ctx context.Context, q queryer, wanted map[claim]struct{}) (map[claim]idbridge.UserID, error) {
	out := map[claim]idbridge.UserID{}
	if len(wanted) == 0 {
		return out, nil
	}
	var some bool // a first import asks for nothing but strangers
	if err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM claims)`).Scan(&some); err != nil {
		return nil, fmt.Errorf("holders: %w", err)
	}
	if !some {
		return out, nil
	}
	list := make([]string, 0, len(wanted))
	for c := range wanted {
		list = append(list, pack(c.value))
	}
	rows, err := q.QueryContext(ctx, `SELECT attribute, value, user_id FROM claims WHERE `+s.among("value", 1), s.texts(list))
	if err != nil {
		return nil, fmt.Errorf("holders: %w", err)
	}
	defer rows.Close() //nolint:errcheck // rows.Err has what matters
	for rows.Next() {
		var attribute, value string
		var id int64
		if err := rows.Scan(&attribute, &value, &id); err != nil {
			return nil, fmt.Errorf("holders: %w", err)
		}
		c := claim{idbridge.Attribute(attribute), unpack(value)}
		if _, ok := wanted[c]; ok {
			out[c] = idbridge.UserID(id)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("holders: %w", err)
	}
	return out, nil
}

// around reads the users who hold values, the links of everybody met so far, and who of them may administer.
func (v *survey) around(ctx context.Context) error {
	v.admins, v.manual = map[idbridge.UserID]int{}, map[idbridge.UserID]int{}
	met := make([]idbridge.UserID, 0, len(v.users)+len(v.holders))
	var strangers []idbridge.UserID
	for id := range v.users {
		met = append(met, id)
	}
	for _, id := range v.holders {
		if v.users[id] == nil {
			v.users[id] = &idbridge.User{ID: id}
			strangers = append(strangers, id)
			met = append(met, id)
		}
	}
	if len(met) == 0 {
		return nil
	}
	if err := v.readUsers(ctx, strangers); err != nil {
		return err
	}
	slices.Sort(met)
	// Whoever is linked to a record of the batch has his link here; of him only those elsewhere are missing.
	err := v.readLinks(ctx, ` WHERE l.directory <> $2 AND `+v.s.among("l.user_id", 1), numbers(v.s, met), v.directory)
	if err == nil && len(strangers) > 0 {
		err = v.readLinks(ctx, ` WHERE l.directory = $2 AND `+v.s.among("l.user_id", 1), numbers(v.s, strangers), v.directory)
	}
	if err != nil {
		return fmt.Errorf("links: %w", err)
	}
	return v.weights(ctx, met)
}

// weights counts the grants that weigh: the global ADMIN, from wherever, and what persons granted by hand.
func (v *survey) weights(ctx context.Context, users []idbridge.UserID) error {
	rows, err := v.q.QueryContext(ctx, `SELECT user_id, role, application, directory FROM grants
		WHERE (directory = '' OR role = 'ADMIN' AND application = '') AND `+v.s.among("user_id", 1), numbers(v.s, users))
	grants, err := collect(rows, err, func(r *sql.Rows) (g idbridge.Grant, err error) {
		err = r.Scan(&g.User, &g.Role, &g.Application, &g.Directory)
		return g, err
	})
	if err != nil {
		return fmt.Errorf("grants: %w", err)
	}
	for i := range grants {
		g := &grants[i]
		if g.Role == idbridge.Admin && g.Application == "" {
			v.admins[g.User]++
		}
		if g.Manual() {
			v.manual[g.User]++
		}
	}
	return nil
}

func (v *survey) readLinks(ctx context.Context, tail string, args ...any) error {
	links, err := readLinks(ctx, v.q, tail+` ORDER BY l.directory, l.id`, args...)
	for i := range links {
		v.links[links[i].User] = append(v.links[links[i].User], links[i])
	}
	return err
}

func (v *survey) readUsers(ctx context.Context, ids []idbridge.UserID) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := v.q.QueryContext(ctx, `SELECT `+userColumns+` FROM users u WHERE `+v.s.among("u.id", 1), numbers(v.s, ids))
	found, err := collect(rows, err, scanUser)
	if err != nil {
		return fmt.Errorf("users: %w", err)
	}
	for i := range found {
		*v.users[found[i].ID] = found[i]
	}
	return nil
}

// fill puts what was read into the subjects.
func (v *survey) fill(out []idbridge.Subject, shown []idbridge.Profile) {
	for i := range out {
		subject := &out[i]
		if subject.User != nil {
			subject.Admins, subject.Manual = v.admins[subject.User.ID], v.manual[subject.User.ID]
			subject.Privileged = subject.Admins > 0
			for _, l := range v.links[subject.User.ID] {
				if l.ID.Directory != v.directory {
					subject.Others = append(subject.Others, l)
				}
			}
		}
		if shown == nil {
			continue
		}
		for _, a := range v.s.unique {
			for _, value := range v.s.schema.Normal(a, shown[i][a]) {
				v.held(subject, claim{a, value})
			}
		}
	}
}

// held notes that another user holds a value which the subject's record shows.
func (v *survey) held(subject *idbridge.Subject, c claim) {
	id, ok := v.holders[c]
	if !ok || subject.User != nil && subject.User.ID == id {
		return
	}
	holder := idbridge.Holder{Attribute: c.attribute, Value: c.value, User: id}
	for _, l := range v.links[id] {
		if l.ID.Directory == v.directory {
			holder.Link = l.ID
			break
		}
	}
	subject.Holders = append(subject.Holders, holder)
	if subject.Link != nil {
		return
	}
	subject.Candidates = append(subject.Candidates, idbridge.Candidate{
		User: *v.users[id], By: c.attribute, Local: len(v.links[id]) == 0, Linked: holder.Link != (idbridge.ExternalID{}),
		Privileged: v.admins[id] > 0,
	})
}
