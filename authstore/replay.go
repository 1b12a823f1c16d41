package authstore

import (
	"context"
	"fmt"
	"time"

	"github.com/idbridge/idbridge"
)

const (
	replayKept   = 24 * time.Hour  // a token is known
	replayAnswer = 5 * time.Minute // its answer is
)

// Remember keeps a request that must not be done twice. When the caller gave the token in the last 24 hours, it returns what
// was kept then, and keeps nothing: compare Body; Answer is nil while the work is under way, and after five minutes. Called
// once more with the Answer of work that is under way, it keeps that, and returns nil. Errors: Invalid.
//
// CreateKeyOnce and RotateKeyOnce do this in the transaction of the change itself; a request that is remembered here and then
// not done must be forgotten by Forget.
func (s *Store) Remember(ctx context.Context, r idbridge.Replay) (earlier *idbridge.Replay, err error) {
	err = s.tx(ctx, "remember request", "store.remember", func(t *tx) error {
		earlier, err = t.remember(ctx, &r)
		return err
	})
	return earlier, err
}

// Forget lets a token be used again; one that is unknown stays so.
func (s *Store) Forget(ctx context.Context, caller, token string) error {
	return s.tx(ctx, "forget request", "", func(t *tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM replay WHERE caller = $1 AND token = $2`, pack(caller), pack(token))
		return err
	})
}

// only does something unless its token was given before, and keeps its answer.
func (t *tx) only(ctx context.Context, r idbridge.Replay, do func() ([]byte, error)) (*idbridge.Replay, error) {
	r.Answer = nil
	earlier, err := t.remember(ctx, &r)
	if err != nil || earlier != nil {
		return earlier, err
	}
	if r.Answer, err = do(); err != nil {
		return nil, err
	}
	return nil, t.answer(ctx, &r)
}

func (t *tx) remember(ctx context.Context, r *idbridge.Replay) (*idbridge.Replay, error) {
	if r.Caller == "" || r.Token == "" {
		return nil, invalid("a request that is to be remembered needs a caller and a token", "")
	}
	if r.At.IsZero() {
		r.At = moment(t.now)
	}
	for range 2 { // somebody may forget it between the two statements
		rows := newBatch(addRows, "replay", "caller token", "body:o answer:o at:n")
		rows.add(pack(r.Caller), pack(r.Token), r.Body[:], octetsOf(r.Answer), micros(r.At))
		if _, err := t.ExecContext(ctx, `DELETE FROM replay WHERE caller = $1 AND token = $2 AND at < $3`, pack(r.Caller), pack(r.Token),
			t.now-replayKept.Microseconds()); err != nil {
			return nil, fmt.Errorf("forget an old token: %w", err)
		}
		made, err := t.ExecContext(ctx, rows.rowText(), rows.rows...)
		if err != nil {
			return nil, fmt.Errorf("keep token: %w", err)
		}
		if n, err := made.RowsAffected(); err != nil || n > 0 {
			return nil, err
		}
		earlier := &idbridge.Replay{Caller: r.Caller, Token: r.Token}
		var body []byte
		var at int64
		found, err := one(t.QueryRowContext(ctx, `SELECT body, answer, at FROM replay WHERE caller = $1 AND token = $2`,
			pack(r.Caller), pack(r.Token)), &body, &earlier.Answer, &at)
		if err != nil {
			return nil, fmt.Errorf("read token: %w", err)
		}
		if !found {
			continue
		}
		copy(earlier.Body[:], body)
		earlier.At = moment(at)
		fresh := at >= t.now-replayAnswer.Microseconds()
		if fresh && len(earlier.Answer) == 0 && len(r.Answer) > 0 && earlier.Body == r.Body {
			return nil, t.answer(ctx, r)
		}
		if !fresh || len(earlier.Answer) == 0 {
			earlier.Answer = nil
		}
		return earlier, nil
	}
	return nil, &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the token is being forgotten", Hint: "try again"}
}

func (t *tx) answer(ctx context.Context, r *idbridge.Replay) error {
	_, err := t.ExecContext(ctx, `UPDATE replay SET answer = $3 WHERE caller = $1 AND token = $2`, pack(r.Caller), pack(r.Token), octetsOf(r.Answer))
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	return nil
}

// octetsOf makes no octets of nil: a column is never null.
func octetsOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// forgetReplays removes answers after five minutes and tokens after a day.
func (s *Store) forgetReplays(ctx context.Context) error {
	now := micros(s.now())
	var some int
	found, err := one(s.read.QueryRowContext(ctx, `SELECT 1 FROM replay WHERE at < $1 AND (at < $2 OR LENGTH(answer) > 0) LIMIT 1`,
		now-replayAnswer.Microseconds(), now-replayKept.Microseconds()), &some)
	if err != nil || !found { // nearly always
		return err
	}
	return s.tx(ctx, "forget requests", "", func(t *tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM replay WHERE at < $1`, now-replayKept.Microseconds())
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE replay SET answer = $2 WHERE at < $1 AND LENGTH(answer) > 0`, now-replayAnswer.Microseconds(), []byte{})
		return err
	})
}
