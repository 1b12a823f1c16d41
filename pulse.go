package idbridge

import "time"

// Pulse is what a store says about itself, for metrics and health.
type Pulse struct {
	Holder    string        // the process that leads the runs; "" when nobody does
	LeaseAge  time.Duration // since the holder took the lead, by the database's clock
	LeaseLeft time.Duration // until the lease runs out unless it is renewed; 0 when nobody leads
	Fresh     bool          // cached rights may answer: the store's revision was seen a moment ago
	Unsealed  int           // audit rows that wait for their block
}
