package assets

import (
	"context"

	"github.com/idbridge/idbridge"
)

// people reads and edits users.
type people interface {
	// UserByName finds a user whatever the case of the name. Error: NotFound.
	UserByName(ctx context.Context, name string) (idbridge.User, error)
	// Users reads users by id, a page at a time.
	Users(ctx context.Context, f idbridge.UserFilter) ([]idbridge.User, error)
	// AddUser makes a user. Errors: Invalid, Exists.
	AddUser(ctx context.Context, n idbridge.NewUser) (idbridge.User, error)
	// EditUser changes attributes. Errors: NotFound, Invalid, Exists.
	EditUser(ctx context.Context, e idbridge.UserEdit) (idbridge.User, error)
	// DeleteUser deletes a user with all that hangs on him. Errors: NotFound, Forbidden for the last administrator.
	DeleteUser(ctx context.Context, id idbridge.UserID, by string) error
}

// standing is what else the store knows about a user.
type standing interface {
	// Links reads the records in directories that are linked to him.
	Links(ctx context.Context, id idbridge.UserID) ([]idbridge.Link, error)
	// AccessOf reads the rights of many users at once.
	AccessOf(ctx context.Context, ids []idbridge.UserID) (map[idbridge.UserID]idbridge.Access, error)
	// SetPassword keeps the digest of a password, "" for none. Error: NotFound.
	SetPassword(ctx context.Context, id idbridge.UserID, phc idbridge.Secret, by string) error
	// Application reads an application by name. Error: NotFound.
	Application(ctx context.Context, name string) (idbridge.Application, error)
	// AddAudit writes one row.
	AddAudit(ctx context.Context, a idbridge.Audit) error
}

// grants reads and changes who has which role.
type grants interface {
	Roles(ctx context.Context) ([]idbridge.RoleCount, error)
	Grants(ctx context.Context, id idbridge.UserID) ([]idbridge.Grant, error)
	// GrantRole gives a role by hand.
	GrantRole(ctx context.Context, id idbridge.UserID, role idbridge.Role, application, by string) error
	// RevokeRole takes a role that was given by hand. Errors: NotFound, Forbidden.
	RevokeRole(ctx context.Context, id idbridge.UserID, role idbridge.Role, application, by string) error
}

// keys makes and ends keys.
type keys interface {
	Keys(ctx context.Context, id idbridge.UserID) ([]idbridge.Key, error)
	// CreateKey replaces the primary key of the user in one transaction. Error: Exists when the id is taken.
	CreateKey(ctx context.Context, k idbridge.Key, by string) (idbridge.Key, error)
	// SetKeyEnabled switches a key. Errors: NotFound, Conflicting for a revoked one.
	SetKeyEnabled(ctx context.Context, id idbridge.KeyID, on bool, by string) error
	// RevokeKey ends a key for good. Error: NotFound.
	RevokeKey(ctx context.Context, id idbridge.KeyID, by, reason string) error
}

// Store is what the API asks of the store, in parts of few methods each.
type Store interface {
	people
	standing
	grants
	keys
}
