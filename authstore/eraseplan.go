package authstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/idbridge/idbridge"
)

// hints are texts one of which stands in every JSON that may be about him.
func (e *eraser) hints() []string {
	id := strconv.FormatInt(int64(e.w.user), 10)
	words := []string{`"user":` + id, `"holder":` + id}
	for _, name := range e.w.names {
		words = append(words, inner(name))
	}
	for _, link := range e.w.links {
		words = append(words, inner(link.ID))
	}
	return words
}

// inner is a text as it stands between quotes in JSON.
func inner(text string) string {
	b, err := json.Marshal(text)
	if err != nil { // a string always marshals
		return text
	}
	return string(b[1 : len(b)-1])
}

// plans takes him out of the decisions of all plans. A waiting plan does without him then: what is not in it any more is not
// approved.
func (e *eraser) plans(ctx context.Context) error {
	type row struct {
		plan, phase, seq int64
		text             string
	}
	condition, args := like("decision", e.hints(), 1)
	rows, err := e.t.QueryContext(ctx, `SELECT plan, phase, seq, decision FROM plan_decision WHERE `+condition, args...)
	found, err := collect(rows, err, func(r *sql.Rows) (one row, err error) {
		err = r.Scan(&one.plan, &one.phase, &one.seq, &one.text)
		return one, err
	})
	if err != nil {
		return fmt.Errorf("read decisions of plans: %w", err)
	}
	gone := newBatch(deleteRows, "plan_decision", "plan:n phase:n seq:n", "")
	moved := newBatch(updateRows, "plan_decision", "plan:n phase:n seq:n", "decision")
	for _, one := range found {
		text, keep := e.decision(one.text)
		switch {
		case !keep:
			gone.add(one.plan, one.phase, one.seq)
		case text != one.text:
			moved.add(one.plan, one.phase, one.seq, text)
		}
	}
	e.count("plan_decision", int64(gone.len()+moved.len()))
	return e.t.flush(ctx, gone, moved)
}

// decision returns a decision without him; not to be kept when it is about him, or still names him.
func (e *eraser) decision(text string) (string, bool) {
	var d idbridge.Decision
	if err := json.Unmarshal([]byte(text), &d); err != nil { //nolint:musttag // what the store wrote
		return "", false
	}
	if e.w.has(d.ID) || d.User == e.w.user {
		return "", false
	}
	before := len(d.Steps) + len(d.Withheld) + len(d.Conflicts) + len(d.Tied)
	d.Steps = slices.DeleteFunc(d.Steps, func(s idbridge.Step) bool { return e.w.has(s.ID) || s.User == e.w.user })
	d.Withheld = slices.DeleteFunc(d.Withheld, func(w idbridge.Withheld) bool { return w.Holder == e.w.user })
	d.Conflicts = slices.DeleteFunc(d.Conflicts, func(c idbridge.Conflict) bool { return e.w.has(c.Link) || c.User == e.w.user })
	d.Tied = slices.DeleteFunc(d.Tied, e.w.has)
	for i := range d.Steps {
		if e.w.isLogin(d.Steps[i].Author) {
			d.Steps[i].Author, before = "", -1
		}
	}
	out := text
	if before != len(d.Steps)+len(d.Withheld)+len(d.Conflicts)+len(d.Tied) {
		b, err := json.Marshal(&d) //nolint:musttag // only this package reads it, by the same type
		if err != nil {
			return "", false
		}
		out = string(b)
	}
	return out, !e.inJSON(out)
}

// inJSON tells whether a JSON text names him.
func (e *eraser) inJSON(text string) bool {
	return slices.ContainsFunc(e.w.names, func(name string) bool { return hasWord(text, inner(name)) })
}

// anonymous takes his name as the author off a step of somebody else.
func (e *eraser) anonymous(text string) string {
	var step idbridge.Step
	if err := json.Unmarshal([]byte(text), &step); err != nil { //nolint:musttag // what the store wrote
		return text
	}
	if e.w.isLogin(step.Author) {
		step.Author = ""
	}
	if e.w.in(step.Why) {
		step.Why = ""
	}
	b, err := json.Marshal(&step) //nolint:musttag // only this package reads it, by the same type
	if err != nil {
		return text
	}
	return string(b)
}

// headers takes him out of the headers of plans: the names of administrators, what cannot be reversed, who decided.
func (e *eraser) headers(ctx context.Context) error {
	condition, args := like("header", e.hints(), 1)
	found, err := readPlans(ctx, e.t, ` WHERE `+condition, args...)
	if err != nil {
		return fmt.Errorf("read plans: %w", err)
	}
	rows := newBatch(updateRows, "plans", "id:n", "header")
	for i := range found {
		p := &found[i].plan
		if !e.header(p) {
			continue
		}
		b, err := json.Marshal(p) //nolint:musttag // as newPlan wrote it
		if err != nil {
			return fmt.Errorf("plan %d: %w", found[i].id, err)
		}
		rows.add(found[i].id, string(b))
	}
	e.count("plans", int64(rows.len()))
	return e.t.flush(ctx, rows)
}

// header cleans one header and tells whether there was anything to clean.
func (e *eraser) header(p *idbridge.Plan) bool {
	changed := false
	blank := func(text *string) {
		if e.w.in(*text) {
			*text, changed = "", true
		}
	}
	blank(&p.By)
	blank(&p.Proof.Doubt)
	for i := range p.Verdicts {
		v := &p.Verdicts[i]
		blank(&v.Why)
		n := len(v.Names) + len(v.Causes)
		v.Names = slices.DeleteFunc(v.Names, e.w.in)
		v.Causes = slices.DeleteFunc(v.Causes, e.w.in)
		changed = changed || n != len(v.Names)+len(v.Causes)
		if v.Override != nil {
			blank(&v.Override.By)
			blank(&v.Override.Why)
		}
	}
	n := len(p.Refused)
	p.Refused = slices.DeleteFunc(p.Refused, func(r idbridge.Refusal) bool {
		return e.w.has(r.Link) || r.User == e.w.user || e.w.in(r.Name) || e.w.in(r.Why)
	})
	return changed || n != len(p.Refused)
}
