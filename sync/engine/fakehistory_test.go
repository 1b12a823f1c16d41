package engine_test

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/idbridge/idbridge"
)

// Rehearse commits into a copy of the store, which is thrown away.
func (v *view) Rehearse(ctx context.Context, lead idbridge.Lead, decisions []idbridge.Decision) ([]idbridge.Outcome, error) {
	v.pause()
	shadow := &view{world: v.copyStore(), worker: &worker{}, pause: func() {}}
	if lead.Epoch == 0 {
		lead.Epoch = v.epoch
	}
	return shadow.Commit(ctx, lead, decisions)
}

// copyStore returns a world with the same directory and a copy of the store's rows: an older copy, once time goes on.
func (w *world) copyStore() *world {
	c := *w
	c.users, c.links, c.groups = map[idbridge.UserID]*idbridge.User{}, map[string]*idbridge.Link{}, map[string]*groupRow{}
	for id, u := range w.users {
		row := *u
		c.users[id] = &row
	}
	for id, l := range w.links {
		row := *l
		c.links[id] = &row
	}
	for id, g := range w.groups {
		c.groups[id] = &groupRow{Group: g.Group, members: maps.Clone(g.members)}
	}
	c.sent = nil
	for _, s := range w.sent {
		row := *s
		c.sent = append(c.sent, &row)
	}
	c.plans = map[string]*planRow{}
	for hash, p := range w.plans {
		row := *p
		c.plans[hash] = &row
	}
	c.conflicts, c.outbox, c.done, c.endings = slices.Clone(w.conflicts), slices.Clone(w.outbox), slices.Clone(w.done), slices.Clone(w.endings)
	c.quarantine, c.tombstones, c.grants = maps.Clone(w.quarantine), maps.Clone(w.tombstones), maps.Clone(w.grants)
	c.kinds, c.made, c.backoff = maps.Clone(w.kinds), maps.Clone(w.made), maps.Clone(w.backoff)
	c.commits, c.listed, c.ended = nil, nil, nil
	return &c
}

func (v *view) Run(_ context.Context, id idbridge.RunID) (idbridge.Run, error) {
	v.pause()
	for i := range v.endings {
		if v.endings[i].ID == id {
			return v.endings[i], nil
		}
	}
	if kind, ok := v.kinds[id]; ok {
		return idbridge.Run{ID: id, Directory: directoryName, Kind: kind, State: idbridge.RunRunning}, nil
	}
	return idbridge.Run{}, &idbridge.Error{Kind: idbridge.NotFound, Msg: "no such run"}
}

func (v *view) Changes(_ context.Context, run idbridge.RunID) iter.Seq2[idbridge.RunChange, error] {
	return func(yield func(idbridge.RunChange, error) bool) {
		v.pause()
		for _, c := range v.done {
			if c.Run == run && !yield(c, nil) {
				return
			}
		}
	}
}

func (v *view) Created(_ context.Context, run idbridge.RunID) iter.Seq2[idbridge.Link, error] {
	return func(yield func(idbridge.Link, error) bool) {
		v.pause()
		for _, id := range sortedKeys(v.made) {
			if l := v.link(id); v.made[id] == run && l != nil && !yield(*l, nil) {
				return
			}
		}
	}
}

func (v *view) Alarm(_ context.Context, _, text string) (bool, error) {
	changed := v.source.Alarm != text
	v.source.Alarm = text
	return changed, nil
}
