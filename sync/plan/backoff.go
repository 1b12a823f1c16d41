package plan

import (
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// refusedBefore withholds a value from a directory that refused to write the record, until it is asked again. What a
// person has just edited is tried at once.
func (w *work) refusedBefore(s *sides) bool {
	b := w.s.Backoff
	if !b.Until.After(w.now) || w.o.Pushed || w.o.Author != "" {
		return false
	}
	why := fmt.Sprintf("not written before %s: the directory refused it", clock(b.Until))
	if b.Attempts > 1 {
		why = fmt.Sprintf("%s %d times", why, b.Attempts)
	}
	if b.Why != "" {
		why += " (" + b.Why + ")"
	}
	w.withhold(idbridge.Withheld{Attribute: s.a, Value: s.store.String(), Why: why})
	return true
}

// flips withholds an attribute that has changed its direction so often that the directory seems to rewrite what is written
// to it. Neither side is changed until a person edits it.
func (w *work) flips(s *sides) bool {
	i := slices.IndexFunc(w.s.Flips, func(f idbridge.Flip) bool { return f.Attribute == s.a })
	if i < 0 || w.s.Flips[i].Count < idbridge.FlipLimit || failpoint.Mutant("pingpong") { // the mistake: it goes on for ever
		return false
	}
	w.withhold(idbridge.Withheld{Attribute: s.a, Value: s.dir.String(), Why: fmt.Sprintf(
		"changed its direction in %d runs in a row, so something rewrites it: left alone on both sides until somebody edits it; "+
			"flow in or out ends it for good", w.s.Flips[i].Count)})
	return true
}
