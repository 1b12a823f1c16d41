package authstore

import "github.com/idbridge/idbridge"

// UserFilter selects users. The zero filter selects all, in pages of 100.
type UserFilter = idbridge.UserFilter

// NewUser is a user made by a person, not by a run.
type NewUser = idbridge.NewUser

// UserEdit is a change of a user's details made in the store.
type UserEdit = idbridge.UserEdit

// RoleCount says how many users have a role, from whatever source.
type RoleCount = idbridge.RoleCount

// RunFilter selects runs, newest first.
type RunFilter = idbridge.RunFilter

// ConflictFilter selects conflicts by id.
type ConflictFilter = idbridge.ConflictFilter

// QuarantineRow is one record, or one value of it, that cannot be used.
type QuarantineRow = idbridge.QuarantineRow

// StatusCounts says what waits in one directory.
type StatusCounts = idbridge.StatusCounts

// AuditFilter selects audit rows, newest first.
type AuditFilter = idbridge.AuditFilter

const (
	defaultPage = 100
	maxPage     = 1000
)

// page returns the number of rows that a limit asks for.
func page(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}
