package engine_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/sync/engine"
	"github.com/idbridge/idbridge/sync/plan"
)

// shelf is a directory in memory, one of two beside one store.
type shelf struct {
	name    string
	people  map[string]idbridge.Profile
	members []string
	writes  int
}

func (d *shelf) Name() string { return d.name }

func (d *shelf) Open(context.Context) (idbridge.Session, error) { return d, nil }

func (d *shelf) Close() error { return nil }

func (d *shelf) Capabilities() idbridge.Capabilities { return idbridge.Capabilities{} }

func (d *shelf) id(id string) idbridge.ExternalID {
	return idbridge.ExternalID{Directory: d.name, ID: id}
}

func (d *shelf) record(id string) idbridge.Record {
	return idbridge.Record{ID: d.id(id), Locator: "uid=" + id, Profile: d.people[id].Clone()}
}

func (d *shelf) Scan(context.Context, idbridge.Cursor) iter.Seq2[idbridge.Change, error] {
	return func(yield func(idbridge.Change, error) bool) {
		for _, id := range sortedKeys(d.people) {
			if !yield(idbridge.Present{Record: d.record(id)}, nil) {
				return
			}
		}
		m := idbridge.Members{Group: d.id("g"), Name: "cn=g", Whole: idbridge.Support{OK: true}}
		for _, id := range d.members {
			m.Members = append(m.Members, d.id(id))
		}
		if yield(m, nil) {
			yield(whole(), nil)
		}
	}
}

func (d *shelf) Fetch(_ context.Context, ids []idbridge.ExternalID) (map[idbridge.ExternalID]idbridge.Record, error) {
	out := map[idbridge.ExternalID]idbridge.Record{}
	for _, id := range ids {
		if _, ok := d.people[id.ID]; ok {
			out[id] = d.record(id.ID)
		}
	}
	return out, nil
}

func (d *shelf) Apply(_ context.Context, step idbridge.Step) (idbridge.Record, error) {
	d.writes++
	p := d.people[step.ID.ID].Clone()
	for a, v := range step.After {
		p[a] = v
	}
	d.people[step.ID.ID] = p
	return d.record(step.ID.ID), nil
}

// landlord is one store with two directories. Each may write attributes and roles of its own, and one attribute that both
// map.
type landlord struct {
	*authstore.Store
	t      *testing.T
	chance *rand.Rand
	engine *engine.Engine
	epoch  int64
	clock  atomic.Int64 // the store looks at it from goroutines of its own
	shelf  map[string]*shelf
	n      int
}

func attributesOf(directory string) []idbridge.Attribute {
	return []idbridge.Attribute{idbridge.Attribute(directory + "Title"), "shared"}
}

func newLandlord(t *testing.T, seed uint64) *landlord {
	t.Helper()
	l := &landlord{
		t: t, chance: rand.New(rand.NewPCG(seed, 9)),
		shelf: map[string]*shelf{},
	}
	l.clock.Store(1_700_000_000)
	schema := idbridge.CoreSchema()
	outward := map[string][]idbridge.Attribute{}
	var rules []idbridge.RoleRule
	for _, name := range []string{"corp", "hr"} {
		l.shelf[name] = &shelf{name: name, people: map[string]idbridge.Profile{}}
		for _, a := range attributesOf(name) {
			schema[a] = idbridge.Spec{Match: idbridge.CaseExact, Single: true}
		}
		outward[name] = attributesOf(name)
		rules = append(rules, idbridge.RoleRule{Role: idbridge.Role(strings.ToUpper(name)), Directory: name, Group: "cn=g"})
	}
	var err error
	l.Store, err = authstore.Open(t.Context(), authstore.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "two.db")}, authstore.Options{
		Schema: schema, RoleRules: rules, Outward: outward, Now: l.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if l.epoch, err = l.Lead(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	l.engine = &engine.Engine{Store: l.Store, Writers: 1, Now: l.now, Log: quiet}
	return l
}

func (l *landlord) now() time.Time { return time.Unix(l.clock.Load(), 0).UTC() }

func (l *landlord) run(directory string) {
	l.t.Helper()
	p := mergePolicy(plan.Both, plan.PreferDirectory)
	schema := idbridge.CoreSchema()
	p.Rules = map[idbridge.Attribute]plan.Rule{idbridge.UserName: {Flow: plan.In, OnConflict: plan.PreferDirectory}}
	for _, name := range []string{"corp", "hr"} {
		for _, a := range attributesOf(name) {
			schema[a] = idbridge.Spec{Match: idbridge.CaseExact, Single: true}
		}
	}
	for _, a := range attributesOf(directory) {
		p.Rules[a] = plan.Rule{Flow: plan.Both, OnConflict: plan.PreferDirectory}
	}
	p.Directory, p.Schema, p.ConfirmAfter, p.PurgeAfter = directory, schema, time.Minute, 10*time.Minute
	p.Access = plan.AllLinks
	p.Roles = []idbridge.RoleRule{{Role: idbridge.Role(strings.ToUpper(directory)), Directory: directory, Group: "cn=g"}}
	rep, err := l.engine.Run(l.t.Context(), engine.Target{Directory: l.shelf[directory], Policy: p}, engine.RunOptions{Epoch: l.epoch})
	if err != nil || rep.Held {
		l.t.Fatalf("run of %s: %v, %+v", directory, err, rep.Plan.Verdicts)
	}
}

// edit lets somebody do something, anywhere.
func (l *landlord) edit() {
	l.n++
	value := idbridge.Values{"v" + strconv.Itoa(l.n)}
	name := []string{"corp", "hr"}[l.chance.IntN(2)]
	d, id := l.shelf[name], "p"+strconv.Itoa(l.chance.IntN(12))
	_, there := d.people[id]
	switch l.chance.IntN(8) {
	case 0, 1, 2:
		if !there {
			d.people[id] = idbridge.Profile{idbridge.UserName: {id}}
		}
		fallthrough
	case 3:
		if there {
			d.people[id] = d.people[id].Clone()
			d.people[id][attributesOf(name)[l.chance.IntN(2)]] = value
		}
	case 4:
		delete(d.people, id)
	case 5:
		d.members = []string{id, "p" + strconv.Itoa(l.chance.IntN(12))}
	default:
		if u, err := l.UserByName(l.t.Context(), id); err == nil {
			set := idbridge.Profile{attributesOf(name)[l.chance.IntN(2)]: value}
			if _, err := l.EditUser(l.t.Context(), idbridge.UserEdit{User: u.ID, Set: set, By: "ann"}); err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

// belongings is everything in the store that a run of the other directory may not touch: this one's links, groups, roles and
// bookmark, the users that only it has, and of shared users the attributes that only it maps.
func (l *landlord) belongings(directory, other string) (text string, alone map[idbridge.UserID]string) {
	l.t.Helper()
	var b strings.Builder
	alone = map[idbridge.UserID]string{}
	try := func(err error) {
		if err != nil {
			l.t.Fatal(err)
		}
	}
	ctx := l.t.Context()
	users, err := l.Users(ctx, idbridge.UserFilter{Limit: 100})
	try(err)
	for i := range users {
		u := &users[i]
		links, err := l.Links(ctx, u.ID)
		try(err)
		grants, err := l.Grants(ctx, u.ID)
		try(err)
		mine, shared := false, false
		for _, link := range links {
			if link.ID.Directory == other {
				shared = true
				continue
			}
			link.Digest, link.Version = idbridge.Digest{}, 0 // an edit that came from the other side is to travel on to this one
			fmt.Fprintf(&b, "%d link %+v\n", u.ID, link)
			mine = true
		}
		for _, g := range grants {
			if g.Directory != other {
				fmt.Fprintf(&b, "%d grant %+v\n", u.ID, g)
			}
		}
		if mine && !shared {
			alone[u.ID] = fmt.Sprintf("%+v", *u)
		}
		if mine {
			own := attributesOf(directory)[0]
			fmt.Fprintf(&b, "user %d %s suspended %v\n", u.ID, u.Profile[own], u.Suspended)
		}
	}
	groups, err := l.Groups(ctx, directory)
	try(err)
	source, err := l.Source(ctx, directory)
	try(err)
	fmt.Fprintf(&b, "%+v %+v\n", groups, source)
	conflicts, err := l.Conflicts(ctx, idbridge.ConflictFilter{Limit: 1000})
	try(err)
	for _, c := range conflicts {
		if c.Link.Directory == directory {
			fmt.Fprintf(&b, "%+v\n", c)
		}
	}
	fmt.Fprintf(&b, "%v %d\n", l.shelf[directory].people, l.shelf[directory].writes)
	return b.String(), alone
}

// TestI09Isolation: a run of one directory touches only users that are linked to it, and of those only the attributes and
// roles that this directory may write; another directory's links, groups, conflicts and bookmark stay as they are.
func TestI09Isolation(t *testing.T) {
	written := map[string]int{}
	for seed := range uint64(4) {
		l := newLandlord(t, seed)
		local, err := l.AddUser(t.Context(), idbridge.NewUser{Kind: idbridge.Person, Profile: idbridge.Profile{idbridge.UserName: {"nobody"}}, By: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		for round := range 25 {
			for range 1 + l.chance.IntN(8) {
				l.edit()
			}
			directory, other := "corp", "hr"
			if l.chance.IntN(2) == 0 {
				directory, other = other, directory
			}
			l.clock.Add(int64(l.chance.IntN(4)) * 60)
			before, alone := l.belongings(other, directory)
			l.run(directory)
			after, still := l.belongings(other, directory)
			for id, u := range alone {
				if now, ok := still[id]; ok && now != u {
					t.Fatalf("seed %d, round %d: a run of %s changed a user of %s\nbefore %s\nafter %s", seed, round, directory, other, u, now)
				}
			}
			if after != before {
				t.Fatalf("seed %d, round %d: a run of %s changed what belongs to %s\nbefore:\n%s\nafter:\n%s", seed, round, directory, other, before, after)
			}
			if u, err := l.User(t.Context(), local.ID); err != nil || u.Revision != local.Revision {
				t.Fatalf("a user of no directory was changed: %+v %v", u, err)
			}
		}
		for name, d := range l.shelf {
			written[name] += d.writes
		}
	}
	if written["corp"] == 0 || written["hr"] == 0 {
		t.Errorf("too little happened: %v", written)
	}
}

// R12: a thousand runs leave as many rows of config and state as one; only runs and the memory of what was done grow.
func TestThousandRuns(t *testing.T) {
	l := newLandlord(t, 1)
	for range 40 {
		l.edit()
	}
	l.run("corp")
	l.run("corp")
	digests := func() string {
		out, err := l.Digests(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"runs", "lease", "source", "counter", "revision"} { // one row each, but for runs
			delete(out, table)
		}
		return fmt.Sprint(out)
	}
	for range 3 { // until absences are counted and settled
		l.clock.Add(3600)
		l.run("corp")
	}
	before := digests()
	for range 1000 {
		l.clock.Add(60)
		l.run("corp")
	}
	if after := digests(); after != before {
		t.Errorf("rows changed:\n%s\n%s", before, after)
	}
}
