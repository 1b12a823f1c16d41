package authstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/idbridge/idbridge"
)

// leapStep is how far ids and the revision move when this store may be an older copy: no installation gives a thousand
// million ids between two backups, and an id has room for millions of leaps.
const leapStep = 1_000_000_000

// leaptFrom names the row of counter that holds the revision before the last leap.
const leaptFrom = "leapt"

// keysThatWork selects the keys that are enabled and not over at the moment that is parameter 1.
const keysThatWork = `enabled AND revoked = 0 AND (overlap_until = 0 OR overlap_until > $1)`

// keysWait is what a key's reason says while the store waits to be accepted.
const keysWait = "this store is an older copy: keys wait until somebody accepts it with idbridge restore"

// Restoration says that the store is an older copy of itself, and what is known about what it lacks.
type Restoration struct {
	Since  time.Time `json:"since"`  // when it was found; zero: the store is no older copy
	Backup time.Time `json:"backup"` // time of the newest thing that the store knew then
	Lost   int64     `json:"lost"`   // changes that are known to be missing; 0: nobody knows how many
	Runs   int64     `json:"runs"`   // runs that are known to be missing
	Keys   int       `json:"keys"`   // that would work, and wait
	Why    string    `json:"why"`    // how it was found, one sentence
}

// watch is what a process knows of the store as a whole.
type watch struct {
	copied   atomic.Int64            // since when the store is known to be an older copy, microseconds; 0: it is not
	place    atomic.Pointer[lineage] // PostgreSQL: where the store lay when we looked last
	dirty    atomic.Bool             // something was committed since the mark was written
	markLock sync.Mutex              // of the two below
	marked   mark                    // as it was written last
	unmarked bool                    // writing it failed
}

// finding is what tells a store from an older copy of it.
type finding struct {
	why        string           // "" when nothing was found
	floors     map[string]int64 // counters that somebody saw, and "revision"
	lost, runs int64
	leapOnly   bool // ids may have been lost, and nothing else is known to be
}

// self is the row of installation.
type self struct {
	name, cluster, object, why             string
	timeline, restored, backup, lost, runs int64
	blank                                  bool // nothing was kept in this store yet
}

func (t *tx) self(ctx context.Context) (me self, err error) {
	query := t.s.locking(`SELECT name, cluster, object, timeline, restored, backup, lost, lost_runs, why FROM installation WHERE id = 1`, "FOR UPDATE")
	_, err = one(t.QueryRowContext(ctx, query), &me.name, &me.cluster, &me.object, &me.timeline, &me.restored, &me.backup, &me.lost,
		&me.runs, &me.why)
	if err != nil {
		return me, err
	}
	err = t.QueryRowContext(ctx, `SELECT value = 0 AND NOT EXISTS (SELECT 1 FROM runs) AND NOT EXISTS (SELECT 1 FROM audit) FROM revision`).
		Scan(&me.blank)
	return me, err
}

// recognise finds out whether the store is the one that was here before. An older copy leaps forward, so that no id is given
// twice, and waits from then on until AcceptRestore. A store that never had a name gets one.
func (s *Store) recognise(ctx context.Context) error {
	var seen *mark
	var place lineage
	var err error
	if s.postgres {
		place, err = s.readLineage(ctx)
	} else {
		seen, err = s.readMark(ctx)
	}
	if err != nil {
		return err
	}
	err = s.tx(ctx, "recognise store", "", func(t *tx) error {
		me, err := t.self(ctx)
		if err != nil {
			return err
		}
		found, err := t.compare(ctx, &me, seen, &place)
		if err != nil {
			return err
		}
		if me.name == "" {
			_, err = t.ExecContext(ctx, `UPDATE installation SET name = $1 WHERE id = 1`, rand.Text())
		}
		if err == nil && place.differs(&me) {
			_, err = t.ExecContext(ctx, `UPDATE installation SET cluster = $1, object = $2, timeline = $3 WHERE id = 1`,
				place.cluster, place.object, place.timeline)
		}
		if err != nil {
			return fmt.Errorf("name the store: %w", err)
		}
		return t.found(ctx, &me, found)
	})
	if err == nil {
		err = s.readRestored(ctx)
	}
	return err
}

func (t *tx) compare(ctx context.Context, me *self, seen *mark, place *lineage) (finding, error) {
	if t.s.postgres {
		return place.compare(me), nil
	}
	now, err := readState(ctx, t)
	return seen.compare(me, &now), err
}

// found makes the store wait, and leap, as a finding says.
func (t *tx) found(ctx context.Context, me *self, f finding) error {
	if f.why == "" {
		return nil
	}
	backup, err := t.newest(ctx)
	if err != nil {
		return err
	}
	if err := t.leap(ctx, f.floors); err != nil {
		return err
	}
	t.changed, t.touched.all = true, true
	if f.leapOnly {
		t.note(idbridge.Audit{Actor: "store", Action: "store.failover", Reason: f.why})
		return nil
	}
	since := t.now
	if me.restored != 0 {
		since = me.restored
	}
	_, err = t.ExecContext(ctx, `UPDATE installation SET restored = $1, backup = $2, lost = $3, lost_runs = $4, why = $5 WHERE id = 1`,
		since, backup, f.lost, f.runs, prose(f.why))
	if err != nil {
		return fmt.Errorf("keep what was found: %w", err)
	}
	t.note(idbridge.Audit{Actor: "store", Action: "store.restored", Result: "held", Reason: f.why})
	return nil
}

// leap moves every counter and the revision beyond what anybody can have seen.
func (t *tx) leap(ctx context.Context, floors map[string]int64) error {
	_, err := t.ExecContext(ctx, `UPDATE counter SET value = (SELECT MAX(id) FROM runs) WHERE name = 'run' AND value < (SELECT MAX(id) FROM runs)`)
	for name, floor := range floors {
		if err == nil {
			_, err = t.ExecContext(ctx, `UPDATE counter SET value = $2 WHERE name = $1 AND value < $2`, name, floor)
		}
	}
	if err == nil {
		_, err = t.ExecContext(ctx, `UPDATE counter SET value = value + $1`, leapStep)
	}
	if err == nil {
		_, err = t.ExecContext(ctx, `INSERT INTO counter (name, value) SELECT $1, value FROM revision WHERE id = 1
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, leaptFrom)
	}
	if err == nil {
		_, err = t.ExecContext(ctx, `UPDATE revision SET value = CASE WHEN value < $1 THEN $1 ELSE value END + $2 WHERE id = 1`,
			floors["revision"], leapStep)
	}
	if err != nil {
		return fmt.Errorf("leap: %w", err)
	}
	return nil
}

// newest returns the time of the newest thing that the store knows.
func (t *tx) newest(ctx context.Context) (at int64, err error) {
	err = t.QueryRowContext(ctx, `SELECT COALESCE(MAX(at), 0) FROM (SELECT MAX(at) AS at FROM (SELECT at FROM audit ORDER BY id DESC LIMIT 1) AS a
		UNION ALL SELECT MAX(CASE WHEN ended > started THEN ended ELSE started END) FROM runs UNION ALL SELECT MAX(updated) FROM users) AS n`).
		Scan(&at)
	if err != nil {
		return 0, fmt.Errorf("find the newest row: %w", err)
	}
	return at, nil
}

// fellBack notes that the store is at an earlier revision than this process saw, or was when another daemon let it leap:
// commits are gone.
func (s *Store) fellBack(ctx context.Context, saw int64) error {
	err := s.tx(ctx, "recognise store", "", func(t *tx) error {
		me, err := t.self(ctx)
		if err != nil {
			return err
		}
		var is, leapt int64
		err = t.QueryRowContext(ctx, `SELECT value, COALESCE((SELECT value FROM counter WHERE name = $1), 0) FROM revision WHERE id = 1`, leaptFrom).
			Scan(&is, &leapt)
		if err != nil {
			return fmt.Errorf("read revision: %w", err)
		}
		if is >= saw {
			if is = leapt; leapt == 0 || leapt >= saw || me.restored != 0 {
				return nil // nothing is gone, or another daemon found it first
			}
		}
		return t.found(ctx, &me, finding{
			why:    fmt.Sprintf("a running daemon saw revision %d of the store, and the store ends at revision %d: commits are gone", saw, is),
			floors: map[string]int64{"revision": saw}, lost: saw - is,
		})
	})
	if err == nil {
		err = s.readRestored(ctx)
	}
	return err
}

// readRestored learns what another daemon found or accepted.
func (s *Store) readRestored(ctx context.Context) error {
	var since int64
	var why string
	if _, err := one(s.read.QueryRowContext(ctx, `SELECT restored, why FROM installation WHERE id = 1`), &since, &why); err != nil {
		return fmt.Errorf("read installation: %w", err)
	}
	if old := s.copied.Swap(since); old == 0 && since != 0 {
		s.log.ErrorContext(ctx, "the store is an older copy: runs are held and keys are refused", "why", why,
			"hint", "look at idbridge restore, then accept it")
	}
	return nil
}

// Restored tells whether the store is an older copy of itself that nobody accepted yet. The zero Restoration: it is not.
func (s *Store) Restored(ctx context.Context) (Restoration, error) {
	out, err := readRestoration(ctx, s.read, micros(s.now()))
	return out, fault("read restoration", err)
}

func readRestoration(ctx context.Context, q queryer, now int64) (Restoration, error) {
	var out Restoration
	var since, backup int64
	_, err := one(q.QueryRowContext(ctx, `SELECT restored, backup, lost, lost_runs, why,
		(SELECT COUNT(*) FROM keys WHERE `+keysThatWork+`) FROM installation WHERE id = 1`, now),
		&since, &backup, &out.Lost, &out.Runs, &out.Why, &out.Keys)
	if err != nil || since == 0 {
		return Restoration{}, err
	}
	out.Since, out.Backup = moment(since), moment(backup)
	return out, nil
}

// AcceptRestore says that a person knows the store is an older copy and wants to go on with it: runs are not held for it any
// more. Every key that works in the copy may have been revoked or replaced since, so each is disabled, and SetKeyEnabled
// enables it again, one by one; keepKeys leaves them as they are. It returns what was accepted. Error: Conflicting when there
// is nothing to accept.
func (s *Store) AcceptRestore(ctx context.Context, by string, keepKeys bool) (Restoration, error) {
	var out Restoration
	err := s.tx(ctx, "accept restored store", "store.accept", func(t *tx) error {
		if _, err := t.self(ctx); err != nil {
			return err
		}
		var err error
		if out, err = readRestoration(ctx, t, t.now); err != nil {
			return err
		}
		if out.Since.IsZero() {
			return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the store is no older copy, or was accepted already", Hint: "nothing is to be done"}
		}
		kept := "keys kept"
		if !keepKeys {
			kept = "keys disabled"
			if err := t.disableKeys(ctx, by); err != nil {
				return err
			}
		}
		if _, err := t.endSessions(ctx, `id <> $3`, int64(0), by, "the store is an older copy"); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE installation SET restored = 0, backup = 0, lost = 0, lost_runs = 0, why = '' WHERE id = 1`)
		if err != nil {
			return fmt.Errorf("end the wait: %w", err)
		}
		t.note(idbridge.Audit{Actor: by, Action: "store.accept", Reason: fmt.Sprintf("%s; %d %s", out.Why, out.Keys, kept)})
		t.changed, t.touched.all = true, true
		return nil
	})
	if err == nil {
		s.copied.Store(0)
	}
	return out, err
}

// disableKeys disables every key that works, with an audit row for each.
func (t *tx) disableKeys(ctx context.Context, by string) error {
	rows, err := t.QueryContext(ctx, `UPDATE keys SET enabled = FALSE, version = version + 1 WHERE `+keysThatWork+`
		RETURNING id, user_id`, t.now)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		a := idbridge.Audit{Actor: by, Action: "key.disable", Reason: "the store is an older copy: it may have been revoked since"}
		err := r.Scan(&a.Target, &a.User)
		t.note(a)
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("disable keys: %w", err)
	}
	return nil
}
