// Package mapping turns a directory's attributes into a profile and back, by plain names. It is pure: the same values
// give the same profile, nothing is kept, nothing is changed that was handed in.
//
//	entry  ──Sources[i], Values[i]──▶  Map.Profile  ──▶  idbridge.Profile
//	modify ◀──source, values─────────  Map.Back     ◀──  one attribute of a step
package mapping
