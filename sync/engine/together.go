package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

// maxHolders bounds how many holders of unique values one batch looks up; further values are withheld until the next run.
const maxHolders = 200

// decideTogether decides about a batch. Where a record wants a unique value that another one holds, the other record is
// read: if it lets the value go in this run too, it is decided in the same batch and before the record that wants it, so
// that two people who swap their addresses need no second run.
func (r *pass) decideTogether(ctx context.Context, o *observer, batch []shown) ([]decided, error) {
	subjects, err := r.subjects(ctx, batch)
	if err != nil {
		return nil, err
	}
	batch, subjects = r.withoutMoved(o, batch, subjects)
	o.recognise(batch, subjects)
	looked := map[idbridge.ExternalID]*plan.Observed{}
	for len(looked) < maxHolders {
		wanted := r.wanted(o, subjects, looked)
		if len(wanted) == 0 {
			break
		}
		pulled, err := r.pull(ctx, o, wanted, looked)
		if err != nil {
			return nil, err
		}
		if len(pulled) == 0 {
			break
		}
		more, err := r.subjects(ctx, pulled)
		if err != nil {
			return nil, err
		}
		pulled, more = r.withoutMoved(o, pulled, more)
		batch, subjects = append(pulled, batch...), append(more, subjects...)
	}
	r.yield(o, batch, subjects, looked)
	return r.decideEach(batch, subjects), nil
}

// wanted lists the records that hold unique values which others of the batch show, and that were not looked at yet. An
// unchanged one still shows what it holds.
func (r *pass) wanted(o *observer, subjects []idbridge.Subject, looked map[idbridge.ExternalID]*plan.Observed) []idbridge.ExternalID {
	var out []idbridge.ExternalID
	for i := range subjects {
		for _, h := range subjects[i].Holders {
			if h.Link.ID == "" || h.Link.Directory != r.name || h.User == 0 {
				continue
			}
			if _, ok := looked[h.Link]; ok || len(looked)+len(out) >= maxHolders || slices.Contains(out, h.Link) {
				continue
			}
			if e := o.index.find(h.Link.ID); e != nil && e.is(flagChanged) && !e.is(flagTwice) {
				out = append(out, h.Link)
			}
		}
	}
	return out
}

// pull reads the wanted records, and returns those that still waited in the spool: they are decided now.
func (r *pass) pull(ctx context.Context, o *observer, wanted []idbridge.ExternalID, looked map[idbridge.ExternalID]*plan.Observed) ([]shown, error) {
	var pulled []shown
	for len(wanted) > 0 {
		n := min(len(wanted), fetchBatch)
		records, err := r.session.Fetch(ctx, wanted[:n])
		if err != nil {
			return nil, fmt.Errorf("read %d records of %q: %w", n, r.name, err)
		}
		for _, id := range wanted[:n] {
			looked[id] = nil
			rec, ok := records[id]
			if !ok {
				continue
			}
			seen := plan.Observed{
				Record: &rec, Digest: r.digester.Record(&rec), Unknown: r.unknown, Author: r.authors[id],
			}
			looked[id] = &seen
			e := o.index.find(id.ID)
			if !e.is(flagStaged) || e.is(flagGone) {
				continue
			}
			e.flags &^= flagStaged
			pulled = append(pulled, shown{id: id, observed: seen})
		}
		wanted = wanted[n:]
	}
	return pulled, nil
}

// yield tells each record which holders let their value go. Who is absent from a listing that proves it lets his login and
// his e-mail go to a new record at once, though his own access ends only once his absence is confirmed.
func (r *pass) yield(o *observer, batch []shown, subjects []idbridge.Subject, looked map[idbridge.ExternalID]*plan.Observed) {
	absent := o.end != nil && o.end.Complete && plan.Doubt(&o.end.Proof) == ""
	for i := range subjects {
		for _, h := range subjects[i].Holders {
			if h.Link.ID == "" || h.Link.Directory != r.name || h.User == 0 {
				continue
			}
			e := o.index.find(h.Link.ID)
			switch {
			case e != nil && (e.is(flagGone) || e.is(flagMissing) && !e.is(flagSeen) || absent && e.absent()):
				batch[i].observed.Yields = append(batch[i].observed.Yields, plan.Yield{Link: h.Link, Gone: true})
			case plan.Lets(r.p, h, looked[h.Link]):
				batch[i].observed.Yields = append(batch[i].observed.Yields, plan.Yield{Link: h.Link})
			}
		}
	}
}

// withoutMoved leaves out the records whose links moved since the directory was read: what was observed may be older than
// the base. Those that are there are looked at again at the end of the run.
func (r *pass) withoutMoved(o *observer, batch []shown, subjects []idbridge.Subject) ([]shown, []idbridge.Subject) {
	keptBatch, keptSubjects := batch[:0], subjects[:0]
	for i := range batch {
		if e := o.index.find(batch[i].id.ID); e != nil && !e.moved(subjects[i].Link) {
			keptBatch, keptSubjects = append(keptBatch, batch[i]), append(keptSubjects, subjects[i])
			continue
		}
		if ob := &batch[i].observed; ob.Record != nil || ob.Unusable != "" {
			r.look(batch[i].id, attempt{phase: idbridge.PhaseGive, pending: true, present: true})
		}
	}
	return keptBatch, keptSubjects
}
