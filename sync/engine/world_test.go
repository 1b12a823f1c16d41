package engine_test

import (
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

// world is everything durable: what the store's disk and the directory hold. It has no locks: the workers are coroutines,
// and only one of them moves at a time. Each call of the store, and each LDAP operation, is one step, because that is
// the largest thing that is atomic in reality.
type world struct {
	policy *plan.Policy
	now    time.Time

	// The store.
	users      map[idbridge.UserID]*idbridge.User
	links      map[string]*idbridge.Link
	sent       []*sentRow
	conflicts  []idbridge.Conflict
	outbox     []idbridge.Edit
	quarantine map[string][]idbridge.Withheld
	tombstones map[string]bool
	groups     map[string]*groupRow
	grants     map[grantKey]bool
	source     idbridge.Source
	plans      map[string]*planRow
	epoch      int64
	lastUser   idbridge.UserID
	lastSent   idbridge.SentID
	lastRun    idbridge.RunID
	lastEdit   int64
	endings    []idbridge.Run
	kinds      map[idbridge.RunID]idbridge.RunKind
	done       []idbridge.RunChange
	made       map[idbridge.UserID]idbridge.RunID
	committing idbridge.RunID
	backoff    map[string]idbridge.Backoff

	// The directory.
	entries   map[string]*entry
	dirGroups map[string]*dirGroup
	changes   int // of the directory, ever
	modifies  int // modify operations that changed something
	deaf      listing
	asserts   bool // the directory offers the assertion control

	commits func(lead idbridge.Lead, d *idbridge.Decision) // told what is about to be committed
	store   func(v *view) engine.Store                     // another store than this one; nil: this one
	listed  func(ids []string)                             // told what a whole listing showed
	ended   func(run *idbridge.Run)                        // told that a run ended
}

// listing says how the next listings go wrong.
type listing struct {
	cut     int  // after so many entries; 0: not at all
	silent  bool // with a checkpoint that says incomplete, instead of an error
	empty   bool // success without entries, and the canary is not readable
	groups  bool // groups cannot be read whole
	refuse  bool // the directory refuses every modify for good
	lose    bool // the answer of a modify is lost after it was made
	notSent bool // a modify is lost before it was made
}

type sentRow struct {
	idbridge.Sent
	link     string
	revision int64
	end      idbridge.Settled // "" while it is open
}

type entry struct {
	id, dn  string
	profile idbridge.Profile
	added   int    // value of changes when it came
	version string // entryCSN or modifyTimestamp; "": the directory shows none
}

type dirGroup struct {
	dn      string
	members []string
}

type groupRow struct {
	idbridge.Group
	members map[string]bool
}

type grantKey struct {
	user  idbridge.UserID
	role  idbridge.Role
	group string
}

type planRow struct {
	idbridge.Plan
	decisions []idbridge.Decision
}

const directoryName = "corp"

func xid(id string) idbridge.ExternalID {
	return idbridge.ExternalID{Directory: directoryName, ID: id}
}

func newWorld(p *plan.Policy) *world {
	return &world{
		policy: p, now: time.Unix(1_700_000_000, 0).UTC(), epoch: 1,
		users: map[idbridge.UserID]*idbridge.User{}, links: map[string]*idbridge.Link{},
		quarantine: map[string][]idbridge.Withheld{}, tombstones: map[string]bool{}, groups: map[string]*groupRow{},
		grants: map[grantKey]bool{}, plans: map[string]*planRow{},
		kinds: map[idbridge.RunID]idbridge.RunKind{}, made: map[idbridge.UserID]idbridge.RunID{},
		backoff: map[string]idbridge.Backoff{},
		entries: map[string]*entry{}, dirGroups: map[string]*dirGroup{},
	}
}

// image is what must not change in a run that has nothing to do: every row but those of runs, source and lease.
func (w *world) image() string {
	var b strings.Builder
	for _, id := range sortedKeys(w.users) {
		fmt.Fprintf(&b, "user %+v\n", *w.users[id])
	}
	for _, id := range sortedKeys(w.links) {
		fmt.Fprintf(&b, "link %+v\n", *w.links[id])
	}
	for _, s := range w.sent {
		if s.end == "" || s.end == idbridge.SentInDoubt {
			fmt.Fprintf(&b, "sent %d %s\n", s.ID, s.end)
		}
	}
	fmt.Fprintf(&b, "conflicts %v\noutbox %v\nquarantine %v\n", w.conflicts, w.outbox, w.quarantine)
	for _, id := range sortedKeys(w.groups) {
		fmt.Fprintf(&b, "group %+v %v\n", w.groups[id].Group, w.groups[id].members)
	}
	fmt.Fprintf(&b, "grants %v plans %d\n", w.grants, len(w.plans))
	return b.String()
}

// data is the image without the plans.
func (w *world) data() string {
	image := w.image()
	return image[:strings.LastIndex(image, " plans ")]
}

func (w *world) link(u idbridge.UserID) *idbridge.Link {
	for _, l := range w.links {
		if l.User == u {
			return l
		}
	}
	return nil
}

// editStore changes a user as a person does it through the API: profile, digests and outbox in one transaction.
func (w *world) editStore(u *idbridge.User, a idbridge.Attribute, v idbridge.Values) {
	u.Profile = u.Profile.Clone()
	if len(v) == 0 {
		delete(u.Profile, a)
	} else {
		u.Profile[a] = v
	}
	u.Revision++
	for _, l := range w.links {
		if l.User != u.ID {
			continue
		}
		l.Digest = idbridge.Digest{}
		l.Version++
		delete(w.backoff, l.ID.ID)
		if f := w.policy.Rules[a].Flow; f == plan.Both || f == plan.Out {
			w.lastEdit++
			w.outbox = append(w.outbox, idbridge.Edit{ID: w.lastEdit, Link: l.ID, User: u.ID, Author: "ann", At: w.now})
		}
	}
}

// editDirectory changes an entry as an administrator of the directory does it.
func (w *world) editDirectory(e *entry, a idbridge.Attribute, v idbridge.Values) {
	e.profile = e.profile.Clone()
	e.profile[a] = v
	w.changes++
}

// worker is one daemon, cut into steps.
type worker struct {
	w     *world
	epoch int64
	at    string // the step it stands before, if it has a name: commit, modify, settle
	next  func() (struct{}, bool)
	stop  func()
	fault any // a panic that was not ours
	last  error
}

// crash is what unwinds a worker that dies.
type crash struct{}

// begin starts what f does as a coroutine that stops before every step.
func (k *worker) begin(f func(e *engine.Engine, t engine.Target) error) {
	var body iter.Seq[struct{}] = func(yield func(struct{}) bool) {
		defer func() {
			switch fault := recover(); fault.(type) {
			case nil, crash:
			default:
				k.fault = fault
			}
		}()
		pause := func() {
			if !yield(struct{}{}) {
				panic(crash{})
			}
		}
		view := &view{world: k.w, worker: k, pause: pause}
		var store engine.Store = view
		if k.w.store != nil {
			store = k.w.store(view)
		}
		e := &engine.Engine{Store: store, Writers: 1, Now: func() time.Time { return k.w.now }, Log: quiet}
		k.last = f(e, engine.Target{Directory: view, Policy: k.w.policy})
	}
	k.next, k.stop = iter.Pull(body)
}

var quiet = slog.New(slog.DiscardHandler)

// step lets the worker go on to its next step; false when it has nothing more to do.
func (k *worker) step() bool {
	if k.next == nil {
		return false
	}
	_, more := k.next()
	if !more {
		k.next = nil
	}
	return more
}

// kill unwinds the worker where it stands. What it knew is lost.
func (k *worker) kill() {
	if k.next != nil {
		k.stop()
		k.next = nil
	}
}

func sortedKeys[K interface{ ~string | ~int64 }, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// view is the store and the directory as one worker sees them.
type view struct {
	*world
	worker *worker
	pause  func()
}

// pauseAt stops before a step that a test may want to stop at.
func (v *view) pauseAt(step string) {
	v.worker.at = step
	v.pause()
	v.worker.at = ""
}

// Name implements idbridge.Directory.
func (v *view) Name() string { return directoryName }
