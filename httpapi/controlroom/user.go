package controlroom

import (
	"context"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
)

// roleView is a role as clients see it.
type roleView struct {
	Name    string `json:"name"`
	ID      int64  `json:"id"`
	Version int    `json:"version"`
}

// userView is the user object: exactly these 29 members, all of them always. What is not known is null.
type userView struct {
	ID               idbridge.UserID `json:"id"`
	Email            *string         `json:"email"`
	Username         string          `json:"username"`
	Domain           *string         `json:"domain"`
	FirstName        *string         `json:"firstName"`
	LastName         *string         `json:"lastName"`
	Version          int64           `json:"version"`
	PrincipalID      idbridge.UserID `json:"principalId"`
	Deleted          bool            `json:"deleted"`
	Roles            []roleView      `json:"roles"`
	SysAssignedRoles []string        `json:"sysAssignedRoles"`
	GroupNames       []string        `json:"groupNames"`
	Permissions      []string        `json:"permissions"`
	LicenseFeatures  []string        `json:"licenseFeatures"`
	EmailVerified    bool            `json:"emailVerified"`
	PasswordSet      bool            `json:"passwordSet"`
	QuestionsSet     bool            `json:"questionsSet"`
	EnableAutoLogin  bool            `json:"enableAutoLogin"`
	Disabled         bool            `json:"disabled"`
	ClientRegistered bool            `json:"clientRegistered"`
	Description      string          `json:"description"`
	CreatedBy        int64           `json:"createdBy"`
	CreatedOn        string          `json:"createdOn"`
	UpdatedBy        int64           `json:"updatedBy"`
	UpdatedOn        string          `json:"updatedOn"`
	PublicKey        *string         `json:"publicKey"`
	AppType          *string         `json:"appType"`
	RoutingName      *string         `json:"routingName"`
	AppURL           *string         `json:"appUrl"`
}

// user makes the user object of a proved caller from the present state.
func (f *Facade) user(ctx context.Context, who *credential.Caller) (*userView, error) {
	u, err := f.config.Store.User(ctx, who.User())
	if err != nil {
		return nil, err
	}
	links, err := f.config.Store.Links(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	v := &userView{
		ID: u.ID, Email: known(&u, idbridge.Email), Username: u.UserName(), FirstName: known(&u, idbridge.GivenName),
		LastName: known(&u, idbridge.FamilyName), Version: u.Revision, PrincipalID: u.ID, Roles: viewRoles(who.Access.Grants), SysAssignedRoles: []string{},
		GroupNames: []string{}, Permissions: f.permissions(who), LicenseFeatures: f.config.LicenseFeatures, Disabled: !who.Access.May,
		CreatedOn: date(u.Created), UpdatedOn: date(u.Updated),
	}
	if len(links) > 0 { // his directory vouches for his address, and checks his password
		v.Domain, v.EmailVerified, v.PasswordSet = &links[0].ID.Directory, v.Email != nil, true
		return v, nil
	}
	_, hash, err := f.config.Store.Password(ctx, u.UserName())
	if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
		return nil, err
	}
	v.PasswordSet = err == nil && !hash.IsEmpty()
	return v, nil
}

// known returns the first value of an attribute, nil when there is none.
func known(u *idbridge.User, a idbridge.Attribute) *string {
	if s := u.Profile[a].First(); s != "" {
		return &s
	}
	return nil
}

// viewRoles lists the roles that hold everywhere, each once, by name.
func viewRoles(grants []idbridge.Grant) []roleView {
	out := []roleView{}
	for i := range grants {
		if grants[i].Application == "" && !slices.ContainsFunc(out, func(r roleView) bool { return r.Name == string(grants[i].Role) }) {
			out = append(out, roleView{Name: string(grants[i].Role), ID: roleID(grants[i].Role)})
		}
	}
	slices.SortFunc(out, func(a, b roleView) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// roleID is a number for a role, which here is known by its name alone: the same one always and everywhere, 1 … 2⁵³−1.
func roleID(role idbridge.Role) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(role))          // never fails
	return int64(h.Sum64()%(1<<53-1)) + 1 //nolint:gosec // of 53 bits
}

// permissions lists what the caller's roles give, as far as his credential carries it.
func (f *Facade) permissions(who *credential.Caller) []string {
	out := []string{}
	for p, roles := range f.config.Roles {
		if who.Scoped(p) && slices.ContainsFunc(roles, who.Has) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// date is RFC 3339 with a numeric offset and no fraction.
func date(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05-07:00") }
