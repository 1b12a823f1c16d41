package publish

import (
	"net/http"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/rest"
)

// verifiedView is the answer to a console whose token is an administrator's key.
type verifiedView struct {
	Status string `json:"status"`
	User   string `json:"user"`
	Admin  bool   `json:"admin"`
}

// verify tells a console whether it may publish here. Whatever is wrong with the key, the answer is the same 403. The body
// is not looked at.
func (f *Facade) verify(w http.ResponseWriter, r *http.Request) {
	who, err := f.target.Who(r)
	if err != nil {
		if p := f.target.Report(w, r, err); p.Status == http.StatusUnauthorized {
			err = problem.New(problem.Forbidden, "")
		}
		f.target.Fail(w, r, err)
		return
	}
	if !who.Has(idbridge.Admin) || !who.Whole() {
		rest.Refuse(w, http.StatusForbidden)
		return
	}
	rest.Answer(w, http.StatusOK, verifiedView{"success", who.Name(), true})
}
