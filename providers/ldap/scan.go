package ldap

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/idbridge/idbridge"
)

// Scan lists everybody and every group, over a connection of its own:
//
//	tap's reader ──batches of raw messages──▶ listing.run: walk, map ──batches of changes──▶ the caller's loop
//
// Each arrow holds a few batches and then waits, so a slow caller slows the server and nothing piles up. since is not
// looked at: every listing is complete, or says why not.
func (s *Session) Scan(ctx context.Context, _ idbridge.Cursor) iter.Seq2[idbridge.Change, error] {
	return func(yield func(idbridge.Change, error) bool) {
		inner, cancel := context.WithCancel(ctx)
		l := newListing(s)
		go func() {
			defer close(l.out)
			l.err = l.run(inner)
		}()
		defer func() {
			cancel()
			for range l.out { // until the goroutine has ended
			}
		}()
		for batch := range l.out {
			for _, c := range batch {
				if ctx.Err() != nil {
					yield(nil, fmt.Errorf("list: %w", context.Cause(ctx)))
					return
				}
				if !yield(c, nil) {
					return
				}
			}
		}
		if l.err != nil {
			yield(nil, l.err)
		}
	}
}

// cursor is what a Checkpoint keeps, as JSON. A listing needs none; it says whose listing it was.
type cursor struct {
	V      int    `json:"v"`
	Feed   string `json:"feed"`
	Server string `json:"server"`
	Scope  string `json:"scope"`
}

func (s *Session) cursor() idbridge.Cursor {
	b, err := json.Marshal(cursor{V: 1, Feed: feedListing, Server: s.server.identity, Scope: s.d.Scope()})
	if err != nil {
		return ""
	}
	return idbridge.Cursor(b)
}

const feedListing = "listing"
