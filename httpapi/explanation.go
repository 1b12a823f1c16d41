package httpapi

import (
	"slices"
	"time"

	"github.com/idbridge/idbridge"
)

// explanationView is why a user is as he is.
type explanationView struct {
	User      idbridge.UserID   `json:"user"`
	Name      string            `json:"name"`
	Kind      idbridge.UserKind `json:"kind" enum:"person,service"`
	At        *time.Time        `json:"at" doc:"When the directories were asked."`
	Access    accessView        `json:"access"`
	Records   []recordView      `json:"records" doc:"One for each link."`
	Grants    []GrantView       `json:"grants"`
	Keys      []*keyView        `json:"keys" doc:"Without their secrets."`
	Runs      []runView         `json:"runs,omitempty" doc:"The last of his directories, newest first; not in one's own explanation."`
	Events    []eventView       `json:"events" doc:"Newest first."`
	Conflicts []conflictView    `json:"conflicts" doc:"That wait for a person."`
	NotDone   []string          `json:"notDone" doc:"What is left undone, and why."`
}

type accessView struct {
	May bool   `json:"may"`
	Why string `json:"why"`
}

// recordView follows one record from the directory to the store.
type recordView struct {
	Directory  string             `json:"directory"`
	Record     string             `json:"record" doc:"The record's id in the directory."`
	State      idbridge.LinkState `json:"state"`
	Linked     string             `json:"linked" doc:"How record and user came together."`
	Scope      scopeView          `json:"scope"`
	Error      string             `json:"error,omitempty" doc:"The directory could not be asked: the rest is what the store knows."`
	Matched    string             `json:"matched"`
	Missed     int                `json:"missed,omitempty" doc:"Complete listings in a row without it."`
	Since      *time.Time         `json:"since,omitempty"`
	Situation  idbridge.Situation `json:"situation" doc:"Where a run would put it now."`
	Why        string             `json:"why,omitempty"`
	Attributes []attributeView    `json:"attributes"`
	Steps      []stepView         `json:"steps" doc:"What a run would do now."`
	Withheld   []withheldView     `json:"withheld" doc:"Values that are not taken."`
	Backoff    *backoffView       `json:"backoff,omitempty" doc:"The directory refused writes; it is not asked again before."`
}

type scopeView struct {
	Found    bool        `json:"found" doc:"Somewhere on the server, in scope or not."`
	Locator  string      `json:"locator,omitempty"`
	Version  string      `json:"version,omitempty"`
	InBase   supportView `json:"inBase"`
	InFilter supportView `json:"inFilter"`
}

type supportView struct {
	OK     bool   `json:"ok"`
	Reason string `json:"reason,omitempty"`
}

// attributeView is one attribute as the three sides hold it, and what follows.
type attributeView struct {
	Attribute  idbridge.Attribute  `json:"attribute"`
	Flow       string              `json:"flow"`
	OnConflict string              `json:"onConflict,omitempty"`
	Values     threeValues         `json:"values"`
	Known      bool                `json:"known" doc:"The directory's value could be read."`
	Outcome    string              `json:"outcome" doc:"nothing, store, directory, base, conflict, held, withheld or kept."`
	Becomes    *valueSet           `json:"becomes,omitempty" doc:"Where a side changes."`
	Why        string              `json:"why" doc:"Also when nothing is done."`
	Conflict   idbridge.ConflictID `json:"conflict,omitempty"`
}

type withheldView struct {
	Attribute idbridge.Attribute `json:"attribute,omitempty"`
	Value     string             `json:"value"`
	Holder    idbridge.UserID    `json:"holder,omitempty" doc:"Who has it."`
	Why       string             `json:"why"`
}

type backoffView struct {
	Attempts int        `json:"attempts"`
	Until    *time.Time `json:"until"`
	Why      string     `json:"why"`
}

// eventView is one thing that happened to a user.
type eventView struct {
	At        *time.Time         `json:"at"`
	Actor     string             `json:"actor"`
	What      string             `json:"what"`
	Attribute idbridge.Attribute `json:"attribute,omitempty"`
	Before    string             `json:"before,omitempty"`
	After     string             `json:"after,omitempty"`
	Run       idbridge.RunID     `json:"run,omitempty"`
	Why       string             `json:"why,omitempty"`
}

// viewExplanation shows an explanation, or of it only what is about one attribute when that is not "".
func (s *Server) viewExplanation(e *idbridge.Explanation, only idbridge.Attribute) explanationView {
	v := explanationView{
		User: e.User, Name: e.Name, Kind: e.Kind, At: moment(e.At), Access: accessView(e.Access), Grants: viewGrants(e.Grants), NotDone: nonNil(e.NotDone),
		Records: make([]recordView, 0, len(e.Records)), Keys: make([]*keyView, 0, len(e.Keys)), Runs: make([]runView, 0, len(e.Runs)),
		Events: []eventView{}, Conflicts: []conflictView{},
	}
	for i := range e.Records {
		v.Records = append(v.Records, viewRecord(&e.Records[i], only))
	}
	for i := range e.Keys {
		v.Keys = append(v.Keys, s.viewKey(&e.Keys[i]))
	}
	for i := range e.Runs {
		v.Runs = append(v.Runs, viewRun(&e.Runs[i]))
	}
	for i := range e.Events {
		if x := &e.Events[i]; only == "" || x.Attribute == "" || x.Attribute == only {
			v.Events = append(v.Events, eventView{moment(x.At), x.Actor, x.What, x.Attribute, x.Before, x.After, x.Run, x.Why})
		}
	}
	for i := range e.Open {
		if only == "" || e.Open[i].Attribute == only {
			v.Conflicts = append(v.Conflicts, viewConflict(&e.Open[i]))
		}
	}
	return v
}

func viewRecord(r *idbridge.ExplainedRecord, only idbridge.Attribute) recordView {
	v := recordView{
		Directory: r.Link.Directory, Record: r.Link.ID, State: r.State, Linked: r.Linked, Error: r.Error, Matched: r.Matched, Missed: r.Sightings,
		Since: moment(r.Since), Situation: r.Situation, Why: r.Why, Attributes: make([]attributeView, 0, len(r.Attributes)),
		Scope: scopeView{r.Scope.Found, r.Scope.Locator, r.Scope.Version, viewSupport(r.Scope.InBase), viewSupport(r.Scope.InFilter)},
		Steps: viewSteps(r.Steps), Withheld: viewWithheld(r.Withheld),
	}
	if only != "" {
		v.Withheld = slices.DeleteFunc(v.Withheld, func(w withheldView) bool { return w.Attribute != "" && w.Attribute != only })
	}
	if b := r.Backoff; b != nil {
		v.Backoff = &backoffView{b.Attempts, moment(b.Until), b.Why}
	}
	for i := range r.Attributes {
		if a := &r.Attributes[i]; only == "" || a.Attribute == only {
			v.Attributes = append(v.Attributes, viewAttribute(a))
		}
	}
	return v
}

func viewSupport(x idbridge.Support) supportView { return supportView{x.OK, x.Reason} }

func viewAttribute(a *idbridge.ExplainedAttribute) attributeView {
	v := attributeView{
		Attribute: a.Attribute, Flow: a.Flow, OnConflict: a.OnConflict, Known: a.Known, Outcome: a.Outcome, Why: a.Why, Conflict: a.Conflict,
		Values: threeValues{valueSet(nonNil(a.Base)), valueSet(nonNil(a.Store)), valueSet(nonNil(a.Directory))},
	}
	if a.Becomes != nil {
		becomes := valueSet(a.Becomes)
		v.Becomes = &becomes
	}
	return v
}

func viewWithheld(list []idbridge.Withheld) []withheldView {
	out := make([]withheldView, 0, len(list))
	for i := range list {
		out = append(out, withheldView{list[i].Attribute, list[i].Value, list[i].Holder, list[i].Why})
	}
	return out
}
