// Package testserver starts real servers (PostgreSQL, pgbouncer, slapd, nginx, Chromium) in scratch directories on free ports of the loopback, for
// tests and benchmarks only. Nothing of it is linked into the program.
//
//	Need ──finds──▶ program ──runs as an ordinary user──▶ scratch directory ──stopped and removed──▶ cleanup
//
// What happens to a server in its life can be made to happen:
//
//	killed, paused, started again      SlapdServer, PostgresServer: Kill, Pause, Resume, Start
//	put back to an older state         SlapdServer.Snapshot, Restore
//	another certificate or password    SlapdServer.SetCertificate, SetSyncPassword
//	an OU renamed, an entry moved      SlapdServer.Modify(Move(dn, rdn, above))
//	a failover                         PostgresServer.Standby, Kill, Promote; BlackHole.Point
//	a network that swallows all        BlackHole: Drop, Resume, Forget, Cut, before any TCP server
//	a pooler that shares sessions      StartPgBouncer
//	a proxy that asks before it serves StartNginx
//	a browser, with its own rules      StartChromium
//
// A missing program skips the test, or fails it where REQUIRE_ALL=1.
package testserver
