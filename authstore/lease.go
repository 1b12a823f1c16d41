package authstore

import (
	"context"
	"fmt"
	"time"

	"github.com/idbridge/idbridge"
)

const leaseName = "runs"

// clock is the database's time in microseconds as SQL: leases never rest on a daemon's own clock. SQLite's is this
// machine's, whatever clock the options carry.
func (s *Store) clock() string {
	if s.postgres {
		return `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
	}
	return `CAST((julianday('now') - 2440587.5) * 86400000000 AS BIGINT)`
}

// Lead takes the lease for ttl and returns its epoch. Runs that an earlier epoch left running are closed as interrupted. A
// lease that this store holds already is taken anew, under a larger epoch. Error: Locked while somebody else holds it.
func (s *Store) Lead(ctx context.Context, ttl time.Duration) (epoch int64, err error) {
	// The floor of time keeps a lagging standby from handing out an epoch twice. On SQLite the file's lock is ours, so
	// whoever else stands in the row is dead.
	free := ` WHERE lease.expires <= ` + s.clock() + ` OR lease.holder = excluded.holder`
	if !s.postgres {
		free = ` WHERE 1 = 1`
	}
	query := `INSERT INTO lease (name, holder, epoch, acquired, expires) VALUES ($1, $2, ` + s.clock() + `, ` + s.clock() + `, ` +
		s.clock() + ` + $3) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, acquired = excluded.acquired,
		expires = excluded.expires, epoch = CASE WHEN lease.epoch >= excluded.epoch THEN lease.epoch + 1 ELSE excluded.epoch END` + free +
		` RETURNING epoch`
	err = s.tx(ctx, "take lease", "", func(t *tx) error {
		found, err := one(t.QueryRowContext(ctx, query, leaseName, s.holder, ttl.Microseconds()), &epoch)
		if err != nil {
			return err
		}
		if !found {
			return &idbridge.Error{
				Kind: idbridge.Locked, Msg: "another daemon leads the runs", Hint: "wait until it stops, or until its lease runs out",
			}
		}
		_, err = t.ExecContext(ctx, `UPDATE runs SET state = $1, ended = $2, error = $3 WHERE state = $4 AND epoch < $5`,
			string(idbridge.RunInterrupted), t.now, "the daemon that ran it stopped or lost the lease", string(idbridge.RunRunning), epoch)
		if err != nil {
			return fmt.Errorf("close interrupted runs: %w", err)
		}
		return nil
	})
	return epoch, err
}

// Renew extends the lease by ttl from now. Error: Locked when it ran out or went to somebody else; the epoch never leads
// again then.
func (s *Store) Renew(ctx context.Context, epoch int64, ttl time.Duration) error {
	return s.lease(ctx, "renew lease", `UPDATE lease SET expires = `+s.clock()+` + $4
		WHERE name = $1 AND epoch = $2 AND holder = $3 AND expires > `+s.clock(), epoch, ttl.Microseconds())
}

// Resign gives the lease back. Error: Locked when the epoch does not hold it any more; a successor's lease stays untouched.
func (s *Store) Resign(ctx context.Context, epoch int64) error {
	return s.lease(ctx, "resign lease", `UPDATE lease SET expires = $4 WHERE name = $1 AND epoch = $2 AND holder = $3`, epoch, 0)
}

func (s *Store) lease(ctx context.Context, op, query string, epoch, expires int64) error {
	return s.tx(ctx, op, "", func(t *tx) error {
		result, err := t.ExecContext(ctx, query, leaseName, epoch, s.holder, expires)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return &idbridge.Error{Kind: idbridge.Locked, Msg: "the lease is lost", Hint: "another daemon may lead the runs now", Err: err}
		}
		return nil
	})
}

// mayLead checks, inside the transaction, that the epoch still leads. On PostgreSQL the row is held until the transaction
// ends, so that no successor begins in between. Error: Locked.
func (t *tx) mayLead(ctx context.Context, epoch int64) error {
	var now int64
	query := t.s.locking(`SELECT epoch FROM lease WHERE name = $1 AND expires > `+t.s.clock(), "FOR SHARE")
	if _, err := one(t.QueryRowContext(ctx, query, leaseName), &now); err != nil {
		return fmt.Errorf("check lease: %w", err)
	}
	if now == 0 {
		now = -1 // nobody leads; an epoch of 0 must not match
	}
	return idbridge.MayLead(epoch, now)
}
