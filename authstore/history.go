package authstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
)

// happening is an event with what orders those of one moment.
type happening struct {
	idbridge.Event
	seq  int64
	edit bool // by a person, with its values
}

// editAction is the audit's word for an edit by a person.
const editAction = "user.edit"

// History returns what happened to a user, newest first: his creation, what runs changed attribute by attribute, what people
// did, and conflicts. At most limit events (0: a page). A user who was deleted keeps his history. Error: NotFound when
// nothing is known of him.
func (s *Store) History(ctx context.Context, user idbridge.UserID, limit int) ([]idbridge.Event, error) {
	limit = page(limit)
	var all []happening
	err := s.view(ctx, fmt.Sprintf("read history of user %d", user), func(q queryer) error {
		all = nil
		for _, read := range [...]func(context.Context, queryer, idbridge.UserID, int) ([]happening, error){
			s.auditEvents, s.changeEvents, s.conflictEvents, s.creationEvents,
		} {
			some, err := read(ctx, q, user, limit)
			if err != nil {
				return err
			}
			all = append(all, some...)
		}
		if len(all) == 0 {
			return notFound("user")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	edits := map[time.Time]bool{}
	for i := range all {
		if all[i].edit {
			edits[all[i].At] = true
		}
	}
	all = slices.DeleteFunc(all, func(one happening) bool { // the audit has the same edit without its values
		return one.What == editAction && !one.edit && edits[one.At]
	})
	slices.SortStableFunc(all, func(x, y happening) int { return cmp.Or(y.At.Compare(x.At), cmp.Compare(y.seq, x.seq)) })
	out := make([]idbridge.Event, 0, min(limit, len(all)))
	for i := range all[:cap(out)] {
		out = append(out, all[i].Event)
	}
	return out, nil
}

// auditEvents are what people and runs did to the user. An edit is one event for each attribute.
func (s *Store) auditEvents(ctx context.Context, q queryer, user idbridge.UserID, limit int) ([]happening, error) {
	rows, err := readAudit(ctx, q, ` WHERE user_id = $1 ORDER BY id DESC LIMIT $2`, int64(user), limit)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var out []happening
	for i := range rows {
		a := &rows[i]
		one := happening{seq: a.ID, Event: idbridge.Event{
			At: a.At, Actor: strings.TrimPrefix(a.Actor, "directory:"), What: a.Action, Run: a.Run, Why: a.Reason,
		}}
		if a.Result != "ok" && a.Result != "" {
			one.What += " " + a.Result
		}
		if a.Action != editAction || a.Reason == "" {
			out = append(out, one)
			continue
		}
		one.Why = ""
		for name := range strings.FieldsSeq(a.Reason) { // as joinNames writes them
			one.Attribute = idbridge.Attribute(name)
			out = append(out, one)
		}
	}
	return out, nil
}

// changesOfUser selects as the partial index run_change_user does.
const changesOfUser = ` WHERE user_id = $1 AND verb IN ('update', 'link') ORDER BY id DESC LIMIT $2`

// changeEvents are the attributes that runs and people changed. Access and roles that come and go are in the audit.
func (s *Store) changeEvents(ctx context.Context, q queryer, user idbridge.UserID, limit int) ([]happening, error) {
	list, err := readChanges(ctx, q, changesOfUser, int64(user), limit)
	if err != nil {
		return nil, fmt.Errorf("changes: %w", err)
	}
	var out []happening
	for i := range list {
		c := &list[i]
		one := happening{seq: c.ID, Event: idbridge.Event{
			At: c.At, Actor: c.Link.Directory, What: string(c.Verb), Run: c.Run, Why: c.Why,
		}}
		if one.edit = c.Run == 0; one.edit {
			one.Actor, one.What = c.Author, editAction
		}
		if c.Side == idbridge.DirectorySide {
			one.What = "push"
			one.Why = strings.TrimSuffix("to "+c.Link.Directory+", "+c.Why, ", ")
			one.Actor = cmp.Or(c.Author, c.Link.Directory)
		}
		for _, a := range differing(c.Before, c.After) {
			if _, spoken := c.After[a]; !spoken {
				continue
			}
			one.Attribute, one.Before, one.After = a, c.Before[a].String(), c.After[a].String()
			out = append(out, one)
		}
	}
	return out, nil
}

// conflictEvents are the conflicts as they were opened; a person's decision about one is in the audit.
func (s *Store) conflictEvents(ctx context.Context, q queryer, user idbridge.UserID, limit int) ([]happening, error) {
	list, err := readConflicts(ctx, q, ` WHERE c.user_id = $1 ORDER BY c.id DESC LIMIT $2`, int64(user), limit)
	if err != nil {
		return nil, fmt.Errorf("conflicts: %w", err)
	}
	out := make([]happening, 0, len(list))
	for i := range list {
		c := &list[i]
		why := "conflict " + strconv.FormatInt(int64(c.ID), 10) + ": store and directory both changed it, "
		switch {
		case c.Closed.IsZero():
			why += "waits for a person"
		case c.Winner == idbridge.NoWinner:
			why += "closed by " + c.By
		default:
			why += string(c.Winner) + " won, by " + c.By
		}
		out = append(out, happening{seq: int64(c.ID), Event: idbridge.Event{
			At: c.Opened, Actor: c.Link.Directory, What: "conflict", Attribute: c.Attribute, Before: c.Store.String(), After: c.Directory.String(),
			Why: why,
		}})
	}
	return out, nil
}

// creationEvents tell of which record a run made the user; whoever was made by hand has it in the audit.
func (s *Store) creationEvents(ctx context.Context, q queryer, user idbridge.UserID, _ int) ([]happening, error) {
	event := happening{seq: -1, Event: idbridge.Event{What: string(idbridge.Create)}}
	var last, started, created int64
	made, err := one(q.QueryRowContext(ctx, `SELECT c.last, c.run, COALESCE(r.directory, ''), COALESCE(r.started, 0)
		FROM run_created c LEFT JOIN runs r ON r.id = c.run WHERE c.first <= $1 ORDER BY c.first DESC LIMIT 1`, int64(user)),
		&last, &event.Run, &event.Actor, &started)
	if err != nil {
		return nil, fmt.Errorf("creation: %w", err)
	}
	there, err := one(q.QueryRowContext(ctx, `SELECT created FROM users WHERE id = $1`, int64(user)), &created)
	if err != nil {
		return nil, fmt.Errorf("creation: %w", err)
	}
	event.At = moment(created)
	if !made || last < int64(user) {
		event.Run, event.Actor = 0, ""
		var byHand bool
		err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM audit WHERE user_id = $1 AND action = 'user.create')`, int64(user)).Scan(&byHand)
		if err != nil || byHand || !there {
			return nil, err
		}
	} else if !there {
		event.At = moment(started)
	}
	links, err := readLinks(ctx, q, ` WHERE l.user_id = $1 ORDER BY l.directory, l.id`, int64(user))
	if err != nil {
		return nil, fmt.Errorf("links: %w", err)
	}
	for i := range links {
		if event.Actor == "" || links[i].ID.Directory == event.Actor {
			event.Actor, event.Why = links[i].ID.Directory, "for record "+links[i].ID.ID
			break
		}
	}
	return []happening{event}, nil
}
