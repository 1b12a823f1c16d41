package ldapsim

import (
	"strings"
	"sync"
	"time"
)

// Deed is what a Fault does. Those that act on entries let N of them pass untouched first.
type Deed string

// Deeds that act before the request is carried out.
const (
	Delay  Deed = "delay"  // wait, then carry it out, also when the client has gone meanwhile
	Ignore Deed = "ignore" // neither done nor answered
	Hangup Deed = "hangup" // not done; the connection is closed
)

// Deeds that act on the answer. Whatever was asked for has been done.
const (
	Refuse    Deed = "refuse"    // Code; with N = 0 nothing is done, else after N entries of a search
	Mask      Deed = "mask"      // done, but answered with Code
	Lose      Deed = "lose"      // the final answer never comes; the connection stays
	Cut       Deed = "cut"       // after N entries the connection is closed, between two messages
	CutBytes  Deed = "cutBytes"  // after Bytes bytes of the answer the connection is closed
	Stall     Deed = "stall"     // after N entries nothing comes for For, or until Release
	Drip      Deed = "drip"      // byte by byte, For apart
	Skip      Deed = "skip"      // entry N+1 is left out
	Repeat    Deed = "repeat"    // entry N+1 comes twice
	Swap      Deed = "swap"      // entry N+1 comes after the next one
	Empty     Deed = "empty"     // success, and no entry at all
	Bare      Deed = "bare"      // the final answer comes without its controls
	Refer     Deed = "refer"     // code 10 with URIs instead of doing anything
	Continue  Deed = "continue"  // a search reference with URIs after N entries
	Notice    Deed = "notice"    // after N entries the server takes its leave and closes
	Withdraw  Deed = "withdraw"  // after N entries, and for every later answer, Attributes are no longer shown; none: no entries
	HugeValue Deed = "hugeValue" // entry N+1 has a value of Bytes bytes in the first of Attributes
	BadText   Deed = "badText"   // entry N+1 has a value that is not UTF-8 in the first of Attributes
	NULName   Deed = "nulName"   // entry N+1 has a NUL in its DN
	HugeHead  Deed = "hugeHead"  // after N entries a message that announces 2 GiB, and then nothing
	Deep      Deed = "deep"      // after N entries a message nested Bytes levels deep, 10,000 by default
	Inject    Deed = "inject"    // Data directly behind the answer, in the same packet
)

// Fault is one thing that goes wrong, as data. The zero fields say: any operation, anywhere, the first time, once.
type Fault struct {
	Op     Op
	Under  string // only for targets (entry or base) at or below this DN
	Filter string // only for searches whose filter has this text in it, as RFC 4515 writes it
	After  int    // matching requests that go well first
	Times  int    // how often it strikes: 0 is once, -1 always

	Do         Deed
	N          int           // entries
	Bytes      int           // bytes, or levels
	For        time.Duration // 0: until Release
	Code       Code
	Text       string // diagnostic message
	URIs       []string
	Attributes []string
	Data       []byte
}

// Armed is a fault that waits for its request. It is safe for concurrent use.
type Armed struct {
	fault Fault
	under string

	mu       sync.Mutex
	waiting  int // of After
	count    int
	gone     bool
	lasting  bool // Withdraw has begun
	first    chan struct{}
	released chan struct{}
	free     sync.Once
}

// Struck is closed when the fault strikes for the first time.
func (a *Armed) Struck() <-chan struct{} { return a.first }

// Count returns how often it struck.
func (a *Armed) Count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.count
}

// Release ends every Delay and Stall of this fault, those to come too.
func (a *Armed) Release() { a.free.Do(func() { close(a.released) }) }

// Disarm takes the fault away and releases what it holds.
func (a *Armed) Disarm() {
	a.mu.Lock()
	a.gone = true
	a.mu.Unlock()
	a.Release()
}

func (a *Armed) strike() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count++; a.count == 1 {
		close(a.first)
	}
}

// desk keeps the armed faults of a server or a proxy.
type desk struct {
	schema *schema
	mu     sync.Mutex
	armed  []*Armed
}

func (d *desk) arm(f Fault) *Armed {
	a := &Armed{fault: f, waiting: f.After, first: make(chan struct{}), released: make(chan struct{})}
	if f.Under != "" {
		a.under = d.keyOf(f.Under)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = append(d.armed, a)
	return a
}

// keyOf compares by the schema where the name fits it, else by its folded text.
func (d *desk) keyOf(name string) string {
	if parsed, err := parseDN(name); err == nil {
		if key, ok := d.schema.key(parsed); ok {
			return key
		}
	}
	return fold(name)
}

// match finds the fault that strikes this request, nil for none. A fault that is used up stays out of the way.
func (d *desk) match(c call) *Armed {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.armed {
		if a.takes(c, d.keyOf(c.target)) {
			return a
		}
	}
	return nil
}

func (a *Armed) takes(c call, target string) bool {
	f := &a.fault
	if f.Op != OpAny && f.Op != c.op || f.Filter != "" && !strings.Contains(c.filter, f.Filter) ||
		a.under != "" && !within(target, a.under) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.gone:
		return false
	case a.waiting > 0:
		a.waiting--
		return false
	case f.Times < 0 || a.lasting:
		return true
	case f.Times == 0 && f.Do != Withdraw:
		a.gone = true
	case f.Times > 0:
		f.Times--
		a.gone = f.Times == 0
	}
	return true
}

func (d *desk) releaseAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.armed {
		a.Disarm()
	}
}
