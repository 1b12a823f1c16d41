package httpapi

import (
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
)

// moment turns a time of the store into one for JSON: UTC, nil for never.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}

// GrantView is a role that a user has, and where it came from.
type GrantView struct {
	Role        idbridge.Role `json:"role"`
	Application string        `json:"application,omitempty" doc:"Absent: everywhere."`
	Origin      string        `json:"origin" doc:"A directory's name, or local."`
	Group       string        `json:"group,omitempty" doc:"The directory's group that gives it."`
	By          string        `json:"by,omitempty" doc:"Who granted it by hand."`
	Since       *time.Time    `json:"since,omitempty"`
}

// local is the origin of what no directory gave.
const local = "local"

func viewGrant(g *idbridge.Grant) GrantView {
	v := GrantView{Role: g.Role, Application: g.Application, Origin: g.Directory, Group: g.GroupName, By: g.By, Since: moment(g.Since)}
	if g.Manual() {
		v.Origin = local
	}
	return v
}

func viewGrants(grants []idbridge.Grant) []GrantView {
	out := make([]GrantView, 0, len(grants))
	for i := range grants {
		out = append(out, viewGrant(&grants[i]))
	}
	return out
}

// globalRoles returns the names of the roles that hold everywhere, sorted, each once.
func globalRoles(a *idbridge.Access) []idbridge.Role {
	out := make([]idbridge.Role, 0, len(a.Grants))
	for i := range a.Grants {
		if a.Grants[i].Application == "" {
			out = append(out, a.Grants[i].Role)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// keyView is a key without its secret.
type keyView struct {
	ID           idbridge.KeyID    `json:"id"`
	User         idbridge.UserID   `json:"user"`
	Slot         string            `json:"slot" doc:"primary, or a name."`
	State        idbridge.KeyState `json:"state" enum:"active,disabled,pending,expired,revoked,rotated"`
	Enabled      bool              `json:"enabled"`
	Scopes       []string          `json:"scopes"`
	Allow        []string          `json:"allow" doc:"Networks that it may come from; none: from anywhere."`
	CreatedAt    *time.Time        `json:"createdAt"`
	CreatedBy    string            `json:"createdBy"`
	NotBefore    *time.Time        `json:"notBefore"`
	ExpiresAt    *time.Time        `json:"expiresAt"`
	OverlapUntil *time.Time        `json:"overlapUntil,omitempty" doc:"Another key took its place: this one is good until then."`
	ReplacedBy   idbridge.KeyID    `json:"replacedBy,omitempty"`
	RevokedAt    *time.Time        `json:"revokedAt,omitempty"`
	RevokeReason string            `json:"revokeReason,omitempty"`
	LastUsed     *time.Time        `json:"lastUsedAt" doc:"May be a minute behind."`
	LastAddress  string            `json:"lastUsedIp,omitempty"`
	Uses         int64             `json:"uses"`
	Version      int64             `json:"version" doc:"Also the ETag."`
}

func (s *Server) viewKey(k *idbridge.Key) *keyView {
	return &keyView{
		ID: k.ID, User: k.User, Slot: k.Slot, State: k.State(s.config.Now()), Enabled: k.Enabled, Scopes: nonNil(k.Scopes), Allow: nonNil(k.Allow),
		CreatedAt: moment(k.Created), CreatedBy: k.CreatedBy, NotBefore: moment(k.NotBefore), ExpiresAt: moment(k.Expires),
		OverlapUntil: moment(k.Overlap), ReplacedBy: k.ReplacedBy, RevokedAt: moment(k.Revoked), RevokeReason: k.Reason,
		LastUsed: moment(k.LastUsed), LastAddress: k.LastAddress, Uses: k.Uses, Version: k.Version,
	}
}

func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// linkView is a record that a user is linked to.
type linkView struct {
	Directory string             `json:"directory"`
	ID        string             `json:"id"`
	Locator   string             `json:"locator,omitempty"`
	State     idbridge.LinkState `json:"state"`
	Since     *time.Time         `json:"since,omitempty"`
}

func viewLinks(links []idbridge.Link) []linkView {
	out := make([]linkView, 0, len(links))
	for i := range links {
		l := &links[i]
		out = append(out, linkView{Directory: l.ID.Directory, ID: l.ID.ID, Locator: l.Locator, State: l.State, Since: moment(l.Since)})
	}
	return out
}

// valueSet is a set of values in an answer: texts, and {"base64":"…"} for octets that are not text.
type valueSet idbridge.Values

// MarshalJSON writes the set as the dictionary does.
func (v valueSet) MarshalJSON() ([]byte, error) {
	return idbridge.Values(v).MarshalJSON() //nolint:wrapcheck // it says what it is
}

// Schema describes the set in the document.
func (valueSet) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeString},
		{
			Type: huma.TypeObject, Required: []string{"base64"}, AdditionalProperties: false,
			Properties: map[string]*huma.Schema{"base64": {Type: huma.TypeString, ContentEncoding: "base64"}},
		},
	}}}
}

// userView is a user as administrators see him.
type userView struct {
	ID        idbridge.UserID                 `json:"id"`
	Kind      idbridge.UserKind               `json:"kind" enum:"person,service"`
	UserName  string                          `json:"userName"`
	Profile   map[idbridge.Attribute]valueSet `json:"profile" doc:"Every attribute that the store holds, each a set."`
	Suspended bool                            `json:"suspended" doc:"By an administrator; no run lifts it."`
	Revision  int64                           `json:"revision" doc:"Also the ETag."`
	CreatedAt *time.Time                      `json:"createdAt"`
	UpdatedAt *time.Time                      `json:"updatedAt"`
	Links     []linkView                      `json:"links,omitempty" doc:"Only when one user is read."`
}

func viewUser(u *idbridge.User) *userView {
	profile := make(map[idbridge.Attribute]valueSet, len(u.Profile))
	for a, v := range u.Profile {
		profile[a] = valueSet(nonNil(v))
	}
	return &userView{
		ID: u.ID, Kind: u.Kind, UserName: u.UserName(), Profile: profile, Suspended: u.Suspended, Revision: u.Revision,
		CreatedAt: moment(u.Created), UpdatedAt: moment(u.Updated),
	}
}

// by is who acts, as audit rows and grants name him.
func by(who *credential.Caller) string { return who.Name() }
