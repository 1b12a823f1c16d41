package idbridge

import (
	"hash/fnv"
	"time"
)

// The waits between two tries of a write that a directory refuses.
const (
	firstWait = 5 * time.Minute
	maxWait   = 24 * time.Hour
)

// Wait says how long to leave a record alone after it was refused attempts times in a row: five minutes, doubled each
// time up to a day, and up to a fifth more, so that records refused together do not come back together. The same
// arguments give the same answer.
func Wait(id ExternalID, attempts int) time.Duration {
	wait := maxWait
	if attempts < 10 {
		wait = min(maxWait, firstWait<<max(0, attempts-1))
	}
	h := fnv.New32a()
	h.Write([]byte(id.Directory + "\x00" + id.ID)) // never fails
	return wait + wait/5*time.Duration(h.Sum32()&0xffff)>>16
}
