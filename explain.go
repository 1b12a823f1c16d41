package idbridge

import "time"

// Explanation is everything that can be said about why a user is as he is: what `idbridge explain` shows.
type Explanation struct {
	User    UserID            `json:"user"`
	Name    string            `json:"name"`
	Kind    UserKind          `json:"kind"`
	At      time.Time         `json:"at"` // when the directories were asked
	Access  ExplainedAccess   `json:"access"`
	Records []ExplainedRecord `json:"records,omitempty"` // one for each link, in the order of the config
	Grants  []Grant           `json:"grants,omitempty"`
	Keys    []Key             `json:"keys,omitempty"` // without their digests
	Runs    []Run             `json:"runs,omitempty"` // the last five of his directories, newest first
	Events  []Event           `json:"events,omitempty"`
	Open    []Conflict        `json:"conflicts,omitempty"` // that wait for a person
	NotDone []string          `json:"notDone,omitempty"`   // what is left undone, and why, one sentence each
}

// ExplainedAccess says whether a user may act, and why not.
type ExplainedAccess struct {
	May bool   `json:"may"`
	Why string `json:"why"`
}

// ExplainedRecord follows one record of a user from the directory to the store.
type ExplainedRecord struct {
	Link       ExternalID           `json:"link"`
	State      LinkState            `json:"state"`
	Linked     string               `json:"linked"`             // how record and user came together, and when
	Scope      Scope                `json:"scope"`              // where it is now
	Error      string               `json:"error,omitempty"`    // the directory could not be asked: the rest is what the store knows
	Matched    string               `json:"matched"`            // by what the record was matched to the user: "by id"
	Sightings  int                  `json:"missed,omitempty"`   // complete listings in a row without it
	Since      time.Time            `json:"since,omitzero"`     // of the first of those, or of the state
	Situation  Situation            `json:"situation"`          // where a run would put it now
	Why        string               `json:"why,omitempty"`      // of the situation
	Attributes []ExplainedAttribute `json:"attributes"`         // mapped ones, sorted
	Steps      []Step               `json:"steps,omitempty"`    // what a run would do now
	Withheld   []Withheld           `json:"withheld,omitempty"` // values that are not taken
	Backoff    *Backoff             `json:"backoff,omitempty"`
}

// ExplainedAttribute is one attribute as the three sides hold it, and what follows.
type ExplainedAttribute struct {
	Attribute  Attribute  `json:"attribute"`
	Flow       string     `json:"flow"`
	OnConflict string     `json:"onConflict,omitempty"` // of flow both
	Base       Values     `json:"base"`
	Store      Values     `json:"store"`
	Directory  Values     `json:"directory"`
	Known      bool       `json:"known"`              // the directory's value could be read
	Outcome    string     `json:"outcome"`            // nothing, store, directory, base, conflict, held, withheld, kept
	Becomes    Values     `json:"becomes,omitempty"`  // where a side changes
	Why        string     `json:"why"`                // always there, also when nothing is done
	Conflict   ConflictID `json:"conflict,omitempty"` // that waits
}

// Scope says where a record is, and by which rule of the config it counts or does not.
type Scope struct {
	Found    bool    `json:"found"`   // somewhere on the server, in scope or not
	Locator  string  `json:"locator"` // where
	Version  string  `json:"version,omitempty"`
	InBase   Support `json:"inBase"`   // Reason names the base
	InFilter Support `json:"inFilter"` // Reason names the filter
}

// Event is one thing that happened to a user, for his history.
type Event struct {
	At        time.Time `json:"at"`
	Actor     string    `json:"actor"` // a user name, schedule, or a directory's name
	What      string    `json:"what"`  // update, suspend, key.create, conflict …
	Attribute Attribute `json:"attribute,omitempty"`
	Before    string    `json:"before,omitempty"`
	After     string    `json:"after,omitempty"`
	Run       RunID     `json:"run,omitempty"`
	Why       string    `json:"why,omitempty"`
}
