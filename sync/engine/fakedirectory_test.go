package engine_test

import (
	"context"
	"iter"
	"slices"
	"strconv"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

func (v *view) Open(_ context.Context) (idbridge.Session, error) { return v, nil }

func (v *view) Close() error { return nil }

func (v *view) Capabilities() idbridge.Capabilities {
	yes := idbridge.Support{OK: true}
	return idbridge.Capabilities{Scan: yes, Write: yes, Members: yes}
}

// record is what an entry shows. A mapped attribute without values is there, empty.
func (v *view) record(e *entry) idbridge.Record {
	r := idbridge.Record{ID: xid(e.id), Locator: e.dn, Version: e.version, Profile: make(idbridge.Profile, len(v.policy.Rules))}
	for a := range v.policy.Rules {
		r.Profile[a] = e.profile[a]
	}
	return r
}

// Scan reads entry by entry: others write between two of them. The cursor is the number of changes before it began.
func (v *view) Scan(_ context.Context, _ idbridge.Cursor) iter.Seq2[idbridge.Change, error] {
	return func(yield func(idbridge.Change, error) bool) {
		v.pause()
		how, cursor := v.deaf, v.changes
		proof := idbridge.Proof{Feed: "listing", LastPage: true, CanaryPre: true, CanaryPost: true}
		proof.Canary = append(proof.Canary, idbridge.UserName, title, tags)
		var shown []string
		ids := sortedKeys(v.entries)
		if how.empty {
			ids, proof.CanaryPre, proof.CanaryPost, proof.Doubt = nil, false, false, "the canary is not readable"
			proof.Canary = nil
		}
		for i, id := range ids {
			if how.cut > 0 && i >= how.cut {
				if how.silent {
					proof.ResultCode, proof.Doubt, proof.LastPage = 4, "size limit", false
					yield(idbridge.Checkpoint{Proof: proof}, nil)
					return
				}
				yield(nil, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "cut"})
				return
			}
			if i > 0 {
				v.pause()
			}
			if e := v.entries[id]; e != nil {
				proof.Entries++
				shown = append(shown, id)
				if !yield(idbridge.Present{Record: v.record(e)}, nil) {
					return
				}
			}
		}
		for _, id := range sortedKeys(v.dirGroups) {
			g := v.dirGroups[id]
			m := idbridge.Members{Group: xid(id), Name: g.dn, Whole: idbridge.Support{OK: !how.groups, Reason: "no right"}}
			if !how.groups {
				for _, member := range g.members {
					m.Members = append(m.Members, xid(member))
				}
			}
			if !yield(m, nil) {
				return
			}
		}
		if v.listed != nil && !how.empty {
			v.listed(shown)
		}
		yield(idbridge.Checkpoint{Cursor: idbridge.Cursor(strconv.Itoa(cursor)), Complete: !how.empty, Proof: proof}, nil)
	}
}

func (v *view) Fetch(_ context.Context, ids []idbridge.ExternalID) (map[idbridge.ExternalID]idbridge.Record, error) {
	v.pause()
	out := make(map[idbridge.ExternalID]idbridge.Record, len(ids))
	for _, id := range ids {
		if e := v.entries[id.ID]; e != nil {
			out[id] = v.record(e)
		}
	}
	return out, nil
}

// Apply finds the entry and compares, modifies it, reads it back: three operations, between which others write.
func (v *view) Apply(_ context.Context, step idbridge.Step) (idbridge.Record, error) {
	v.pause()
	e := v.entries[step.ID.ID]
	if e == nil {
		return idbridge.Record{}, &idbridge.Error{Kind: idbridge.NotFound, Msg: "not there"}
	}
	todo := idbridge.Step{ID: step.ID, Before: idbridge.Profile{}, After: idbridge.Profile{}}
	for a, want := range step.After {
		switch {
		case v.policy.Schema.Equal(a, e.profile[a], want):
		case v.policy.Schema.Equal(a, e.profile[a], step.Before[a]):
			todo.Before[a], todo.After[a] = step.Before[a], want
		case failpoint.Mutant("blind"):
			todo.After[a] = want
		default:
			return idbridge.Record{}, &idbridge.Error{Kind: idbridge.Conflicting, Msg: "changed meanwhile"}
		}
	}
	if len(todo.After) == 0 {
		return v.record(e), nil
	}
	step = todo
	v.pauseAt("modify")
	how := v.deaf
	if how.notSent {
		return idbridge.Record{}, &idbridge.Error{Kind: idbridge.Unknown, Msg: "connection reset"}
	}
	if how.refuse {
		return idbridge.Record{}, &idbridge.Error{Kind: idbridge.Refused, Msg: "unwilling"}
	}
	if err := v.modify(step); err != nil {
		return idbridge.Record{}, err
	}
	if how.lose {
		return idbridge.Record{}, &idbridge.Error{Kind: idbridge.Unknown, Msg: "connection reset"}
	}
	v.pause()
	if e = v.entries[step.ID.ID]; e == nil {
		return idbridge.Record{}, &idbridge.Error{Kind: idbridge.Unknown, Msg: "not there any more"}
	}
	return v.record(e), nil
}

// modify is one LDAP modify: delete the old values, add the new ones; refused as a whole when one of them does not fit. A
// directory that offers the assertion control (RFC 4528) refuses it also when the attribute is not as it was read.
func (v *view) modify(step idbridge.Step) error {
	e := v.entries[step.ID.ID]
	if e == nil {
		return &idbridge.Error{Kind: idbridge.NotFound, Msg: "not there"}
	}
	next := e.profile.Clone()
	for a, after := range step.After {
		if failpoint.Mutant("blind") { // the mistake: replace, whatever is there
			next[a] = slices.Clone(after)
			continue
		}
		now := slices.Clone(next[a])
		if v.asserts && !v.policy.Schema.Equal(a, now, step.Before[a]) {
			return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "assertion failed (122)"}
		}
		for _, x := range step.Before[a] {
			if slices.Contains(after, x) {
				continue
			}
			i := slices.Index(now, x)
			if i < 0 {
				return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "no such value (16)"}
			}
			now = slices.Delete(now, i, i+1)
		}
		for _, x := range after {
			if slices.Contains(step.Before[a], x) {
				continue
			}
			if slices.Contains(now, x) {
				return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "value exists (20)"}
			}
			now = append(now, x)
		}
		if v.policy.Schema[a].Single && len(now) > 1 {
			return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "single-valued (19)"}
		}
		next[a] = now
	}
	e.profile = next
	v.changes++
	v.modifies++
	return nil
}
