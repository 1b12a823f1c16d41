package plan

import (
	"time"

	"github.com/idbridge/idbridge"
)

// Flow says in which direction an attribute travels between one directory and the store.
type Flow string

// The flows.
const (
	Both Flow = "both" // the three-way table of README.md
	In   Flow = "in"   // the directory owns it; an edit in the store is a local override until the directory's value changes
	Out  Flow = "out"  // the store owns it; an edit in the directory is overwritten and kept in a conflict row
	Once Flow = "once" // the directory's first value, never compared again
)

// OnConflict says who wins when both sides changed an attribute differently.
type OnConflict string

// The conflict policies.
const (
	PreferDirectory OnConflict = "directory"
	PreferStore     OnConflict = "store"
	HoldConflict    OnConflict = "hold"
)

// Rule is how one attribute of one directory is merged.
type Rule struct {
	Flow       Flow
	OnConflict OnConflict
}

// Access says how many of a user's links must be active.
type Access string

// The access rules.
const (
	AllLinks Access = "all"
	AnyLink  Access = "any"
)

// Limits are the guards' thresholds of one directory. A breach needs more than the larger of floor and share.
type Limits struct {
	Removals, RemovalsCap int     // floor 5, cap 500
	RemovalsShare         float64 // 0.05
	Changes               int     // floor 20
	ChangesShare          float64 // 0.30
	Creations             int     // floor 100, after the first import
	CreationsShare        float64 // 0.20
	Members               int     // floor 10, per group
	MembersShare          float64 // 0.20
	Writes                int     // floor 100
	WritesShare           float64 // 0.01
	Grants                int     // floor 100: roles that groups give, after the first import
	GrantsShare           float64 // 0.20
	Admins                int     // floor 3: people who become administrators
	AdminsShare           float64 // 0
	Keys                  int     // floor 10: keys that are refused because their owners lose access
	KeysShare             float64 // 0.05 of the keys that work
	IDs                   int     // floor 5: new records with the login or e-mail of somebody who has another record
	IDsShare              float64 // 0.03
	Back                  int     // floor 2: records that show an older state than before
	BackShare             float64 // 0.01
}

// DefaultLimits are on unless the config says otherwise.
func DefaultLimits() Limits {
	return Limits{
		Removals: 5, RemovalsShare: 0.05, RemovalsCap: 500,
		Changes: 20, ChangesShare: 0.30,
		Creations: 100, CreationsShare: 0.20,
		Members: 10, MembersShare: 0.20,
		Writes: 100, WritesShare: 0.01,
		Grants: 100, GrantsShare: 0.20,
		Admins: 3,
		Keys:   10, KeysShare: 0.05,
		IDs: 5, IDsShare: 0.03,
		Back: 2, BackShare: 0.01,
	}
}

// Policy is everything the config says about one directory that a decision needs. It is not changed once made.
type Policy struct {
	Directory    string
	Schema       idbridge.Schema
	Rules        map[idbridge.Attribute]Rule // mapped attributes; userName is always among them
	LinkBy       []idbridge.Attribute        // link rules in order; default userName, email
	Required     []idbridge.Attribute        // a record without one is quarantined; default userName
	ConfirmAfter time.Duration               // least time between the two sightings of absence
	PurgeAfter   time.Duration               // grace between suspension and purge; 0: never
	Limits       Limits
	Overrides    []idbridge.Override // exceptions from guards; one that is over counts no more
	Roles        []idbridge.RoleRule // rules of this directory
	Precedence   map[idbridge.Attribute][]string
	Access       Access
	Writable     bool   // the directory takes changes
	Scope        string // hash over base DNs, filters, mapping and identity key (guard G5)
}

// Observed is what a run saw of one record.
type Observed struct {
	Record   *idbridge.Record     // nil: not shown
	Digest   idbridge.Digest      // of Record
	Unusable string               // there, but cannot be used: why
	Gone     idbridge.GoneWhy     // the directory itself says so; 0: it does not
	Absent   *idbridge.Proof      // a complete listing did not show it; nil without such a proof
	Unknown  []idbridge.Attribute // could not be read by anybody in this run: keep
	NewScope bool                 // base, filter or mapping changed in the config since the last complete run: absence may come of that
	Pushed   bool                 // a push: one record fetched by id, no percentages
	Author   string               // of the edit that is pushed
	Yields   []Yield              // which of Subject.Holders let their value go in this very run
}

// Yield says that a user of Subject.Holders lets a unique value go in this very run, so that it need not be withheld.
// Without it two records that swap a value would wait for each other for ever. See Lets.
type Yield struct {
	Link idbridge.ExternalID // the holder's record in the same directory: Holder.Link
	Gone bool                // his link is missing, or the directory said Gone: he gives up what a new record shows
}
