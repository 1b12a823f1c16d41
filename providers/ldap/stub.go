package ldap

import (
	"context"
	"iter"

	"github.com/idbridge/idbridge"
)

func (s *Session) Scan(ctx context.Context, since idbridge.Cursor) iter.Seq2[idbridge.Change, error] {
	return nil
}
func (s *Session) Fetch(ctx context.Context, ids []idbridge.ExternalID) (map[idbridge.ExternalID]idbridge.Record, error) {
	return nil, nil
}
func (s *Session) Apply(ctx context.Context, step idbridge.Step) (idbridge.Record, error) {
	return idbridge.Record{}, nil
}
func (d *Directory) Authenticate(ctx context.Context, userName, password string) (idbridge.ExternalID, error) {
	return idbridge.ExternalID{}, nil
}

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one line of a check.
type Finding struct {
	Name  string
	Level Level
	Text  string
	Fix   string // what to do, down to the command; "" when there is nothing to do
}

// Check looks at the directory from the outside in, and says what it finds. It changes nothing.
func (d *Directory) Check(ctx context.Context) []Finding { return nil }
