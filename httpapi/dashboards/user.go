package dashboards

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/rest"
)

// The roles that a user may have on an application.
const (
	codeRestricted           idbridge.Role = "CODE_RESTRICTED"
	qualityManager           idbridge.Role = "QUALITY_MANAGER"
	exclusionManager         idbridge.Role = "EXCLUSION_MANAGER"
	qualityAutomationManager idbridge.Role = "QUALITY_AUTOMATION_MANAGER"
)

// userView is the caller. Applications is nil, and left out, when they were not asked for.
type userView struct {
	Href          string             `json:"href"`
	Name          string             `json:"name"`
	ContextUUID   string             `json:"contextUuid"`
	Administrator bool               `json:"administrator"`
	SuperConsumer bool               `json:"superConsumer"`
	Applications  *[]applicationView `json:"userApplicationDetail,omitempty"`
}

type applicationView struct {
	Detail detailView `json:"applicationDetail"`
	Roles  rolesView  `json:"applicationRoles"`
}

type detailView struct {
	Name        string `json:"name"`
	Href        string `json:"href"`
	ADGDatabase string `json:"adgDatabase,omitempty"`
	Snapshots   int    `json:"nbOfAuthorizedSnapshots"`
	Latest      string `json:"latestSnapshotDate,omitempty"`
}

type rolesView struct {
	CodeRestricted           bool `json:"codeRestricted"`
	QualityManager           bool `json:"qualityManager"`
	ExclusionManager         bool `json:"exclusionManager"`
	QualityAutomationManager bool `json:"qualityAutomationManager"`
}

// databaseView is one type of database that is in use. Clients test the connection by reading an array of them.
type databaseView struct {
	Href    string `json:"href"`
	Name    string `json:"name"`
	DBType  string `json:"dbType"`
	Version string `json:"version"`
}

type serverView struct {
	Href    string `json:"href"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

// rights is what the caller may see, read again for this request.
type rights struct {
	who                  *credential.Caller
	admin, superConsumer bool
}

// rightsOf reads the rights of a caller. A key that carries a part of its user's rights brings none of these, and in SAML
// mode no key brings ADMIN: he did not go through his identity provider.
func (f *Facade) rightsOf(who *credential.Caller) rights {
	r := rights{who: who}
	r.admin = who.Whole() && who.Has(idbridge.Admin) && (f.config.SecurityMode != ModeSAML || who.Key == "")
	r.superConsumer = r.admin || who.Whole() && who.Has(idbridge.SuperConsumer)
	return r
}

// has tells whether the caller has a role on an application, or globally.
func (r *rights) has(role idbridge.Role, application string) bool {
	return r.who.Whole() && r.who.Access.Has(role, application)
}

// sees tells whether the caller is authorised for an application: he sees all, or has a role on it.
func (r *rights) sees(a *idbridge.Application) bool {
	if r.superConsumer {
		return true
	}
	if !r.who.Whole() {
		return false
	}
	return slices.ContainsFunc(r.who.Access.Grants, func(g idbridge.Grant) bool {
		if g.Application != "" {
			return g.Application == a.Name
		}
		return g.Role == codeRestricted || g.Role == qualityManager || g.Role == exclusionManager || g.Role == qualityAutomationManager
	})
}

func (f *Facade) user(w http.ResponseWriter, r *http.Request) {
	if who, ok := f.gate.Enter(w, r); ok {
		f.describe(w, r, &who)
	}
}

// describe answers with the user object.
func (f *Facade) describe(w http.ResponseWriter, r *http.Request, who *credential.Caller) {
	wanted, err := readWanted(r.URL.RawQuery)
	if err != nil {
		f.gate.Fail(w, r, err)
		return
	}
	rights := f.rightsOf(who)
	v := userView{Href: "user", Name: who.Name(), ContextUUID: contextOf(who), Administrator: rights.admin, SuperConsumer: rights.superConsumer}
	if wanted.asked {
		all, err := f.config.Store.Applications(r.Context())
		if err != nil {
			f.gate.Fail(w, r, err)
			return
		}
		list := rights.applications(all, &wanted)
		v.Applications = &list
	}
	rest.Answer(w, http.StatusOK, &v)
}

// contextOf returns the UUID of the caller's session; without one, any.
func contextOf(who *credential.Caller) string {
	if who.Session != nil {
		return who.Session.Context
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// wanted is which applications the client asks for.
type wanted struct {
	asked        bool
	name, dbType string
}

const allApplications = "$all"

// readWanted reads application-name and db-type: both or none, each once. Error: 400.
func readWanted(query string) (wanted, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return wanted{}, problem.New(problem.Malformed, "The query cannot be read.")
	}
	names, types := values["application-name"], values["db-type"]
	switch {
	case len(names) == 0 && len(types) == 0:
		return wanted{}, nil
	case len(names) != 1 || len(types) != 1:
		return wanted{}, problem.New(problem.Malformed, "Give application-name and db-type, each once.")
	case types[0] != idbridge.DatabaseAAD && types[0] != idbridge.DatabaseADG:
		return wanted{}, problem.New(problem.Malformed, "db-type is AAD or ADG.")
	}
	return wanted{true, names[0], types[0]}, nil
}

// applications returns those that are wanted and that the caller is authorised for, possibly none.
func (r *rights) applications(all []idbridge.Application, want *wanted) []applicationView {
	list := []applicationView{}
	for i := range all {
		a := &all[i]
		if a.DBType != want.dbType || want.name != allApplications && want.name != a.Name || !r.sees(a) {
			continue
		}
		list = append(list, applicationView{
			detailView{a.Name, a.Href, a.ADGDatabase, a.Snapshots, a.Latest},
			rolesView{
				r.has(codeRestricted, a.Name), r.has(qualityManager, a.Name), r.has(exclusionManager, a.Name),
				r.has(qualityAutomationManager, a.Name),
			},
		})
	}
	return list
}

func (f *Facade) databases(w http.ResponseWriter, r *http.Request) {
	if _, ok := f.gate.Enter(w, r); !ok {
		return
	}
	all, err := f.config.Store.Applications(r.Context())
	if err != nil {
		f.gate.Fail(w, r, err)
		return
	}
	list := []databaseView{}
	for _, t := range []string{idbridge.DatabaseAAD, idbridge.DatabaseADG} {
		if slices.ContainsFunc(all, func(a idbridge.Application) bool { return a.DBType == t }) {
			list = append(list, databaseView{t, t, t, f.config.Version})
		}
	}
	rest.Answer(w, http.StatusOK, list)
}

func (f *Facade) server(w http.ResponseWriter, r *http.Request) {
	if _, ok := f.gate.Enter(w, r); ok {
		rest.Answer(w, http.StatusOK, serverView{"server", "idbridge", f.config.Version})
	}
}
