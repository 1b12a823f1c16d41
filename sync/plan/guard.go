package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/internal/failpoint"
)

// The guards, by the names that verdicts and the config's overrides carry.
const (
	GuardComplete    = "complete"     // removal by absence without a complete listing
	GuardEmpty       = "empty"        // nobody is shown where somebody was
	GuardRestored    = "restored"     // the store is an older copy, and nobody accepted it yet
	GuardRollback    = "rollback"     // too many records show an older state than before
	GuardIDs         = "ids"          // too many people come back under another id
	GuardScope       = "scope"        // base DN, filter, mapping or identity key changed
	GuardRemovals    = "removals"     // too many would lose access
	GuardKeys        = "keys"         // too many keys would be refused
	GuardAdmins      = "admins"       // nobody would be left who can administer
	GuardAdminGrants = "admin_grants" // too many would become administrators
	GuardGrants      = "grants"       // too many roles would be given by groups
	GuardCreations   = "creations"    // too many new users
	GuardMembers     = "members"      // a group loses too many members
	GuardChanges     = "changes"      // too many linked records changed
	GuardWrites      = "writes"       // too many changes would go to the directory
)

// Overridable returns the names of the guards that have a limit, which an override can replace for a while. The others
// answer yes or no: a directory that shows nobody is held whatever anybody expects.
func Overridable() []string {
	return []string{
		GuardRollback, GuardIDs, GuardRemovals, GuardKeys, GuardAdminGrants, GuardGrants, GuardCreations, GuardMembers,
		GuardChanges, GuardWrites,
	}
}

// namesMost is how many names a sentence lists.
const namesMost = 10

// guard is what each of them is: a look at the sums and the facts, and an answer. It answers false when it does not
// concern the run.
type guard func(*Tally, *Facts) (idbridge.Verdict, bool)

// verdicts asks all guards, in the order in which a person should read them.
//
//	holds                    guards
//	the whole plan           complete, empty, restored, rollback, ids, scope, removals, keys, admins
//	joins that give a role   admin_grants (those that give ADMIN), grants; who leaves a group leaves it all the same
//	new users                creations
//	one group                members
//	attribute steps          changes, writes; so that a leaver's access still ends
func (t *Tally) verdicts(f *Facts) []idbridge.Verdict {
	var out []idbridge.Verdict
	for _, g := range [...]guard{
		(*Tally).complete, (*Tally).empty, (*Tally).restored, (*Tally).rollback, (*Tally).ids, (*Tally).scope,
		(*Tally).removals, (*Tally).keys, (*Tally).lastAdmin, (*Tally).adminGrants, (*Tally).grants, (*Tally).creations,
	} {
		if v, concerns := g(t, f); concerns {
			out = append(out, blame(v))
		}
	}
	for _, v := range t.members(f) {
		out = append(out, blame(v))
	}
	for _, g := range [...]guard{(*Tally).changes, (*Tally).tooManyWrites} {
		if v, concerns := g(t, f); concerns {
			out = append(out, blame(v))
		}
	}
	return out
}

// measure sets the limit of a verdict: the larger of a floor and a share of what it is compared with, cut at most (no cut
// below 0), or what an override in force says.
func (t *Tally) measure(v *idbridge.Verdict, f *Facts, floor int, share float64, most int) {
	if o := override(t.p.Overrides, v.Guard, f.now); o != nil {
		v.Limit, v.Override = o.Limit, o
		return
	}
	v.Limit = limit(v.Of, floor, share)
	if most >= 0 {
		v.Limit = min(v.Limit, most)
	}
}

// override returns the exception from a guard that is in force, nil for none. The first one written counts.
func override(all []idbridge.Override, guard string, now time.Time) *idbridge.Override {
	i := slices.IndexFunc(all, func(o idbridge.Override) bool {
		return o.Guard == guard && (o.Until.After(now) || failpoint.Mutant("overrideforever")) // the mistake: an exception stays
	})
	if i < 0 {
		return nil
	}
	o := all[i]
	return &o
}

func because(doubt string) string {
	if doubt == "" {
		return ""
	}
	return " (" + doubt + ")"
}

func people(n int, one, many string) string {
	if n == 1 {
		return "1 person " + one
	}
	return fmt.Sprintf("%d people %s", n, many)
}

// count spells a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func names(list []string) string {
	if len(list) <= namesMost {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:namesMost], ", ") + fmt.Sprintf(" and %d more", len(list)-namesMost)
}

// few is as many names as a verdict carries.
func few(list []string) []string { return list[:min(len(list), adminsNamed)] }
