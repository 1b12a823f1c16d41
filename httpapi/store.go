package httpapi

import (
	"context"
	"iter"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/token"
)

// rights are the cached pictures that the hot routes answer from.
type rights interface {
	// Access reads a user's rights. Error: NotFound.
	Access(ctx context.Context, id idbridge.UserID) (idbridge.Access, error)
	// AccessOf reads the rights of many users in one picture; whoever does not exist is not in it.
	AccessOf(ctx context.Context, ids []idbridge.UserID) (map[idbridge.UserID]idbridge.Access, error)
	// Revision reads the revision of the store.
	Revision(ctx context.Context) (int64, error)
	// Ping tells whether the store answers.
	Ping(ctx context.Context) error
	// Pulse says how the store itself is.
	Pulse(ctx context.Context) (idbridge.Pulse, error)
}

// users reads and edits users.
type users interface {
	User(ctx context.Context, id idbridge.UserID) (idbridge.User, error)
	Users(ctx context.Context, f idbridge.UserFilter) ([]idbridge.User, error)
	AddUser(ctx context.Context, n idbridge.NewUser) (idbridge.User, error)
	EditUser(ctx context.Context, e idbridge.UserEdit) (idbridge.User, error)
	// DeleteUserIf deletes a user at a revision; 0: at any. Errors: NotFound, Conflicting, Forbidden for the last administrator.
	DeleteUserIf(ctx context.Context, id idbridge.UserID, revision int64, by string) error
}

// standing is what else the store says about one user.
type standing interface {
	SetSuspended(ctx context.Context, id idbridge.UserID, on bool, by, reason string) error
	Pending(ctx context.Context, id idbridge.UserID) ([]idbridge.Edit, error)
	Grants(ctx context.Context, id idbridge.UserID) ([]idbridge.Grant, error)
}

// roles reads and changes who has which role.
type roles interface {
	Roles(ctx context.Context) ([]idbridge.RoleCount, error)
	RoleMembers(ctx context.Context, role idbridge.Role, application string, after idbridge.UserID, limit int) ([]idbridge.Grant, error)
	GrantRole(ctx context.Context, id idbridge.UserID, role idbridge.Role, application, by string) error
	RevokeRole(ctx context.Context, id idbridge.UserID, role idbridge.Role, application, by string) error
}

// ownKeys makes and ends keys.
type ownKeys interface {
	Keys(ctx context.Context, id idbridge.UserID) ([]idbridge.Key, error)
	// CreateKey replaces the primary key of the user in one transaction. Error: Exists when the id is taken.
	CreateKey(ctx context.Context, k idbridge.Key, by string) (idbridge.Key, error)
	RevokeKey(ctx context.Context, id idbridge.KeyID, by, reason string) error
	// CreateKeyOnce does the same under a token, in one transaction: what was done under it before comes back instead. seal
	// makes of the key the answer to be kept.
	CreateKeyOnce(ctx context.Context, k idbridge.Key, by string, r idbridge.Replay, seal func(idbridge.Key) ([]byte, error)) (
		made idbridge.Key, earlier *idbridge.Replay, err error)
}

// changedKeys changes keys that are there.
type changedKeys interface {
	// SetKeyEnabled disables a key or enables it again. Errors: NotFound, Conflicting for one that is over.
	SetKeyEnabled(ctx context.Context, id idbridge.KeyID, on bool, by string) error
	// PatchKey changes what limits a key. Errors: NotFound, Invalid, Conflicting.
	PatchKey(ctx context.Context, id idbridge.KeyID, p idbridge.KeyPatch, by string) (idbridge.Key, error)
	// RotateKey puts a fresh key in the place of another, which is good for the overlap. Errors: NotFound, Invalid, Exists,
	// Conflicting.
	RotateKey(ctx context.Context, old idbridge.KeyID, fresh idbridge.Key, overlap time.Duration, by string) (idbridge.Key, error)
	// RotateKeyOnce does the same under a token.
	RotateKeyOnce(ctx context.Context, old idbridge.KeyID, fresh idbridge.Key, overlap time.Duration, by string, r idbridge.Replay,
		seal func(idbridge.Key) ([]byte, error)) (made idbridge.Key, earlier *idbridge.Replay, err error)
}

// allKeys finds keys whosever they are.
type allKeys interface {
	// FindKeys returns keys by id. Error: Invalid.
	FindKeys(ctx context.Context, f idbridge.KeyFilter) ([]idbridge.Key, error)
	// RevokeKeys revokes what the filter selects in one transaction, which dry undoes, and returns it. Error: Invalid.
	RevokeKeys(ctx context.Context, f idbridge.KeyFilter, by, reason string, dry bool) ([]idbridge.Key, error)
}

// history is what runs left behind.
type history interface {
	Runs(ctx context.Context, f idbridge.RunFilter) ([]idbridge.Run, error)
	Run(ctx context.Context, id idbridge.RunID) (idbridge.Run, error)
	Conflicts(ctx context.Context, f idbridge.ConflictFilter) ([]idbridge.Conflict, error)
	Status(ctx context.Context, directory string) (idbridge.Source, idbridge.Population, idbridge.StatusCounts, error)
	AddAudit(ctx context.Context, a idbridge.Audit) error
}

// shelf keeps plans, and what cannot be used.
type shelf interface {
	// Plan reads a header by its hash or an unambiguous beginning of it. Errors: NotFound, Invalid.
	Plan(ctx context.Context, hash string) (idbridge.Plan, error)
	// Plans reads the latest 100 plans of a directory ("": of all) in a state ("": in any), newest first.
	Plans(ctx context.Context, directory string, state idbridge.PlanState) ([]idbridge.Plan, error)
	// Decisions streams a plan's decisions, phase by phase.
	Decisions(ctx context.Context, hash string) iter.Seq2[idbridge.Decision, error]
	// Quarantine reads what cannot be used of a directory's records, by record.
	Quarantine(ctx context.Context, directory string) ([]idbridge.QuarantineRow, error)
}

// judge takes a person's decisions.
type judge interface {
	// Conflict reads one conflict. Error: NotFound.
	Conflict(ctx context.Context, id idbridge.ConflictID) (idbridge.Conflict, error)
	// ResolveConflict closes a conflict. Errors: NotFound, Conflicting when it was decided already or its value moved, Invalid.
	ResolveConflict(ctx context.Context, r idbridge.Resolution) (idbridge.Conflict, error)
	// ResolveConflicts closes all open conflicts of an attribute in the same way. What cannot be decided is left and named.
	ResolveConflicts(ctx context.Context, attribute idbridge.Attribute, r idbridge.Resolution) ([]idbridge.Conflict, []idbridge.Refusal, error)
}

// applications are what roles are granted on.
type applications interface {
	Applications(ctx context.Context) ([]idbridge.Application, error)
	// Application reads one. Error: NotFound.
	Application(ctx context.Context, name string) (idbridge.Application, error)
	// PutApplication makes or replaces one. Errors: Invalid, Forbidden when there are too many.
	PutApplication(ctx context.Context, a idbridge.Application, by string) error
	// DeleteApplication forgets one. Error: NotFound.
	DeleteApplication(ctx context.Context, name, by string) error
}

// signIns is what the store keeps about how its own users sign in.
type signIns interface {
	credential.Sessions
	credential.Passwords
	// SetPassword keeps a hash and ends the user's sessions. Errors: NotFound, Invalid for a service, Forbidden for a user whose
	// password a directory checks.
	SetPassword(ctx context.Context, id idbridge.UserID, phc idbridge.Secret, by string) error
	// EndSessions ends the sessions that a filter finds and returns how many.
	EndSessions(ctx context.Context, f idbridge.SessionFilter, by, reason string) (int, error)
}

// ledger is the log of what moved, and the audit.
type ledger interface {
	// Moves returns what moved after a revision, whole revisions, oldest first; the smallest since that is answered without a
	// gap; and the store's revision.
	Moves(ctx context.Context, since int64, limit int) (moves []idbridge.Move, oldest, now int64, err error)
	// WaitRevision returns once every answer of this process knows the revision. Error: the context's.
	WaitRevision(ctx context.Context, least int64) error
	// Audit reads the audit, newest first.
	Audit(ctx context.Context, f idbridge.AuditFilter) ([]idbridge.Audit, error)
}

// Store is all that the API asks of the store, in parts of few methods each.
type Store interface { //nolint:interfacebloat // a sum of parts, each of few methods
	credential.Store
	rights
	users
	standing
	roles
	ownKeys
	changedKeys
	allKeys
	applications
	signIns
	ledger
	token.Keys
	history
	shelf
	judge
}
