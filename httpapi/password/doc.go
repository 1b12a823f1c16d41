// Package password makes and checks the hashes of local passwords: Argon2id (RFC 9106) in PHC strings. A hash costs 19 MiB
// and some 26 ms on purpose, so at most twice as many as there are processors are under way at once; who finds no place
// within a while is told to come back.
package password
