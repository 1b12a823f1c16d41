// Package engine does one run: it listens to a directory, has each change decided, asks the guards, and makes the effects.
//
//	scan ─▶ observe (digest differs?) ─▶ stage ─▶ Checkpoint ─▶ decide ─▶ tally ─▶ guard ─▶ commit per batch
//	                                                                              └▶ held     ├─ store steps, links, sent rows: one transaction
//	                                                                                          ├─ directory steps on the wire, several in flight
//	                                                                                          └─ settle: bases move
//
// What is read has an order: the store before the directory, always. A record that was observed before its link last moved
// is looked at again, because a base that is younger than the observation would make an old value look like an edit. A
// step that was sent and is not there yet is made once more and not given up, because a late arrival would bring our older
// value back over a newer edit. Both were found by the property tests, which cut real runs into single steps.
//
// It also pushes: the users whose edits wait in the outbox are fetched, decided and committed by the same functions,
// without waiting for a schedule.
package engine
