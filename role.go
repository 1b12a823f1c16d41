package idbridge

import "time"

// Role is a name that applications ask about.
type Role string

// The built-in roles.
const (
	Admin            Role = "ADMIN"
	SuperConsumer    Role = "SUPER_CONSUMER"
	APIKeyGeneration Role = "API_KEY_GENERATION" //nolint:gosec // the name of a role, no credential
)

// Grant says that a user has a role, and where it came from.
type Grant struct {
	User        UserID    `json:"user,omitempty"`
	Role        Role      `json:"role"`
	Application string    `json:"application,omitempty"` // "" is global
	Directory   string    `json:"directory,omitempty"`   // "" is manual
	Group       string    `json:"group,omitempty"`       // id of the group in the directory
	GroupName   string    `json:"groupName,omitempty"`
	By          string    `json:"by,omitempty"` // who granted it by hand
	Since       time.Time `json:"since,omitzero"`
}

// Manual tells that a person granted it; a run never removes such a grant.
func (g *Grant) Manual() bool { return g.Directory == "" }

// RoleRule gives a role to the members of a directory's group.
type RoleRule struct {
	Role        Role
	Application string
	Directory   string
	Group       string // the group's DN, compared by the directory's rules
}
