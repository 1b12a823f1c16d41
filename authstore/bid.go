package authstore

import (
	"context"
	"slices"

	"github.com/idbridge/idbridge"
)

// bidding decides, for a whole batch at once, who gets which unique value. Values may go round in a circle inside a batch
// (two people swap their e-mails), so what is given up counts as free before anything is handed out.
//
//	holder of b | gives b up in this batch | bidder gets b
//	nobody      | –                        | yes
//	himself     | –                        | yes
//	another     | yes                      | yes
//	another     | no                       | no: the value is withheld
type bidding struct {
	bids  []bid
	owner map[claim]int64 // a user's id, or −1−i for the user that decision i creates
}

// bid is what one decision wants of one unique attribute.
type bid struct {
	decision  int
	who       int64
	attribute idbridge.Attribute
	old, want idbridge.Values // normalised
	lost      idbridge.Values // of want: taken by somebody else
	kept      bool            // all of want was lost: he keeps what he has
}

// bid collects what the admitted decisions want, settles it and writes down what is withheld.
func (c *commit) bid(ctx context.Context) error {
	b := &bidding{}
	wanted := make(map[claim]struct{}, 2*len(c.decisions))
	b.bids = make([]bid, 0, 2*len(c.decisions)) // login and e-mail
	for i := range c.decisions {
		if c.refused[i] {
			continue
		}
		for _, one := range c.bidsOf(i) {
			b.bids = append(b.bids, one)
			for _, v := range one.want {
				wanted[claim{one.attribute, v}] = struct{}{}
			}
		}
	}
	c.claims = b
	if len(b.bids) == 0 {
		return nil
	}
	var holders map[claim]idbridge.UserID
	if !c.trusting {
		var err error
		if holders, err = c.s.readHolders(ctx, c.t, wanted); err != nil {
			return err
		}
	}
	b.settle(holders)
	for i := range b.bids {
		c.withhold(&b.bids[i])
	}
	return nil
}

// bidsOf returns the bids of one decision: the unique attributes that its store steps write.
func (c *commit) bidsOf(i int) []bid {
	d := &c.decisions[i]
	_, user := c.subject(d)
	var out []bid
	for k := range d.Steps {
		step := &d.Steps[k]
		if step.Side != idbridge.StoreSide {
			continue
		}
		var who int64
		var before idbridge.Profile
		switch other := c.yielder(step, user); {
		case other != nil:
			who, before = int64(other.ID), other.Profile
		case step.Verb == idbridge.Create:
			who = int64(-1 - i)
		case (step.Verb == idbridge.Linking || step.Verb == idbridge.Update) && user != nil:
			who, before = int64(user.ID), user.Profile
		default:
			continue
		}
		for _, a := range c.s.unique {
			if v, ok := step.After[a]; ok {
				out = append(out, bid{
					decision: i, who: who, attribute: a, old: c.s.schema.Normal(a, before[a]), want: c.s.schema.Normal(a, v),
				})
			}
		}
	}
	return out
}

// settle hands the values out. Whoever loses all he wanted keeps what he has, which may take it from somebody who counted on
// it; so it is repeated until nobody else loses. Each round keeps one more bid at least, so it ends.
func (b *bidding) settle(holders map[claim]idbridge.UserID) {
	for again := true; again; {
		again = false
		b.owner = make(map[claim]int64, len(holders)+len(b.bids))
		for c, id := range holders {
			b.owner[c] = int64(id)
		}
		for i := range b.bids {
			b.bids[i].release(b.owner)
		}
		for i := range b.bids {
			one := &b.bids[i]
			one.take(b.owner)
			if len(one.lost) > 0 && len(one.lost) == len(one.want) && !one.kept {
				one.kept = true
				again = b.withdraw(one) || len(one.old) > 0 || again
			}
		}
	}
}

// withdraw takes back all other bids of a create that does not get its login: there will be no such user.
func (b *bidding) withdraw(failed *bid) (changed bool) {
	if failed.who >= 0 || failed.attribute != idbridge.UserName {
		return false
	}
	for i := range b.bids {
		if one := &b.bids[i]; one != failed && one.decision == failed.decision && len(one.want) > 0 {
			one.want, changed = nil, true
		}
	}
	return changed
}

// release frees what the bidder gives up, unless he keeps it.
func (b *bid) release(owner map[claim]int64) {
	for _, v := range b.old {
		c := claim{b.attribute, v}
		if b.kept || slices.Contains(b.want, v) {
			owner[c] = b.who
		} else if owner[c] == b.who {
			delete(owner, c)
		}
	}
}

// take gives the bidder what is free.
func (b *bid) take(owner map[claim]int64) {
	b.lost = b.lost[:0]
	for _, v := range b.want {
		c := claim{b.attribute, v}
		if at, held := owner[c]; held && at != b.who {
			b.lost = append(b.lost, v)
		} else if !b.kept {
			owner[c] = b.who
		}
	}
}

// withhold tells the outcome what a bid lost. A create without its login cannot be.
func (c *commit) withhold(b *bid) {
	if len(b.lost) == 0 {
		return
	}
	for _, v := range b.lost {
		holder := c.claims.owner[claim{b.attribute, v}]
		c.out[b.decision].Withheld = append(c.out[b.decision].Withheld, idbridge.Withheld{
			Attribute: b.attribute, Value: v, Holder: idbridge.UserID(max(holder, 0)), Why: "another user has it",
		})
	}
	if b.kept && b.attribute == idbridge.UserName && b.who < 0 {
		c.refused[b.decision] = true
	}
}

// allowed returns what the bid leaves of the values; not ok when the attribute stays as it is.
func (b *bid) allowed(match idbridge.Match, v idbridge.Values) (idbridge.Values, bool) {
	if len(b.lost) == 0 {
		return v, true
	}
	if b.kept {
		return nil, false
	}
	out := make(idbridge.Values, 0, len(v))
	for _, one := range v {
		if !slices.Contains(b.lost, match.Normal(one)) {
			out = append(out, one)
		}
	}
	return out, true
}
