// Package publish speaks the publish settings of AIP Console, both parts of them: the target that a console verifies before
// it publishes to it, and the console that keeps exactly one target and tests it before it is saved.
//
//	console: PUT settings ──▶ Tester ── GET url/api/user, GET url/api/, POST …/publish/verify ──▶ target
//	                             └─ a reason a person understands; saved only when there is none
//
// What the tester dials is decided by an administrator of ours, not by whoever owns the name: the address is looked at after
// it was resolved, redirects are not followed, and neither time nor answer is unbounded.
package publish
