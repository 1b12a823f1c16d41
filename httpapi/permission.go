package httpapi

import (
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// Permission is the right to use a part of the API. Roles have permissions; a key carries them only as far as its scopes.
type Permission string

// The permissions.
const (
	KeysGenerate  Permission = "keys.generate"
	KeysAdmin     Permission = "keys.admin"
	KeysVerify    Permission = "keys.verify"
	RolesCheck    Permission = "roles.check"
	RolesAdmin    Permission = "roles.admin"
	UsersRead     Permission = "users.read"
	UsersAdmin    Permission = "users.admin"
	SyncRun       Permission = "sync.run"
	SyncApprove   Permission = "sync.approve"
	SettingsAdmin Permission = "settings.admin"
	AuditRead     Permission = "audit.read"
)

// Permissions returns all of them.
func Permissions() []Permission {
	return []Permission{
		KeysGenerate, KeysAdmin, KeysVerify, RolesCheck, RolesAdmin, UsersRead, UsersAdmin, SyncRun, SyncApprove, SettingsAdmin, AuditRead,
	}
}

func (p Permission) known() bool { return slices.Contains(Permissions(), p) }

// DefaultPermissions returns what the built-in roles may do.
func DefaultPermissions() map[idbridge.Role][]Permission {
	return map[idbridge.Role][]Permission{
		idbridge.Admin:            Permissions(),
		idbridge.SuperConsumer:    {KeysVerify, RolesCheck},
		idbridge.APIKeyGeneration: {KeysGenerate},
	}
}

// rolesOf turns role → permissions round: permission → roles that give it.
func rolesOf(more map[idbridge.Role][]Permission) map[Permission][]idbridge.Role {
	out := map[Permission][]idbridge.Role{}
	for _, table := range []map[idbridge.Role][]Permission{DefaultPermissions(), more} {
		for role, permissions := range table {
			for _, p := range permissions {
				if !slices.Contains(out[p], role) {
					out[p] = append(out[p], role)
				}
			}
		}
	}
	return out
}

// may tells whether the caller has the permission: one of his global roles gives it, and his key's scopes carry it.
func (s *Server) may(who *credential.Caller, p Permission) bool {
	if !who.Scoped(string(p)) {
		return false
	}
	for _, role := range s.roles[p] {
		if who.Has(role) {
			return true
		}
	}
	return false
}

// mayAny refuses the caller unless he has one of the permissions; none asks for a sign-in only.
func (s *Server) mayAny(who *credential.Caller, permissions []Permission) error {
	if len(permissions) == 0 {
		return nil
	}
	for _, p := range permissions {
		if s.may(who, p) {
			return nil
		}
	}
	return problem.New(problem.Forbidden, "")
}

// whole refuses a key that carries only some of its user's rights.
func whole(who *credential.Caller) error {
	if who.Whole() {
		return nil
	}
	return problem.New(problem.Forbidden, "The key's scopes do not allow this.")
}
