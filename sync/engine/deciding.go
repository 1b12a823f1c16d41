package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
	"github.com/idbridge/idbridge/sync/plan"
)

// shown is one record on its way to its decision.
type shown struct {
	id       idbridge.ExternalID
	observed plan.Observed
	fetched  bool // read by id, not listed: no other record tells what an absent attribute means
	touched  []idbridge.Attribute
	at       string // where the record lies; "" when it was not listed
}

// decided is a decision with what the counters must know besides.
type decided struct {
	idbridge.Decision
	present bool // the record was there
	counted bool // its situation stands already; only effects count
}

// subjects reads what the store knows about the records.
func (r *pass) subjects(ctx context.Context, batch []shown) ([]idbridge.Subject, error) {
	ids := make([]idbridge.ExternalID, len(batch))
	profiles := make([]idbridge.Profile, len(batch))
	for i := range batch {
		ids[i] = batch[i].id
		if rec := batch[i].observed.Record; rec != nil {
			profiles[i] = rec.Profile
		}
	}
	subjects, err := r.e.Store.Subjects(ctx, r.name, ids, profiles)
	if err != nil {
		return nil, fmt.Errorf("read the users of %d records of %q: %w", len(ids), r.name, err)
	}
	if len(subjects) != len(ids) {
		return nil, &idbridge.Error{Kind: idbridge.Internal, Msg: "the store answered for other records than asked"}
	}
	return subjects, nil
}

// decideEach decides about each record. A panic concerns one record: it is quarantined.
func (r *pass) decideEach(batch []shown, subjects []idbridge.Subject) []decided {
	now := r.e.now()
	out := make([]decided, len(batch))
	for i := range batch {
		one := &batch[i]
		if one.fetched {
			one.observed.Unknown = withheldFromView(one, &subjects[i])
		}
		r.contest(&subjects[i], one.observed.Record)
		out[i] = decided{
			Decision: r.decideOne(subjects[i], one.observed, now),
			present:  one.observed.Record != nil || one.observed.Unusable != "",
		}
		if d := &out[i].Decision; d.Unusable != "" && !d.Listed && d.Seen.Locator == "" {
			d.Seen.Locator = one.at // so that a person finds the entry that the quarantine speaks of
		}
	}
	return out
}

// withheldFromView names the attributes that a record read by id does not show though the base has them. It takes a
// whole listing to tell an attribute that was cleared from one that may not be read, so they keep their values. What the
// step to be approved touches is known.
func withheldFromView(one *shown, s *idbridge.Subject) []idbridge.Attribute {
	if one.observed.Record == nil || s.Link == nil {
		return one.observed.Unknown
	}
	unknown := slices.Clone(one.observed.Unknown)
	for a, v := range s.Link.Base {
		if len(v) > 0 && len(one.observed.Record.Profile[a]) == 0 && !slices.Contains(one.touched, a) && !slices.Contains(unknown, a) {
			unknown = append(unknown, a)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// contest lets the smallest external id of this listing win a unique value that nobody holds yet; for the others it
// counts as taken.
func (r *pass) contest(s *idbridge.Subject, rec *idbridge.Record) {
	if r.claims == nil || rec == nil || len(r.claims.contested) == 0 {
		return
	}
	for a, spec := range r.p.Schema {
		if !spec.Unique {
			continue
		}
		for _, v := range r.p.Schema.Normal(a, rec.Profile[a]) {
			winner := r.claims.winner(a, v)
			if winner == "" || winner == s.ID.ID {
				continue
			}
			if s.User != nil && slices.Contains(r.p.Schema.Normal(a, s.User.Profile[a]), v) {
				continue // his already
			}
			s.Holders = append(s.Holders, idbridge.Holder{
				Attribute: a, Value: v, Link: idbridge.ExternalID{Directory: r.name, ID: winner},
			})
		}
	}
	slices.SortFunc(s.Holders, func(x, y idbridge.Holder) int {
		return slices.Compare([]string{string(x.Attribute), x.Value}, []string{string(y.Attribute), y.Value})
	})
}

// decideOne decides about one record; a panic becomes its quarantine.
func (r *pass) decideOne(s idbridge.Subject, o plan.Observed, now time.Time) (d idbridge.Decision) {
	defer func() {
		if fault := recover(); fault != nil {
			r.e.log().Error("panic while deciding", "directory", r.name, "run", r.row.ID, "record", s.ID.ID,
				"fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			d = quarantined(&s, fmt.Sprintf("a fault of the program: %v", fault))
		}
	}()
	d = plan.Decide(r.p, s, o, now)
	if d.User == 0 && s.User != nil {
		d.User = s.User.ID
	}
	mutate(&d)
	return d
}

// quarantined is the decision about a record that cannot be decided upon.
func quarantined(s *idbridge.Subject, why string) idbridge.Decision {
	d := idbridge.Decision{ID: s.ID, Name: s.ID.ID, Situation: idbridge.Quarantined, Unusable: why}
	if s.User != nil {
		d.User, d.Name, d.Read.User = s.User.ID, s.User.UserName(), s.User.Revision
	}
	if s.Link != nil {
		d.Read.Link = s.Link.Version
		d.Seen = idbridge.Observation{Locator: s.Link.Locator, Version: s.Link.Seen, Order: s.Link.Order}
	}
	return d
}

// mutate brings back mistakes that a test must notice; without the build tag it does nothing.
func mutate(d *idbridge.Decision) {
	if failpoint.Mutant("basefirst") { // the mistake: the base moves before the effect
		if step := d.DirectoryStep(); step != nil {
			d.Base = d.Base.Clone()
			if d.Base == nil {
				d.Base = idbridge.Profile{}
			}
			for a, v := range step.After {
				d.Base[a] = v
			}
		}
	}
	if failpoint.Mutant("pullnobase") { // the mistake: a pull writes the store and forgets the base
		for i := range d.Steps {
			if d.Steps[i].Side == idbridge.StoreSide && d.Steps[i].Verb == idbridge.Update {
				for a := range d.Steps[i].After {
					delete(d.Base, a)
				}
			}
		}
	}
}
