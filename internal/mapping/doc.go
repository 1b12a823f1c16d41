// Package mapping turns a directory's attributes into a profile and back, by plain names and by expressions. It is pure:
// the same values give the same profile, nothing is kept, nothing is changed that was handed in.
//
//	entry  ──Sources[i], Values[i]──▶  Map.Profile  ──▶  idbridge.Profile
//	modify ◀──source, values─────────  Map.Back     ◀──  one attribute of a step
//
// An expression (expr-lang, cut down) reads the entry and gives a text, a list of texts, or nil; true and false where
// the attribute is a boolean. A name is an attribute of the entry: its value as text, "" when it has none, and of several
// the one in the entry's own name, else the smallest, so that the server's order does not matter. first("employee-type")
// is the same for a name with a hyphen; all("mail") is the sorted list of every value. Blanks around what it gives go,
// and empty texts with them. It flows in only, since nobody can work back from "Ada Lovelace" to two names.
//
// It always ends: loops go over lists only (filter, map, find, any, none, one, count), and what it reads, makes and looks
// at is counted against bounds. An entry over which it fails is that record's trouble (a *Fault), never the run's.
package mapping
