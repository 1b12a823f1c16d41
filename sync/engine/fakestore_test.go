package engine_test

import (
	"context"
	"iter"
	"slices"

	"github.com/idbridge/idbridge"
)

func (v *view) Marks(_ context.Context, _ string) iter.Seq2[idbridge.Mark, error] {
	return func(yield func(idbridge.Mark, error) bool) {
		v.pause()
		for _, id := range sortedKeys(v.links) {
			l := v.links[id]
			if !yield(idbridge.Mark{ID: id, Digest: l.Digest, State: l.State, Sightings: l.Sightings, Version: l.Version}, nil) {
				return
			}
		}
	}
}

func (v *view) Subjects(_ context.Context, _ string, ids []idbridge.ExternalID, shown []idbridge.Profile) ([]idbridge.Subject, error) {
	v.pause()
	out := make([]idbridge.Subject, len(ids))
	for i, id := range ids {
		out[i] = v.subject(id, shown[i])
	}
	return out, nil
}

func (v *view) subject(id idbridge.ExternalID, shown idbridge.Profile) idbridge.Subject {
	s := idbridge.Subject{ID: id, Tombstone: v.tombstones[id.ID], Listed: v.quarantine[id.ID]}
	if l := v.links[id.ID]; l != nil {
		link, user := *l, *v.users[l.User]
		s.Link, s.User = &link, &user
		if b, ok := v.backoff[id.ID]; ok {
			s.Backoff = &b
		}
	}
	for i := range v.conflicts {
		if c := &v.conflicts[i]; c.Link == id && c.Closed.IsZero() {
			s.Open = append(s.Open, *c)
		}
	}
	for _, u := range sortedKeys(v.users) {
		user := v.users[u]
		if s.User != nil && s.User.ID == u {
			continue
		}
		link := v.link(u)
		for _, a := range []idbridge.Attribute{idbridge.Email, idbridge.UserName} {
			for _, x := range v.policy.Schema.Normal(a, shown[a]) {
				if !v.policy.Schema[a].Unique || !slices.Contains(v.policy.Schema.Normal(a, user.Profile[a]), x) {
					continue
				}
				h := idbridge.Holder{Attribute: a, Value: x, User: u}
				if link != nil {
					h.Link = link.ID
				}
				s.Holders = append(s.Holders, h)
				if s.Link == nil {
					s.Candidates = append(s.Candidates, idbridge.Candidate{
						User: *user, By: a, Local: link == nil, Linked: link != nil,
					})
				}
			}
		}
	}
	return s
}

func (v *view) Groups(_ context.Context, _ string) ([]idbridge.Group, error) {
	if len(v.dirGroups) == 0 && len(v.groups) == 0 {
		return nil, nil
	}
	v.pause()
	var out []idbridge.Group
	for _, id := range sortedKeys(v.groups) {
		g := v.groups[id].Group
		g.Members = len(v.groups[id].members)
		out = append(out, g)
	}
	return out, nil
}

func (v *view) Members(_ context.Context, group idbridge.ExternalID) ([]string, error) {
	v.pause()
	if g := v.groups[group.ID]; g != nil {
		return sortedKeys(g.members), nil
	}
	return nil, nil
}

func (v *view) Source(_ context.Context, _ string) (idbridge.Source, error) {
	v.pause()
	return v.source, nil
}

func (v *view) Population(_ context.Context, _ string) (idbridge.Population, error) {
	p := idbridge.Population{Admins: 1, AdminIDs: []idbridge.UserID{1 << 40}}
	for _, l := range v.links {
		if l.State != idbridge.LinkMissing {
			p.Links++
		}
	}
	return p, nil
}

func (v *view) BeginRun(_ context.Context, run idbridge.Run) (idbridge.RunID, error) {
	v.lastRun++
	v.kinds[v.lastRun] = run.Kind
	return v.lastRun, nil
}

func (v *view) EndRun(_ context.Context, lead idbridge.Lead, run idbridge.Run, source *idbridge.Source) error {
	v.pause()
	if err := idbridge.MayLead(lead.Epoch, v.epoch); err != nil {
		return err
	}
	if source != nil {
		v.source = *source
	}
	if v.ended != nil {
		v.ended(&run)
	}
	v.endings = append(v.endings, run)
	return nil
}

func (v *view) Outbox(_ context.Context, _ string, limit int) ([]idbridge.Edit, error) {
	v.pause()
	return slices.Clone(v.outbox[:min(limit, len(v.outbox))]), nil
}

func (v *view) AckOutbox(_ context.Context, lead idbridge.Lead, ids []int64) error {
	v.pause()
	if err := idbridge.MayLead(lead.Epoch, v.epoch); err != nil {
		return err
	}
	v.outbox = slices.DeleteFunc(v.outbox, func(e idbridge.Edit) bool { return slices.Contains(ids, e.ID) })
	return nil
}

func (v *view) SavePlan(_ context.Context, p idbridge.Plan, decisions iter.Seq2[idbridge.Decision, error]) error {
	v.pause()
	row := &planRow{Plan: p}
	for d, err := range decisions {
		if err != nil {
			return err
		}
		row.decisions = append(row.decisions, d)
	}
	for _, old := range v.plans {
		if old.State == idbridge.PlanHeld || old.State == idbridge.PlanReady {
			old.State, old.By = idbridge.PlanDiscarded, "superseded"
		}
	}
	v.plans[p.Hash] = row
	return nil
}

func (v *view) Plan(_ context.Context, hash string) (idbridge.Plan, error) {
	v.pause()
	if row := v.plans[hash]; row != nil {
		return row.Plan, nil
	}
	return idbridge.Plan{}, &idbridge.Error{Kind: idbridge.NotFound, Msg: "no such plan"}
}

func (v *view) Decisions(_ context.Context, hash string) iter.Seq2[idbridge.Decision, error] {
	return func(yield func(idbridge.Decision, error) bool) {
		v.pause()
		if row := v.plans[hash]; row != nil {
			for _, d := range row.decisions {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

func (v *view) ClosePlan(_ context.Context, hash string, state idbridge.PlanState, by string) error {
	v.pause()
	row := v.plans[hash]
	if row == nil {
		return &idbridge.Error{Kind: idbridge.NotFound, Msg: "no such plan"}
	}
	if row.State != idbridge.PlanHeld && row.State != idbridge.PlanReady {
		return &idbridge.Error{Kind: idbridge.Conflicting, Msg: "the plan has ended"}
	}
	row.State, row.By = state, by
	return nil
}

func (v *view) OpenSent(_ context.Context, _ string) ([]idbridge.Sent, error) {
	v.pause()
	var out []idbridge.Sent
	for _, s := range v.sent {
		if s.end == "" || s.end == idbridge.SentInDoubt {
			out = append(out, s.Sent)
		}
	}
	return out, nil
}

func (v *view) Settle(_ context.Context, lead idbridge.Lead, settlements []idbridge.Settlement) error {
	v.pauseAt("settle")
	if err := idbridge.MayLead(lead.Epoch, v.epoch); err != nil {
		return err
	}
	for i := range settlements {
		v.settle(&settlements[i])
	}
	return nil
}

func (v *view) settle(s *idbridge.Settlement) {
	at := slices.IndexFunc(v.sent, func(r *sentRow) bool { return r.ID == s.Sent })
	if at < 0 {
		return
	}
	row := v.sent[at]
	l := v.links[row.link]
	if l == nil {
		row.end = idbridge.SentRefused
		return
	}
	if idbridge.MaySettle(s.Sent, l.Sent, row.revision, v.users[l.User].Revision) != nil {
		return
	}
	l.Version++
	row.end = s.How
	if s.How == idbridge.SentInDoubt {
		return
	}
	l.Sent = 0
	l.Digest = s.Seen.Digest
	if s.How == idbridge.SentSettled {
		v.committing = row.Run
		v.note(&row.Step, l.User, nil, "", "")
		l.Base = merged(l.Base, s.Base)
		l.Locator, l.Seen = s.Seen.Locator, s.Seen.Version
	}
	switch {
	case s.Unusable != "":
		v.quarantine[row.link] = []idbridge.Withheld{{Why: s.Unusable}}
		n := v.backoff[row.link].Attempts + 1
		v.backoff[row.link] = idbridge.Backoff{Attempts: n, Until: v.now.Add(idbridge.Wait(s.ID, n)), Why: s.Unusable}
	case s.How == idbridge.SentSettled:
		delete(v.backoff, row.link)
	}
	for _, c := range s.Conflicts {
		v.open(&c)
	}
}

func merged(p, more idbridge.Profile) idbridge.Profile {
	if len(more) == 0 {
		return p
	}
	out := p.Clone()
	if out == nil {
		out = idbridge.Profile{}
	}
	for a, x := range more {
		out[a] = x
	}
	return out
}
