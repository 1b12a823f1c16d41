package token_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/token"
)

// FuzzJWT: whatever is sent, only what was minted, octet for octet, is good; the rest is refused and nothing panics.
func FuzzJWT(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	clock := func() time.Time { return now }
	store, ctx := &shelf{}, context.Background()
	room, roles := token.NewControlRoom(store, 0, clock), token.NewRoles(store, "https://id.example.org", clock)
	control, err := room.Mint(ctx, 7, 42)
	if err != nil {
		f.Fatal(err)
	}
	role, _, err := roles.Mint(ctx, token.Role{User: 7, Audience: "app"}, 0)
	if err != nil {
		f.Fatal(err)
	}
	good := []string{control.Reveal(), role.Reveal()}
	for _, text := range good {
		f.Add(text)
		f.Add(text[:len(text)-1] + string(text[len(text)-1]+1)) // the same octets, loosely read
	}
	f.Fuzz(func(t *testing.T, text string) {
		for n, minted := range good {
			// The input may also name which parts of a good token to put in its own ones' place.
			for _, sent := range []string{text, strings.NewReplacer("HEAD", strings.Split(minted, ".")[0], "BODY", strings.Split(minted, ".")[1], "SUM", strings.Split(minted, ".")[2]).Replace(text)} {
				_, _, _, err1 := room.Bearer(ctx, sent, now)
				_, err2 := roles.Read(ctx, sent, "")
				for i, err := range []error{err1, err2} {
					if err == nil != (sent == good[i]) {
						t.Fatalf("%d %d %q: %v", n, i, sent, err)
					}
					if err != nil && idbridge.KindOf(err) != idbridge.Unauthentic {
						t.Fatalf("%q: %v", sent, err)
					}
				}
			}
		}
	})
}
