package publish

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/problem"
	"github.com/idbridge/idbridge/httpapi/rest"
	"github.com/idbridge/idbridge/httpapi/strict"
)

// settingName is the one target's place in the store.
const settingName = "publish-target"

const maxBody = 16 << 10

// settingsView is the target without its secrets. Members of the other form are null or false.
type settingsView struct {
	Result      string   `json:"result,omitempty"`
	Reason      Reason   `json:"reason,omitempty"`
	URL         string   `json:"url"`
	Form        string   `json:"form"`
	Username    *string  `json:"username"`
	ETLPort     *int     `json:"etlPort"`
	APIKeySet   bool     `json:"apiKeySet"`
	APIKeyLast4 *string  `json:"apiKeyLast4"`
	PasswordSet bool     `json:"passwordSet"`
	ETLTokenSet bool     `json:"etlTokenSet"`
	SavedAt     string   `json:"savedAt"`
	SavedBy     string   `json:"savedBy"`
	LastTest    testView `json:"lastTest"`
}

// testView is what a test found.
type testView struct {
	Result string `json:"result"`
	Reason Reason `json:"reason,omitempty"`
	At     string `json:"at,omitempty"`
}

func viewOf(t *Target, last Outcome, at time.Time, by string) settingsView {
	v := settingsView{
		URL: t.URL, Form: t.Form, SavedAt: at.UTC().Format(time.RFC3339), SavedBy: by,
		APIKeySet: !t.APIKey.IsEmpty(), PasswordSet: !t.Password.IsEmpty(), ETLTokenSet: !t.ETLToken.IsEmpty(),
		LastTest: testView{last.Result, last.Reason, last.At.UTC().Format(time.RFC3339)},
	}
	if t.Form == PasswordForm {
		v.Username, v.ETLPort = &t.Username, &t.ETLPort
		return v
	}
	if key := t.APIKey.Reveal(); len(key) >= 4*4 { // of a shorter one four characters would tell too much
		last4 := key[len(key)-4:]
		v.APIKeyLast4 = &last4
	}
	return v
}

// request is one request about the settings, by somebody who may change them.
type request struct {
	*http.Request

	who credential.Caller
}

// admin is the way of all requests about the settings: who asks, may he, then the operation. Errors are problems.
func (f *Facade) admin(op func(http.ResponseWriter, *request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := f.console.Who(r)
		if err == nil && !f.mayAdminister(&who) {
			err = problem.New(problem.Forbidden, "This needs the permission settings.admin.")
		}
		if err == nil {
			err = op(w, &request{r, who})
		}
		if err != nil {
			writeProblem(w, f.console.Report(w, r, err))
		}
	}
}

// writeProblem writes an error as the native API does.
func writeProblem(w http.ResponseWriter, of *problem.Problem) {
	p := *of
	h := w.Header()
	p.Instance = h.Get("X-Request-Id")
	for name, values := range p.GetHeaders() {
		h[name] = values
	}
	body, err := json.Marshal(&p)
	if err != nil { // not with a problem
		body = []byte("{}")
	}
	h.Set("Content-Type", problem.MediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // a client that went away
}

func (f *Facade) read(w http.ResponseWriter, r *request) error {
	t, last, at, by, err := f.saved(r.Context())
	if err != nil {
		return err
	}
	rest.Answer(w, http.StatusOK, viewOf(&t, last, at, by))
	return nil
}

// saved reads the target. Error: 404 for none.
func (f *Facade) saved(ctx context.Context) (t Target, last Outcome, at time.Time, by string, err error) {
	raw, at, by, err := f.config.Store.Setting(ctx, settingName)
	if err != nil {
		if idbridge.KindOf(err) == idbridge.NotFound {
			err = problem.New(problem.NotFound, "No publish target is set.").Because(err)
		}
		return t, last, at, by, err
	}
	t, last, err = decode(raw)
	return t, last, at, by, err
}

// save tests a target and keeps it if it can be published to, or if the client insists. A failure keeps what was there.
func (f *Facade) save(w http.ResponseWriter, r *request) error {
	force, err := forced(r.Request)
	if err != nil {
		return err
	}
	t, err := readTarget(w, r.Request)
	if err != nil {
		return err
	}
	if t == nil {
		return problem.New(problem.Malformed, "The body is empty.")
	}
	found := f.tried(r.Context(), t)
	if found.Reason != "" && !force {
		rest.Answer(w, http.StatusUnprocessableEntity, testView{Result: found.Result, Reason: found.Reason})
		return nil
	}
	raw, err := encode(t, found)
	if err == nil {
		err = f.config.Store.PutSetting(r.Context(), settingName, raw, r.who.Name())
	}
	if err != nil {
		return err
	}
	v := viewOf(t, found, f.config.Now(), r.who.Name())
	v.Result, v.Reason = found.Result, found.Reason
	rest.Answer(w, http.StatusOK, v)
	return nil
}

// test tries the target of the body, or the saved one without a body, and keeps nothing.
func (f *Facade) test(w http.ResponseWriter, r *request) error {
	t, err := readTarget(w, r.Request)
	if err != nil {
		return err
	}
	if t == nil {
		kept, _, _, _, err := f.saved(r.Context())
		if err != nil {
			return err
		}
		t = &kept
	}
	found := f.tried(r.Context(), t)
	rest.Answer(w, http.StatusOK, testView{Result: found.Result, Reason: found.Reason})
	return nil
}

func (f *Facade) remove(w http.ResponseWriter, r *request) error {
	err := f.config.Store.DeleteSetting(r.Context(), settingName, r.who.Name())
	if err != nil && idbridge.KindOf(err) != idbridge.NotFound {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent) // also when there was none: it is gone
	return nil
}

// tried tests a target. A failure is an error line with what the target said, since an operator has to act on it.
func (f *Facade) tried(ctx context.Context, t *Target) Outcome {
	reason, answered := f.tester.Test(ctx, t)
	if reason == "" {
		return Outcome{Result: "success", At: f.config.Now()}
	}
	f.config.Log.LogAttrs(ctx, slog.LevelError, "publish target test failed", slog.String("url", t.URL), slog.String("reason", string(reason)),
		slog.String("answered", answered))
	return Outcome{Result: "failure", Reason: reason, At: f.config.Now()}
}

// forced reads ?force=true. Error: 400 for anything else.
func forced(r *http.Request) (bool, error) {
	switch values := r.URL.Query()["force"]; {
	case len(values) == 0:
		return false, nil
	case len(values) == 1 && values[0] == "true":
		return true, nil
	case len(values) == 1 && values[0] == "false":
		return false, nil
	}
	return false, problem.New(problem.Malformed, "force is true or false.")
}

// readTarget reads a target from the body; nil for no body. Errors: 400, 413, 415, 422.
func readTarget(w http.ResponseWriter, r *http.Request) (*Target, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, problem.New(problem.TooLarge, "")
	case err != nil:
		return nil, problem.New(problem.Malformed, "The body cannot be read.").Because(err)
	case len(raw) == 0:
		return nil, nil //nolint:nilnil // no body is no target and no fault
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, problem.New(problem.UnsupportedMediaType, "")
	}
	var body targetBody
	if err := strict.Unmarshal(raw, &body); err != nil {
		return nil, problem.New(problem.Malformed, "The body is not the JSON that this takes.").Because(err)
	}
	t, at, fault := body.target()
	if fault != "" {
		return nil, problem.New(problem.Invalid, "The target cannot be taken.").At("body."+at, fault)
	}
	return &t, nil
}
