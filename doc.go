// Package idbridge is the dictionary of the bridge: the words that every room of the house uses, and nothing that does work.
//
// A directory shows records. A record is linked to a user of the store. For each attribute the link remembers the base,
// the value both sides last agreed on. A run compares base, store and directory, and plans steps; a step changes one side
// for one user. What cannot be decided becomes a conflict, what must not happen unseen is held, what cannot be used is
// quarantined.
//
//	directory ──shows──▶ record ◀──link (base, digest, state)──▶ user ◀──owns── key
//	                                                              ▲
//	                                       role ◀──grant (whence)─┘
//
// The package imports nothing of the module but internal/failpoint and does no I/O.
package idbridge
