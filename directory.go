package idbridge

import (
	"context"
	"iter"
)

// Support says whether something can be done, and if not why not and what would cure it. The zero Support is a no
// without a reason.
type Support struct {
	OK     bool
	Reason string
}

// Capabilities says what one session with one server can do, as found on the live connection.
type Capabilities struct {
	Scan, Delta, Live, Tombstones, Write, Create, Rename, Disable, Delete, Members, Login, Password Support
}

// Directory is an external source of people. Implementations are safe for concurrent use.
type Directory interface {
	// Name returns the directory's name in the config.
	Name() string
	// Open connects and signs in. The session is pinned to one server. Errors: Unavailable, Unauthentic (bind refused; do
	// not retry), Invalid (misconfigured).
	Open(ctx context.Context) (Session, error)
}

// Session is one conversation with one server of a directory. Scan may run beside Fetch and Apply; everything else is
// one call at a time unless said otherwise. Apply is safe for concurrent use.
type Session interface {
	Capabilities() Capabilities
	// Scan streams what is there, or what changed since the cursor. It ends with a Checkpoint or an error; nothing follows
	// either. Single use. Breaking out early releases everything. Errors: Unavailable, Incomplete, Invalid.
	Scan(ctx context.Context, since Cursor) iter.Seq2[Change, error]
	// Fetch reads records by id, now. An id that is not there is missing from the map: one sighting, never proof.
	Fetch(ctx context.Context, ids []ExternalID) (map[ExternalID]Record, error)
	// Apply makes one directory step with compare-and-set and returns the record as the server holds it afterwards.
	// Errors: Conflicting (it moved; nothing done), NotFound, Refused (permanent for this record; nothing done),
	// Unknown (it may have happened), Unavailable (nothing was sent), Invalid (stop the run: misconfigured).
	Apply(ctx context.Context, step Step) (Record, error)
	Close() error
}

// Authenticator is a directory that can check a password.
type Authenticator interface {
	// Authenticate tells whose password it is. Errors: Unauthentic for a wrong, unknown, ambiguous or empty login,
	// Unavailable when the directory cannot be asked.
	Authenticate(ctx context.Context, userName, password string) (ExternalID, error)
}
