package credential

import (
	"container/list"
	"hash/maphash"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits says how many failures are borne.
type Limits struct {
	PerAddress  int // failures a minute from one address (IPv6: one /64) before passwords from there wait; default 10
	FreePerPair int // failures of one name from one address within two minutes before the delays begin; default 4
	Remember    int // addresses and pairs kept in memory, each; the longest idle go first; default 65,536
}

func (l Limits) withDefaults() Limits {
	if l.PerAddress <= 0 {
		l.PerAddress = 10
	}
	if l.FreePerPair <= 0 {
		l.FreePerPair = 4
	}
	if l.Remember <= 0 {
		l.Remember = 1 << 16
	}
	return l
}

const (
	pairWindow = 2 * time.Minute
	maxDelay   = time.Minute
	shards     = 16
)

// Limiter counts failed sign-ins per address and per name and address. It never locks a user out: his other addresses are
// not touched, and a key that is right is always let in. Safe for concurrent use; bounded in memory.
type Limiter struct {
	limits Limits
	seed   maphash.Seed
	parts  [shards]part
}

type part struct {
	mu      sync.Mutex
	entries map[string]*list.Element
	recent  *list.List // most recent first
}

type entry struct {
	name   string
	bucket *rate.Limiter // of an address
	failed int           // of a pair
	last   time.Time
	until  time.Time
}

// NewLimiter returns an empty Limiter.
func NewLimiter(limits Limits) *Limiter {
	l := &Limiter{limits: limits.withDefaults(), seed: maphash.MakeSeed()}
	for i := range l.parts {
		l.parts[i] = part{entries: map[string]*list.Element{}, recent: list.New()}
	}
	return l
}

// Wait returns how long a password attempt of name from the address has to wait; 0 lets it through. name is "" for
// credentials without one.
func (l *Limiter) Wait(address, name string, now time.Time) time.Duration {
	var wait time.Duration
	l.with(address, false, func(e *entry) {
		if e.bucket != nil && e.bucket.TokensAt(now) < 1 {
			wait = time.Duration((1 - e.bucket.TokensAt(now)) / float64(e.bucket.Limit()) * float64(time.Second))
		}
	})
	if name == "" {
		return wait
	}
	l.with(pair(address, name), false, func(e *entry) { wait = max(wait, e.until.Sub(now)) })
	return wait
}

// Failed counts a failure of name from the address; name is "" for keys, which never count against a user.
func (l *Limiter) Failed(address, name string, now time.Time) {
	l.with(address, true, func(e *entry) {
		if e.bucket == nil {
			e.bucket = rate.NewLimiter(rate.Every(time.Minute/time.Duration(l.limits.PerAddress)), l.limits.PerAddress)
		}
		e.bucket.AllowN(now, 1)
	})
	if name == "" {
		return
	}
	l.with(pair(address, name), true, func(e *entry) {
		if now.Sub(e.last) > pairWindow {
			e.failed = 0
		}
		e.failed++
		e.last = now
		if over := e.failed - l.limits.FreePerPair; over > 0 {
			e.until = now.Add(min(maxDelay, time.Second<<min(over-1, 6)))
		}
	})
}

// Succeeded forgets the failures of name from the address. The address keeps its count, or one good password would pay
// for guessing others.
func (l *Limiter) Succeeded(address, name string) {
	p := l.part(pair(address, name))
	p.mu.Lock()
	defer p.mu.Unlock()
	if el, ok := p.entries[pair(address, name)]; ok {
		p.recent.Remove(el)
		delete(p.entries, pair(address, name))
	}
}

// Left returns how many failures the address has left.
func (l *Limiter) Left(address string, now time.Time) int {
	left := l.limits.PerAddress
	l.with(address, false, func(e *entry) {
		if e.bucket != nil {
			left = max(0, int(e.bucket.TokensAt(now)))
		}
	})
	return left
}

// PerAddress returns the failures a minute that one address may make.
func (l *Limiter) PerAddress() int { return l.limits.PerAddress }

// policy is the value of the header RateLimit-Policy (IETF httpapi draft).
func (l *Limiter) policy() string {
	return `"failures";q=` + strconv.Itoa(l.limits.PerAddress) + `;w=60`
}

// with runs f on the entry under its lock; without add it does nothing for an unknown name.
func (l *Limiter) with(name string, add bool, f func(*entry)) {
	p := l.part(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	el, ok := p.entries[name]
	switch {
	case ok:
		p.recent.MoveToFront(el)
	case !add:
		return
	default:
		el = p.recent.PushFront(&entry{name: name})
		p.entries[name] = el
		if p.recent.Len() > max(1, 2*l.limits.Remember/shards) {
			p.forget(p.recent.Back())
		}
	}
	if e, ok := el.Value.(*entry); ok {
		f(e)
	}
}

func (p *part) forget(el *list.Element) {
	p.recent.Remove(el)
	if e, ok := el.Value.(*entry); ok {
		delete(p.entries, e.name)
	}
}

func (l *Limiter) part(name string) *part {
	return &l.parts[maphash.String(l.seed, name)%shards]
}

func pair(address, name string) string { return address + "\x00" + name }

// Len returns how many addresses and pairs are kept.
func (l *Limiter) Len() int {
	n := 0
	for i := range l.parts {
		l.parts[i].mu.Lock()
		n += l.parts[i].recent.Len()
		l.parts[i].mu.Unlock()
	}
	return n
}
