// Package engine does one run: it listens to a directory, has each change decided, asks the guards, and makes the effects.
//
//	scan ─▶ observe (digest differs?) ─▶ stage ─▶ Checkpoint ─▶ decide ─▶ tally ─▶ guard ─▶ commit per batch
//	                                                                              └▶ held     ├─ store steps, links, sent rows: one transaction
//	                                                                                          ├─ directory steps on the wire, several in flight
//	                                                                                          └─ settle: bases move
//
// It also pushes: the users whose edits wait in the outbox are fetched, decided and committed by the same functions,
// without waiting for a schedule.
package engine
