package providertest

import (
	"context"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
)

// patience bounds every wait of the exam. It is no measure of speed: what needs that long hangs.
const patience = 30 * time.Second

// Run lets a directory sit the whole exam.
func Run(t *testing.T, open Opener) {
	t.Helper()
	parts := []struct {
		name string
		part func(*testing.T, *room)
	}{
		{"list shows everybody once and ends complete", listsAll},
		{"list shows the values", listsValues},
		{"list shows members by id", listsMembers},
		{"a rename keeps the id", keepsIDOnRename},
		{"a move keeps the id", keepsIDOnMove},
		{"a deleted entry is absent, not an error", missesDeleted},
		{"the same name again is a new id", tellsReborn},
		{"an incomplete listing never says complete", admitsTruncation},
		{"an early break leaves no goroutine", breaksEarly},
		{"cancel ends a listing", cancels},
		{"fetch reads by id", fetches},
		{"apply writes and returns what is there", applies},
		{"apply of what is there already is done", appliesTwice},
		{"apply clears an attribute", clears},
		{"a value that moved is a conflict", conflicts},
		{"two writers: one wins", races},
		{"apply to a deleted entry is not found", appliesToDeleted},
		{"apply follows a moved entry", appliesToMoved},
		{"scope says where a record is", locates},
		{"a rehearsal changes nothing", rehearses},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			p.part(t, &room{Rig: open(t), ctx: ctx})
		})
	}
}

// room is one part's exam room.
type room struct {
	Rig
	ctx context.Context //nolint:containedctx // lives as long as one subtest
}

// open signs in; the session is closed at the end of the part.
func (r *room) open(t *testing.T) idbridge.Session {
	t.Helper()
	s, err := r.Directory.Open(r.ctx)
	if err != nil {
		t.Fatalf("open: %v (hint: %s)", err, idbridge.HintOf(err))
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// writable signs in, and skips the part for a directory that cannot be written.
func (r *room) writable(t *testing.T) idbridge.Session {
	t.Helper()
	s := r.open(t)
	if can := s.Capabilities().Write; !can.OK {
		t.Skipf("the directory takes no changes: %s", can.Reason)
	}
	return s
}

// listing is all that one Scan said.
type listing struct {
	records  map[string]idbridge.Record // by login
	changes  int
	members  map[string]idbridge.Members // by group name
	unusable []idbridge.Unusable
	end      *idbridge.Checkpoint
	err      error
}

// list reads a whole listing and holds the rules of the stream: nothing after a Checkpoint or an error, and one of them.
func (r *room) list(t *testing.T, s idbridge.Session) listing {
	t.Helper()
	l := listing{records: map[string]idbridge.Record{}, members: map[string]idbridge.Members{}}
	for c, err := range s.Scan(r.ctx, "") {
		if l.end != nil || l.err != nil {
			t.Fatalf("%T, %v after the end of the listing", c, err)
		}
		if err != nil {
			l.err = err
			continue
		}
		l.changes++
		switch c := c.(type) {
		case idbridge.Present:
			name := c.Record.Profile[idbridge.UserName].First()
			if _, twice := l.records[name]; twice {
				t.Errorf("%q shown twice", name)
			}
			if c.Record.ID.Directory != r.Directory.Name() || c.Record.ID.ID == "" {
				t.Errorf("%q has the id %v", name, c.Record.ID)
			}
			l.records[name] = c.Record
		case idbridge.Members:
			l.members[c.Name] = c
		case idbridge.Unusable:
			l.unusable = append(l.unusable, c)
		case idbridge.Checkpoint:
			l.end = &c
		case idbridge.Gone:
			t.Errorf("a complete listing says %v is gone", c.ID)
		}
	}
	if l.end == nil && l.err == nil {
		t.Fatal("the listing ended with neither a checkpoint nor an error")
	}
	return l
}

// listAll reads a listing that must be complete.
func (r *room) listAll(t *testing.T, s idbridge.Session) listing {
	t.Helper()
	l := r.list(t, s)
	if l.err != nil {
		t.Fatalf("list: %v (hint: %s)", l.err, idbridge.HintOf(l.err))
	}
	if !l.end.Complete {
		t.Fatalf("the listing is not complete: %+v", l.end.Proof)
	}
	return l
}

// add makes a person and returns the record that a listing shows.
func (r *room) add(t *testing.T, s idbridge.Session, login string) idbridge.Record {
	t.Helper()
	r.must(t, r.Editor.Add(examinee(login)))
	rec, ok := r.listAll(t, s).records[login]
	if !ok {
		t.Fatalf("%q was added and is not in the listing", login)
	}
	return rec
}

func (r *room) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("the exam's own edit: %v", err)
	}
}

func examinee(login string) Person {
	return Person{
		UserName: login, GivenName: "Jörg", FamilyName: "Æther", DisplayName: "Jörg Æther", Email: login + "@example.org",
	}
}
