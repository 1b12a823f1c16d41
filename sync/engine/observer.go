package engine

import (
	"context"
	"fmt"
	"iter"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// observer listens to a directory. A record that shows what it showed when it was last settled only marks its entry in
// the index; new and changed ones are staged. It holds no whole directory in memory.
type observer struct {
	schema   idbridge.Schema
	attrs    []idbridge.Attribute // mapped ones, whose holders are counted
	unique   []idbridge.Attribute // mapped ones that no two users may share
	digester *idbridge.Digester
	index    *index
	known    map[string]idbridge.Group // the store's groups by id
	extra    func(group string) string // what besides its members decides about a group's grants

	people  spool // staged
	groups  spool // Members that differ
	claims  *claims
	holders []int // per attribute of attrs: records that showed a value
	buf     []byte

	seen       int // records, the unusable ones among them
	unchanged  int
	nameless   []idbridge.Unusable // records without an id; a few of them, for the report
	namelessN  int
	places     map[string]string // where they are, and why they cannot be used
	seenGroups map[string]bool
	whole      int // groups whose members are known
	end        *idbridge.Checkpoint
}

const (
	pipelineAfter = 256 // changes; a smaller directory is listened to without a second goroutine
	pipelineBatch = 256
	membersHeavy  = 32 // members weigh as much as one change
	maxNameless   = 20
)

// listen takes the whole scan. Taking a record apart for its digest runs beside the decoding of the next ones.
func (o *observer) listen(ctx context.Context, scan iter.Seq2[idbridge.Change, error], tell func(read int)) error {
	n := 0
	var pipe *pipeline
	for change, err := range scan {
		if err != nil {
			if failpoint.Mutant("errorempty") { // the mistake: what did not answer is taken for empty
				change = idbridge.Checkpoint{Complete: true, Proof: idbridge.Proof{LastPage: true, CanaryPre: true, CanaryPost: true}}
			} else {
				return firstError(pipe.wait(), err)
			}
		}
		n++
		if n%4096 == 0 {
			tell(n)
		}
		if n <= pipelineAfter {
			err = o.take(change)
		} else {
			if pipe == nil {
				pipe = newPipeline(o.take)
			}
			err = pipe.push(ctx, change)
		}
		if err != nil {
			return firstError(pipe.wait(), err)
		}
	}
	return pipe.wait()
}

// take notes one change.
func (o *observer) take(change idbridge.Change) error {
	if o.end != nil {
		return &idbridge.Error{Kind: idbridge.Internal, Msg: "the directory went on after its checkpoint"}
	}
	switch c := change.(type) {
	case idbridge.Present:
		return o.present(&c.Record)
	case idbridge.Gone:
		return o.gone(c)
	case idbridge.Unusable:
		return o.unusable(c)
	case idbridge.Members:
		return o.members(&c)
	case idbridge.Checkpoint:
		if failpoint.Mutant("partialcomplete") { // the mistake: a cut list is taken for the whole
			c.Complete = true
		}
		o.end = &c
		return nil
	}
	return fmt.Errorf("listen: unknown change %T", change)
}

func (o *observer) present(rec *idbridge.Record) error {
	if failpoint.Mutant("joinbydn") { // the mistake: a name is taken for an identity
		rec.ID.ID = rec.Locator
	}
	if rec.ID.ID == "" {
		return o.unusable(idbridge.Unusable{Locator: rec.Locator, Why: &idbridge.Error{
			Kind: idbridge.Invalid, Msg: "the record shows no id",
		}})
	}
	for i, a := range o.attrs {
		if len(rec.Profile[a]) > 0 {
			o.holders[i]++
		}
	}
	e, first := o.sight(rec.ID.ID)
	if !first && e.is(flagStaged) {
		return nil // shown twice, and known to be
	}
	var digest idbridge.Digest
	if rec.Profile != nil {
		digest = o.digester.Record(rec)
	}
	if first && (e.settled(digest) || rec.Profile == nil && e.is(flagLinked) && !e.is(flagMissing)) {
		o.unchanged++
		return nil
	}
	if !first {
		o.unchanged--
	}
	o.claim(rec)
	return o.stage(e, &staged{Record: *rec, Digest: digest})
}

// sight marks an id as shown. first is false when another record showed it before.
func (o *observer) sight(id string) (e *entry, first bool) {
	e, _ = o.index.add(id)
	e.flags &^= flagGone
	if e.is(flagSeen) {
		e.flags |= flagTwice
		return e, false
	}
	e.flags |= flagSeen
	o.seen++
	return e, true
}

func (o *observer) unusable(c idbridge.Unusable) error {
	if c.ID.ID == "" {
		o.unnamed(&c)
		return nil
	}
	e, first := o.sight(c.ID.ID)
	if !first && e.is(flagStaged) {
		return nil
	}
	if !first {
		o.unchanged--
	}
	why := "cannot be used"
	if c.Why != nil {
		why = c.Why.Error()
	}
	return o.stage(e, &staged{Record: idbridge.Record{ID: c.ID, Locator: c.Locator}, Unusable: why})
}

func (o *observer) gone(c idbridge.Gone) error {
	e := o.index.find(c.ID.ID)
	if e == nil || !e.is(flagLinked) {
		return nil
	}
	if e.is(flagSeen) { // shown first, then gone: it is not one of those that are there
		o.seen--
		if !e.is(flagStaged) {
			o.unchanged--
		}
		e.flags &^= flagSeen
	}
	e.flags |= flagGone
	return o.stage(e, &staged{Record: idbridge.Record{ID: c.ID}, Gone: c.Why})
}

func (o *observer) stage(e *entry, s *staged) error {
	e.flags |= flagStaged | flagChanged
	o.buf = appendStaged(o.buf[:0], s)
	return o.people.append(o.buf)
}

// members stages a group whose list differs from the last one, or is not known.
func (o *observer) members(c *idbridge.Members) error {
	if failpoint.Mutant("groupempty") && !c.Whole.OK { // the mistake: a list that was not read is taken for empty
		c.Members, c.Whole.OK = nil, true
	}
	if o.seenGroups == nil {
		o.seenGroups = map[string]bool{}
	}
	o.seenGroups[c.Group.ID] = true
	var digest idbridge.Digest
	if c.Whole.OK {
		o.whole++
		digest = o.digester.Members(c, o.extra(c.Name))
		if known, ok := o.known[c.Group.ID]; ok && known.Digest == digest {
			return nil
		}
	}
	o.buf = appendMembers(o.buf[:0], c, digest)
	return o.groups.append(o.buf)
}

// claim notes which unique values a staged record shows.
func (o *observer) claim(rec *idbridge.Record) {
	for _, a := range o.unique {
		for _, v := range o.schema.Normal(a, rec.Profile[a]) {
			o.claims.note(a, v)
		}
	}
}

func (o *observer) close() {
	o.people.close()
	o.groups.close()
}

// appendMembers writes a group's list as a frame.
func appendMembers(b []byte, c *idbridge.Members, digest idbridge.Digest) []byte {
	w := writer{b}
	w.id(c.Group)
	w.text(c.Name)
	w.raw(digest[:])
	w.byte(bit(c.Whole.OK))
	w.text(c.Whole.Reason)
	w.int(int64(c.Unresolved))
	w.length(len(c.Members) + 1)
	for _, m := range c.Members {
		w.id(m)
	}
	return w.b
}

// readMembers is the inverse of appendMembers.
func readMembers(r *reader) (c idbridge.Members, digest idbridge.Digest, err error) {
	c.Group = r.id()
	c.Name = r.text()
	digest = r.digest()
	c.Whole = idbridge.Support{OK: r.byte() == 1, Reason: r.text()}
	c.Unresolved = int(r.int())
	c.Members = list(r, (*reader).id)
	return c, digest, r.end()
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
