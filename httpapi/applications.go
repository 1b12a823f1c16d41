package httpapi

import (
	"context"
	"net/http"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
)

// applicationView is what is known about an application that roles are granted on.
type applicationView struct {
	Name        string `json:"name"`
	Href        string `json:"href"`
	DBType      string `json:"dbType" enum:"AAD,ADG"`
	ADGDatabase string `json:"adgDatabase"`
	Snapshots   int    `json:"snapshots"`
	Latest      string `json:"latest" doc:"Date of the latest snapshot, YYYY-MM-DD; empty for none."`
}

func viewApplication(a *idbridge.Application) applicationView {
	return applicationView{a.Name, a.Href, a.DBType, a.ADGDatabase, a.Snapshots, a.Latest}
}

type applicationsOutput struct {
	Body struct {
		Items []applicationView `json:"items"`
	}
}

type applicationOutput struct{ Body applicationView }

func (s *Server) listApplications(ctx context.Context, _ *credential.Caller, _ *empty) (*applicationsOutput, error) {
	list, err := s.config.Store.Applications(ctx)
	if err != nil {
		return nil, err
	}
	out := &applicationsOutput{}
	out.Body.Items = make([]applicationView, 0, len(list))
	for i := range list {
		out.Body.Items = append(out.Body.Items, viewApplication(&list[i]))
	}
	return out, nil
}

// ApplicationPath names an application.
type ApplicationPath struct {
	Name string `path:"name" maxLength:"255"`
}

func (s *Server) readApplication(ctx context.Context, _ *credential.Caller, in *ApplicationPath) (*applicationOutput, error) {
	a, err := s.config.Store.Application(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &applicationOutput{viewApplication(&a)}, nil
}

type putApplicationInput struct {
	ApplicationPath
	Body struct {
		Href        string `json:"href,omitempty" maxLength:"2000"`
		DBType      string `json:"dbType,omitempty" enum:"AAD,ADG" doc:"Default AAD."`
		ADGDatabase string `json:"adgDatabase,omitempty" maxLength:"2000"`
		Snapshots   int    `json:"snapshots,omitempty" minimum:"0" maximum:"1000000"`
		Latest      string `json:"latest,omitempty" format:"date"`
	}
}

// putApplication makes an application, or replaces all that is known about it.
func (s *Server) putApplication(ctx context.Context, who *credential.Caller, in *putApplicationInput) (*applicationOutput, error) {
	b := &in.Body
	err := s.config.Store.PutApplication(ctx, idbridge.Application{
		Name: in.Name, Href: b.Href, DBType: b.DBType, ADGDatabase: b.ADGDatabase, Snapshots: b.Snapshots, Latest: b.Latest,
	}, by(who))
	if err != nil {
		return nil, err
	}
	return s.readApplication(ctx, who, &in.ApplicationPath)
}

// deleteApplication forgets an application; roles that were granted on it stay.
func (s *Server) deleteApplication(ctx context.Context, who *credential.Caller, in *ApplicationPath) (*struct{}, error) {
	if err := s.config.Store.DeleteApplication(ctx, in.Name, by(who)); err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

func (s *Server) applicationRoutes() {
	const tag, path = "applications", "/applications/{name}"
	need, unknown := []Permission{RolesAdmin}, []int{http.StatusNotFound}
	register(s, operation{method: http.MethodGet, path: "/applications", id: "list-applications", summary: "Applications, by name", tag: tag, need: need}, s.listApplications)
	register(s, operation{method: http.MethodGet, path: path, id: "read-application", summary: "One application", tag: tag, need: need, errors: unknown}, s.readApplication)
	register(s, operation{
		method: http.MethodPut, path: path, id: "put-application", summary: "Make an application, or replace what is known about it", tag: tag, need: need,
	}, s.putApplication)
	register(s, operation{
		method: http.MethodDelete, path: path, id: "delete-application", summary: "Forget an application; roles on it stay", tag: tag, need: need, errors: unknown,
	}, s.deleteApplication)
}
