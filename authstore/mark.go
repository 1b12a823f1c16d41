package authstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"
)

const (
	markEvery  = 2 * time.Second
	markEnding = ".mark"
	hasMark    = "mark" // in the place of PostgreSQL's oids
)

// mark is what the file beside a SQLite store says: how far the store was when it was written. A store that is behind its mark
// is an older copy. The file never says more than is durable in the store.
type mark struct {
	Store string `json:"store"` // name of the store that wrote it
	state
	At time.Time `json:"at"`
}

// state is how far a store is.
type state struct {
	Revision int64            `json:"revision"`
	Run      int64            `json:"run"`
	Counters map[string]int64 `json:"counters"`
}

func (s *state) equal(o *state) bool {
	return s.Revision == o.Revision && s.Run == o.Run && maps.Equal(s.Counters, o.Counters)
}

// readState reads how far the store is.
func readState(ctx context.Context, q queryer) (state, error) {
	out := state{Counters: map[string]int64{}}
	rows, err := q.QueryContext(ctx, `SELECT name, value FROM counter UNION ALL SELECT '', value FROM revision
		UNION ALL SELECT '#', COALESCE(MAX(id), 0) FROM runs`)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var name string
		var value int64
		err := r.Scan(&name, &value)
		switch name {
		case "":
			out.Revision = value
		case "#":
			out.Run = value
		default:
			out.Counters[name] = value
		}
		return struct{}{}, err
	})
	if err != nil {
		return out, fmt.Errorf("read counters: %w", err)
	}
	return out, nil
}

// compare tells what a mark means for the store beside it.
func (m *mark) compare(me *self, now *state) finding {
	if m == nil {
		if me.object != hasMark || me.blank {
			return finding{}
		}
		return finding{why: "the store's mark is gone, which lies beside its file: the file was copied or restored from somewhere else"}
	}
	f := finding{floors: maps.Clone(m.Counters)}
	if f.floors == nil {
		f.floors = map[string]int64{}
	}
	f.floors["revision"], f.floors["run"] = m.Revision, max(m.Run, m.Counters["run"])
	if m.Store != me.name {
		if !me.blank {
			f.why = fmt.Sprintf("beside the store lies the mark of another one, of %s: an older file was put in its place", m.At.Format(time.RFC3339))
		}
		return f
	}
	behind := m.Revision > now.Revision || m.Run > now.Run
	for name, n := range m.Counters {
		behind = behind || n > now.Counters[name]
	}
	if behind {
		f.lost, f.runs = max(0, m.Revision-now.Revision), max(0, m.Run-now.Run)
		f.why = fmt.Sprintf("the mark of %s knows revision %d and run %d, the store ends at revision %d and run %d: it is an older copy",
			m.At.Format(time.RFC3339), m.Revision, m.Run, now.Revision, now.Run)
	}
	return f
}

// readMark returns what the file says; nil when there is none, or nothing in it that can be understood. Error: it is there and
// cannot be read.
func (s *Store) readMark(ctx context.Context) (*mark, error) {
	b, err := os.ReadFile(s.path + markEnding)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no mark is no error
	}
	if err != nil {
		return nil, openFault("mark", err)
	}
	var m mark
	if err := json.Unmarshal(b, &m); err != nil || m.Store == "" {
		s.log.WarnContext(ctx, "the store's mark is damaged", "error", err)
		return nil, nil //nolint:nilnil // as if there were none
	}
	return &m, nil
}

// keepMark brings the file up to date while the store is open, at most every few seconds and never on the way of a request.
func (s *Store) keepMark(ctx context.Context) {
	for pause(ctx, markEvery) == nil {
		if s.dirty.Swap(false) {
			s.putMark(ctx)
		}
	}
}

// putMark writes the file if the store moved since. Without it the store works; a failure is logged once.
func (s *Store) putMark(ctx context.Context) {
	if s.postgres {
		return
	}
	s.markLock.Lock()
	defer s.markLock.Unlock()
	err := s.writeMark(ctx)
	if err != nil && !s.unmarked {
		s.log.WarnContext(ctx, "the store's mark was not written: an older copy may go unnoticed", "error", err)
	}
	s.unmarked = err != nil
}

func (s *Store) writeMark(ctx context.Context) error {
	m := mark{At: s.now().UTC().Truncate(time.Second)}
	err := s.view(ctx, "read mark", func(q queryer) (err error) {
		if _, err = one(q.QueryRowContext(ctx, `SELECT name FROM installation WHERE id = 1`), &m.Store); err == nil {
			m.state, err = readState(ctx, q)
		}
		return err
	})
	if err != nil || s.marked.Store == m.Store && s.marked.equal(&m.state) {
		return err
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = replaceFile(s.path+markEnding, append(b, '\n'))
	}
	if err == nil {
		s.marked = m
	}
	return err
}

// expectMark notes in the store that it has a mark by now: one that it lacks later on was left behind by a copy.
func (s *Store) expectMark(ctx context.Context) error {
	if s.marked.Store == "" { // it could not be written
		return nil
	}
	_, err := s.write.ExecContext(ctx, `UPDATE installation SET object = $1 WHERE id = 1 AND object <> $1`, hasMark)
	if err != nil {
		return fmt.Errorf("note the mark: %w", err)
	}
	return nil
}

// replaceFile writes a file whole or not at all, also when the machine stops.
func replaceFile(path string, b []byte) error {
	fresh := path + ".new"
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, ownerOnly)
	if err != nil {
		return fmt.Errorf("create mark: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write mark: %w", err), os.Remove(fresh))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("open folder of mark: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
