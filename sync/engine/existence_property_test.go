package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

const (
	editors      = "cn=editors"
	confirmAfter = 10 * time.Minute
	purgeAfter   = 24 * time.Hour
	mostRemovals = 2 // in one run that nobody approved
)

// TestExistence is the property test of coming and going: people are added, renamed, deleted, put back, added again under
// the same login; they join and leave groups; listings break off, end early, show nobody, hide their groups; the daemon
// dies. Nobody loses access without proof, nobody inherits, no bookmark is ahead of its data, and when it is quiet the
// store shows what the directory shows.
func TestExistence(t *testing.T) {
	t.Parallel()
	check(t, 16, existence)
}

// census is the state of one sequence, with what a person standing beside it would know.
type census struct {
	*world
	worker  worker
	ids     int
	tick    int                        // moves with every action
	since   map[string]int             // tick at which an entry came, or came back
	missing map[string]int             // whole listings in a row that did not show a linked id
	owner   map[string]idbridge.UserID // of every link there ever was
	inGroup map[string]int             // tick at which a membership last changed
	removed map[idbridge.RunID]int     // suspensions and purges by run
	free    map[idbridge.RunID]bool    // runs that a person approved
	undone  map[idbridge.RunID]bool    // of those, the ones that take something back
	taken   map[string]bool            // records of which something was taken back: their users may be called as before
	began   int                        // tick at which the run began
	shown   []string                   // by the last whole listing
	broken  string
}

func existence(rt *rapid.T) {
	p := mergePolicy(plan.Both, plan.PreferDirectory)
	p.Limits = plan.Limits{
		Removals: mostRemovals, RemovalsCap: 1000, Changes: 1000, Creations: 1000, Members: 1000, Writes: 1000,
		Grants: 1000, Admins: 1000, Keys: 1000, IDs: 1000, Back: 1000,
	}
	if rapid.IntRange(0, 2).Draw(rt, "strict") == 0 { // then a role that is given, and a login under a new id, wait for a person
		p.Limits.Grants, p.Limits.IDs = 0, 0
	}
	p.ConfirmAfter, p.PurgeAfter = confirmAfter, purgeAfter
	p.Roles = []idbridge.RoleRule{{Role: "EDITOR", Directory: directoryName, Group: editors}}
	m := &census{
		world: newWorld(p), since: map[string]int{}, missing: map[string]int{}, owner: map[string]idbridge.UserID{},
		inGroup: map[string]int{}, removed: map[idbridge.RunID]int{}, free: map[idbridge.RunID]bool{}, undone: map[idbridge.RunID]bool{},
		taken: map[string]bool{},
	}
	m.worker = worker{w: m.world, epoch: 1}
	m.commits, m.listed, m.ended = m.watch, m.sawListing, m.sawEnd
	m.dirGroups["g1"] = &dirGroup{dn: editors}
	for range rapid.IntRange(1, 5).Draw(rt, "people") {
		m.add(m.login())
	}
	defer m.worker.kill()
	m.whole(rt, engine.RunOptions{})
	rt.Repeat(map[string]func(*rapid.T){
		"":          m.check,
		"add":       func(*rapid.T) { m.tick++; m.add(m.login()) },
		"delete":    m.remove,
		"put back":  m.putBack,
		"again":     m.addAgain,
		"rename":    m.rename,
		"member":    m.member,
		"dismiss":   m.dismiss,
		"step":      m.steps,
		"step more": m.steps,
		"run":       func(rt *rapid.T) { m.whole(rt, engine.RunOptions{}) },
		"crash":     func(*rapid.T) { m.worker.kill() },
		"fault":     m.fault,
		"later":     func(rt *rapid.T) { m.later(rapid.IntRange(1, 15).Draw(rt, "minutes")) },
		"approve":   m.approve,
		"dry":       m.dry,
	})
	m.quiesce(rt)
}

// login returns the first of a few logins that no entry has, so that logins come back under other ids.
func (m *census) login() string {
	for i := 1; ; i++ {
		name := "l" + strconv.Itoa(i)
		if !slices.ContainsFunc(sortedKeys(m.entries), func(id string) bool { return m.entries[id].profile[idbridge.UserName].First() == name }) {
			return name
		}
	}
}

func (m *census) add(login string) {
	if len(m.entries) >= 8 {
		return
	}
	m.ids++
	m.changes++
	id := "r" + strconv.Itoa(m.ids)
	m.entries[id] = &entry{
		id: id, dn: "uid=" + login, added: m.changes,
		profile: idbridge.Profile{idbridge.UserName: {login}, title: {"of " + id}},
	}
	m.since[id] = m.tick
}

func (m *census) somebody(rt *rapid.T) *entry {
	ids := sortedKeys(m.entries)
	if len(ids) == 0 {
		rt.Skip("nobody is there")
	}
	return m.entries[ids[rapid.IntRange(0, len(ids)-1).Draw(rt, "who")]]
}

func (m *census) remove(rt *rapid.T) {
	m.drop(m.somebody(rt))
}

func (m *census) drop(e *entry) {
	m.tick++
	m.changes++
	delete(m.entries, e.id)
	g := m.dirGroups["g1"]
	if i := slices.Index(g.members, e.id); i >= 0 {
		g.members = slices.Delete(slices.Clone(g.members), i, i+1)
		m.inGroup[e.id] = m.tick
	}
}

// putBack restores a deleted record with its id, as slapadd does.
func (m *census) putBack(rt *rapid.T) {
	var gone []string
	for i := 1; i <= m.ids; i++ {
		if id := "r" + strconv.Itoa(i); m.entries[id] == nil {
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 || len(m.entries) >= 8 {
		rt.Skip("nobody is gone")
	}
	m.tick++
	m.changes++
	id, login := rapid.SampledFrom(gone).Draw(rt, "who"), m.login()
	m.entries[id] = &entry{
		id: id, dn: "uid=" + login, added: m.changes,
		profile: idbridge.Profile{idbridge.UserName: {login}, title: {"of " + id}},
	}
	m.since[id] = m.tick
}

// addAgain deletes a record and makes another one under the same name at once: it is somebody else.
func (m *census) addAgain(rt *rapid.T) {
	e := m.somebody(rt)
	m.drop(e)
	m.add(e.profile[idbridge.UserName].First())
}

// rename gives one person a free login, and sometimes another one the login that became free, or swaps two.
func (m *census) rename(rt *rapid.T) {
	e := m.somebody(rt)
	m.tick++
	m.changes++
	old, name := e.profile[idbridge.UserName].First(), m.login()
	other := m.somebody(rt)
	if other != e {
		name = other.profile[idbridge.UserName].First()
		to := old
		if rapid.Bool().Draw(rt, "chain") {
			to = m.login()
		}
		m.call(other, to)
	}
	m.call(e, name)
}

func (m *census) call(e *entry, name string) {
	e.dn, e.profile = "uid="+name, e.profile.Clone()
	e.profile[idbridge.UserName] = idbridge.Values{name}
}

func (m *census) member(rt *rapid.T) {
	e := m.somebody(rt)
	m.tick++
	m.changes++
	g := m.dirGroups["g1"]
	if i := slices.Index(g.members, e.id); i >= 0 {
		g.members = slices.Delete(slices.Clone(g.members), i, i+1)
	} else {
		g.members = append(slices.Clone(g.members), e.id)
	}
	m.inGroup[e.id] = m.tick
}

// dismiss deletes a user in the store: his record is not to be made into a user again.
func (m *census) dismiss(rt *rapid.T) {
	ids := sortedKeys(m.links)
	if len(ids) == 0 || rapid.IntRange(0, 3).Draw(rt, "really") != 0 {
		rt.Skip("nobody is linked")
	}
	m.tick++
	id := rapid.SampledFrom(ids).Draw(rt, "who")
	u := m.links[id].User
	delete(m.users, u)
	delete(m.links, id)
	m.tombstones[id] = true
	for key := range m.grants {
		if key.user == u {
			delete(m.grants, key)
		}
	}
}

func (m *census) fault(rt *rapid.T) {
	switch rapid.IntRange(0, 5).Draw(rt, "fault") {
	case 0:
		m.deaf = listing{}
	case 1:
		m.deaf = listing{cut: rapid.IntRange(1, 3).Draw(rt, "after")}
	case 2:
		m.deaf = listing{cut: rapid.IntRange(1, 3).Draw(rt, "after"), silent: true}
	case 3:
		m.deaf = listing{empty: true}
	case 4:
		m.deaf = listing{groups: true}
	case 5:
		m.deaf = listing{refuse: true}
	}
}

func (m *census) later(minutes int) { m.now = m.now.Add(time.Duration(minutes) * time.Minute) }

func (m *census) steps(rt *rapid.T) {
	if m.worker.next == nil {
		m.start(engine.RunOptions{})
	}
	for range rapid.IntRange(1, 12).Draw(rt, "n") {
		if !m.worker.step() {
			break
		}
		m.check(rt)
	}
	m.blame(rt)
}

func (m *census) start(o engine.RunOptions) {
	m.tick++
	m.began, m.shown = m.tick, nil
	o.Author, o.Epoch = "test", m.epoch
	m.worker.begin(func(e *engine.Engine, t engine.Target) error {
		_, err := e.Run(context.Background(), t, o)
		return err
	})
}

func (m *census) whole(rt *rapid.T, o engine.RunOptions) {
	m.worker.kill()
	m.start(o)
	m.finish(rt)
}

func (m *census) finish(rt *rapid.T) {
	for m.worker.step() {
		m.check(rt)
	}
	m.blame(rt)
}

func (m *census) blame(rt *rapid.T) {
	if m.worker.fault != nil {
		rt.Fatalf("panic: %v", m.worker.fault)
	}
	if err := m.worker.last; err != nil && idbridge.KindOf(err) == idbridge.Internal {
		rt.Fatalf("run: %v", err)
	}
	m.worker.last = nil
}

// approve lets a person approve the plan that waits.
func (m *census) approve(rt *rapid.T) {
	hash := m.waiting()
	if hash == "" {
		rt.Skip("no plan waits")
	}
	m.carryOut(rt, hash)
}

func (m *census) carryOut(rt *rapid.T, hash string) {
	p := m.plans[hash]
	for _, d := range p.decisions { // what a dry run saw counts once somebody approves it
		if d.Proof != nil && len(d.Steps) > 0 && m.kinds[p.Run] == idbridge.PlanRun {
			m.missing[d.ID.ID]++
		}
	}
	m.worker.kill()
	m.tick++
	m.began, m.shown = m.tick, nil
	m.free[m.lastRun+1] = true
	m.worker.begin(func(e *engine.Engine, t engine.Target) error {
		_, err := e.Apply(context.Background(), t, hash, "ann", m.epoch)
		return err
	})
	m.finish(rt)
}

func (m *census) waiting() string {
	for _, hash := range sortedKeys(m.plans) {
		if m.plans[hash].State == idbridge.PlanHeld {
			return hash
		}
	}
	return ""
}

// sawListing counts, for every link, the whole listings in a row that did not show it.
func (m *census) sawListing(ids []string) {
	if m.free[m.lastRun] {
		return // an approved plan is carried out; nobody is counted
	}
	for id := range m.links {
		if !slices.Contains(ids, id) {
			m.missing[id]++
		}
	}
	m.shown = ids
}

// sawEnd forgets absences once a run that saw the record has come to its end: what a run saw that died is forgotten, and so
// is what a held one saw, because a held plan has no effect at all.
func (m *census) sawEnd(run *idbridge.Run) {
	if run.State == idbridge.RunHeld {
		return
	}
	for _, id := range m.shown {
		m.missing[id] = 0
	}
	m.shown = nil
}

// watch looks at every decision that is committed.
func (m *census) watch(lead idbridge.Lead, d *idbridge.Decision) {
	if m.undone[lead.Run] {
		return // by a person's word, and not by what a listing shows
	}
	for i := range d.Steps {
		s := &d.Steps[i]
		id := s.ID.ID
		there := m.entries[id] != nil && m.since[id] < m.began
		switch {
		case s.Verb == idbridge.Create && m.tombstones[id]:
			m.broken = id + " was deleted in the store and is made again"
		case s.Verb == idbridge.Suspend && s.State == idbridge.LinkMissing:
			if there || m.missing[id] < 2 && m.entries[id] == nil || m.now.Sub(m.links[id].Since) < confirmAfter {
				m.broken = fmt.Sprintf("%s is suspended without proof: %d listings, %s", id, m.missing[id], m.now.Sub(m.links[id].Since))
			}
			m.removed[lead.Run]++
		case s.Verb == idbridge.Purge:
			if there || m.links[id].State != idbridge.LinkMissing || m.now.Sub(m.links[id].Since) < purgeAfter {
				m.broken = id + " is purged before its time"
			}
			m.removed[lead.Run]++
		case s.Verb == idbridge.Leave && slices.Contains(m.dirGroups["g1"].members, id) && m.inGroup[id] < m.began:
			m.broken = id + " leaves a group that he is in"
		}
	}
	if m.removed[lead.Run] > mostRemovals && !m.free[lead.Run] {
		m.broken = fmt.Sprintf("run %d removes more than %d people, and nobody approved it", lead.Run, mostRemovals)
	}
}

// check holds after every action.
func (m *census) check(rt *rapid.T) {
	if m.broken != "" {
		rt.Fatal(m.broken)
	}
	users := map[idbridge.UserID]string{}
	logins := map[string]idbridge.UserID{}
	for id, l := range m.links {
		if m.owner[id] == 0 {
			m.owner[id] = l.User
		}
		if m.owner[id] != l.User {
			rt.Fatalf("%s was user %d and is user %d", id, m.owner[id], l.User)
		}
		if other := users[l.User]; other != "" {
			rt.Fatalf("%s and %s are one user", id, other)
		}
		users[l.User] = id
		if m.since[id] == 0 && !m.was(id) {
			rt.Fatalf("%s was never an id of the directory", id)
		}
	}
	for id, u := range m.users {
		name := u.UserName()
		if other := logins[name]; other != 0 && name != "" {
			rt.Fatalf("users %d and %d are both called %s", id, other, name)
		}
		logins[name] = id
	}
	m.checkCursor(rt)
}

func (m *census) was(id string) bool {
	n, err := strconv.Atoi(id[1:])
	return err == nil && id[0] == 'r' && n <= m.ids
}

// checkCursor holds the bookmark to its word: whoever was there when the listing behind it began is known.
func (m *census) checkCursor(rt *rapid.T) {
	at, err := strconv.Atoi(string(m.source.Cursor))
	if err != nil {
		return
	}
	for id, e := range m.entries {
		if e.added <= at && m.links[id] == nil && m.quarantine[id] == nil && !m.tombstones[id] {
			rt.Fatalf("the cursor is at %d, but %s, who came at %d, is not known", at, id, e.added)
		}
	}
}

// quiesce lets it become quiet, with somebody who approves what is held.
func (m *census) quiesce(rt *rapid.T) {
	m.deaf = listing{}
	m.worker.kill()
	for range 8 {
		m.whole(rt, engine.RunOptions{})
		if m.waiting() != "" {
			m.approve(rt)
		}
		m.later(15)
	}
	m.settled(rt)
	image := m.image()
	m.whole(rt, engine.RunOptions{})
	if got := m.image(); got != image {
		rt.Fatalf("a run with nothing to do changed something\nbefore:\n%s\nafter:\n%s", image, got)
	}
}

// settled holds when it is quiet: everybody who is there has access and his roles, nobody else has.
func (m *census) settled(rt *rapid.T) {
	for _, id := range sortedKeys(m.entries) {
		e, l := m.entries[id], m.links[id]
		if l == nil {
			if !m.tombstones[id] && !m.outdone(id) {
				rt.Fatalf("%s (%s) is there and has no user; %v", id, e.dn, m.quarantine[id])
			}
			continue
		}
		if l.State != idbridge.LinkActive {
			rt.Fatalf("%s is there, his link is %s", id, l.State)
		}
		// A login that an undo gave back is an override until the directory's changes (flow in), and the names may differ.
		if got := m.users[l.User].UserName(); len(m.undone) == 0 && !m.taken[id] && !m.outdone(id) && got != e.profile[idbridge.UserName].First() {
			rt.Fatalf("%s is called %s, his user %s", id, e.profile[idbridge.UserName].First(), got)
		}
		in := slices.Contains(m.dirGroups["g1"].members, id)
		if has := m.grants[grantKey{l.User, "EDITOR", "g1"}]; has != in {
			rt.Fatalf("%s is in the group: %v; has its role: %v", id, in, has)
		}
	}
	for id, l := range m.links {
		if m.entries[id] == nil && l.State != idbridge.LinkMissing {
			rt.Fatalf("%s is gone, his link is %s", id, l.State)
		}
	}
}
