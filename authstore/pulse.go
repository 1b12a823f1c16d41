package authstore

import (
	"context"
	"fmt"
	"time"

	"github.com/idbridge/idbridge"
)

// Pulse says how the store itself is: who leads, whether its cache may answer, and how much of the audit is unsealed.
func (s *Store) Pulse(ctx context.Context) (idbridge.Pulse, error) {
	p := idbridge.Pulse{Fresh: s.feed.trusted()}
	var acquired, expires, now int64
	found, err := one(s.read.QueryRowContext(ctx, `SELECT holder, acquired, expires, `+s.clock()+` FROM lease WHERE name = $1`, leaseName),
		&p.Holder, &acquired, &expires, &now)
	if err != nil {
		return p, fault("read pulse", fmt.Errorf("lease: %w", err))
	}
	if !found || expires <= now {
		p.Holder = ""
	} else {
		p.LeaseAge, p.LeaseLeft = time.Duration(now-acquired)*time.Microsecond, time.Duration(expires-now)*time.Microsecond
	}
	err = s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit WHERE id > (SELECT COALESCE(MAX(last_id), 0) FROM
		(SELECT last_id FROM audit_anchor UNION ALL SELECT last_id FROM (SELECT last_id FROM audit_block ORDER BY number DESC LIMIT 1) AS n) AS e)`).
		Scan(&p.Unsealed)
	return p, fault("read pulse", err)
}
