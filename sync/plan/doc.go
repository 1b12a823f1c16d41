// Package plan decides. It is given all that is known about one record, its link and its user, and says which steps are
// due; and it adds up what a whole run would do and asks the guards. It is pure: no I/O, no clock, no log, no metric.
//
//	Subject (store) ─┐
//	Observed (run) ──┼─▶ Decide ─▶ Decision ─▶ Tally ─▶ Plan header, Guard verdicts ─▶ Allowed ─▶ what is committed
//	Policy (config) ─┘     │
//	                       └─▶ Explain: the same decision, followed attribute by attribute
//
//	RunChange (a run that was) ─▶ Reverse, ReverseGroup ─▶ Decision ─▶ the same guards
package plan
