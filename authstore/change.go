package authstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/idbridge/idbridge"
)

const changeChunk = 500 // rows of one read

const changeColumns = `id, run, directory, link, user_id, side, verb, group_id, state_before, state_after, before, after, grants, author,
	why, at`

// Changes streams what a run changed, in the order in which it was done, creations excepted: Created has those. No snapshot
// is held between two chunks, so the caller may write while it reads. Error: NotFound.
func (s *Store) Changes(ctx context.Context, run idbridge.RunID) iter.Seq2[idbridge.RunChange, error] {
	return func(yield func(idbridge.RunChange, error) bool) {
		if _, err := s.Run(ctx, run); err != nil {
			yield(idbridge.RunChange{}, err)
			return
		}
		after := int64(0)
		for {
			chunk, err := readChanges(ctx, s.read, ` WHERE run = $1 AND id > $2 ORDER BY id LIMIT $3`, int64(run), after, changeChunk)
			if err != nil {
				yield(idbridge.RunChange{}, fault(fmt.Sprintf("read changes of run %d", run), err))
				return
			}
			for i := range chunk {
				if !yield(chunk[i], nil) {
					return
				}
				after = chunk[i].ID
			}
			if len(chunk) < changeChunk {
				return
			}
		}
	}
}

func readChanges(ctx context.Context, q queryer, tail string, args ...any) ([]idbridge.RunChange, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+changeColumns+` FROM run_change`+tail, args...)
	return collect(rows, err, func(r *sql.Rows) (idbridge.RunChange, error) {
		var c idbridge.RunChange
		var before, after, grants string
		var at int64
		err := r.Scan(&c.ID, &c.Run, &c.Link.Directory, &c.Link.ID, &c.User, &c.Side, &c.Verb, &c.Group.ID, &c.Was, &c.State, &before, &after,
			&grants, &c.Author, &c.Why, &at)
		if err != nil {
			return c, err
		}
		c.Link.ID, c.Group.ID, c.At = unpack(c.Link.ID), unpack(c.Group.ID), moment(at)
		if c.Group.ID != "" {
			c.Group.Directory = c.Link.Directory
		}
		if c.Before, err = parseProfile(before); err != nil {
			return c, err
		}
		if c.After, err = parseProfile(after); err != nil {
			return c, err
		}
		if grants != "" {
			err = json.Unmarshal([]byte(grants), &c.Grants)
		}
		return c, err
	})
}

// span is a range of ids of users that a run made.
type span struct{ first, last int64 }

// Created streams the users that a run made and that are still there, each by his link in the run's directory, in the order
// of their ids. Error: NotFound.
func (s *Store) Created(ctx context.Context, run idbridge.RunID) iter.Seq2[idbridge.Link, error] {
	return func(yield func(idbridge.Link, error) bool) {
		row, err := s.Run(ctx, run)
		if err != nil {
			yield(idbridge.Link{}, err)
			return
		}
		spans, err := s.spans(ctx, run)
		for _, one := range spans {
			for from := one.first; from <= one.last && err == nil; from += changeChunk {
				var chunk []idbridge.Link
				chunk, err = readLinks(ctx, s.read, ` WHERE l.user_id BETWEEN $1 AND $2 AND l.directory = $3 ORDER BY l.user_id, l.id`,
					from, min(from+changeChunk-1, one.last), row.Directory)
				for i := range chunk {
					if !yield(chunk[i], nil) {
						return
					}
				}
			}
		}
		if err != nil {
			yield(idbridge.Link{}, fault(fmt.Sprintf("read users made by run %d", run), err))
		}
	}
}

// spans returns the ranges of ids of a run, those that touch made one.
func (s *Store) spans(ctx context.Context, run idbridge.RunID) ([]span, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT first, last FROM run_created WHERE run = $1 ORDER BY first`, int64(run))
	all, err := collect(rows, err, func(r *sql.Rows) (one span, err error) {
		err = r.Scan(&one.first, &one.last)
		return one, err
	})
	var out []span
	for _, one := range all {
		if n := len(out); n > 0 && out[n-1].last+1 == one.first {
			out[n-1].last = one.last
		} else {
			out = append(out, one)
		}
	}
	return out, err
}

// grantsText writes the grants of a step; "" for none. The steps of a group share theirs, so the last is remembered.
func (w *writer) grantsText(grants []idbridge.Grant) (string, error) {
	if len(grants) == 0 {
		return "", nil
	}
	if slices.Equal(grants, w.lastGrants) {
		return w.lastGrantsText, nil
	}
	text, err := json.Marshal(grants)
	if err != nil {
		return "", fmt.Errorf("grants: %w", err)
	}
	w.lastGrants, w.lastGrantsText = grants, string(text)
	return w.lastGrantsText, nil
}
