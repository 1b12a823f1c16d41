package plan_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/sync/plan"
)

var update = flag.Bool("update", false, "write the golden plans anew")

// noon is when every golden decision is made.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestDecideGolden decides each archive of testdata: what the store and the directory hold, and the plan that follows.
// Run with -update to write the plans anew, and read the diff.
func TestDecideGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 40 {
		t.Fatalf("%d archives found, want at least 40", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, sections := unpack(string(raw))
			c := parseCase(t, sections)
			d := plan.Decide(&c.policy, c.subject, c.observed, noon)
			got := print(&d, c.observed.Digest)
			if *update {
				text := head
				for _, name := range []string{"policy", "base", "store", "directory", "more"} {
					if body, ok := sections[name]; ok {
						text += "-- " + name + " --\n" + body
					}
				}
				if err := os.WriteFile(file, []byte(text+"-- plan --\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(sections["plan"], got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// unpack reads a txtar archive: a comment, then files under lines "-- name --".
func unpack(raw string) (head string, files map[string]string) {
	files = map[string]string{}
	name := ""
	for line := range strings.Lines(raw) {
		if strings.HasPrefix(line, "-- ") && strings.HasSuffix(line, " --\n") {
			name = line[3 : len(line)-4]
			files[name] = ""
			continue
		}
		if name == "" {
			head += line
		} else {
			files[name] += line
		}
	}
	return head, files
}

type goldenCase struct {
	policy   plan.Policy
	subject  idbridge.Subject
	observed plan.Observed
}

var (
	shownDigest = idbridge.Digest{1}
	olderDigest = idbridge.Digest{2}
	goodProof   = idbridge.Proof{Feed: "listing", LastPage: true, CanaryPre: true, CanaryPost: true}
)

func parseCase(t *testing.T, sections map[string]string) *goldenCase {
	t.Helper()
	c := &goldenCase{policy: plan.Policy{
		Directory: "corp", Schema: idbridge.CoreSchema(), Required: []idbridge.Attribute{idbridge.UserName},
		ConfirmAfter: 10 * time.Minute, PurgeAfter: 720 * time.Hour, Writable: true,
		Rules: map[idbridge.Attribute]plan.Rule{
			"userName": {Flow: plan.In}, "email": {Flow: plan.Both}, "displayName": {Flow: plan.Both}, "phone": {Flow: plan.Both},
			"active": {Flow: plan.In},
		},
	}}
	c.policy.Schema["phone"] = idbridge.Spec{Match: idbridge.Telephone}
	c.policy.Schema["vip"] = idbridge.Spec{Match: idbridge.Boolean, Single: true}
	c.subject.ID = idbridge.ExternalID{Directory: "corp", ID: "r1"}
	each(sections["policy"], func(key, value string) { c.parsePolicy(t, key, value) })
	c.parseStore(t, sections)
	c.parseDirectory(t, sections)
	each(sections["more"], func(key, value string) { c.parseMore(t, key, value) })
	return c
}

func each(section string, f func(key, value string)) {
	for line := range strings.Lines(section) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		f(strings.TrimSpace(key), strings.TrimSpace(value))
	}
}

func (c *goldenCase) parsePolicy(t *testing.T, key, value string) {
	t.Helper()
	words := strings.Fields(value)
	switch key {
	case "readonly":
		c.policy.Writable = false
	case "purge after":
		c.policy.PurgeAfter = duration(t, value)
	case "access":
		c.policy.Access = plan.Access(value)
	case "link by":
		c.policy.LinkBy = attributes(words)
	case "required":
		c.policy.Required = attributes(words)
	default:
		if a, ok := strings.CutPrefix(key, "precedence "); ok {
			c.policy.Precedence = map[idbridge.Attribute][]string{idbridge.Attribute(a): words}
			return
		}
		rule := plan.Rule{Flow: plan.Flow(words[0])}
		if len(words) > 1 {
			rule.OnConflict = plan.OnConflict(words[1])
		}
		c.policy.Rules[idbridge.Attribute(key)] = rule
	}
}

func attributes(words []string) []idbridge.Attribute {
	out := make([]idbridge.Attribute, len(words))
	for i, w := range words {
		out[i] = idbridge.Attribute(w)
	}
	return out
}

func (c *goldenCase) parseStore(t *testing.T, sections map[string]string) {
	t.Helper()
	if base, linked := sections["base"]; linked {
		l := &idbridge.Link{
			ID: c.subject.ID, User: 7, Version: 3, Base: idbridge.Profile{}, State: idbridge.LinkActive, Digest: olderDigest, Locator: "uid=ada",
		}
		each(base, func(key, value string) {
			switch key {
			case "state":
				l.State = idbridge.LinkState(value)
			case "sightings":
				l.Sightings = number(t, value)
			case "since":
				l.Since = noon.Add(-duration(t, value))
			case "sent":
				l.Sent = idbridge.SentID(number(t, value))
			case "order":
				l.Order = int64(number(t, value))
			case "seen":
				l.Seen = value
			case "digest":
				l.Digest = map[string]idbridge.Digest{"zero": {}, "same": shownDigest}[value]
			default:
				l.Base[idbridge.Attribute(key)] = values(value)
			}
		})
		c.subject.Link = l
	}
	if store, ok := sections["store"]; ok {
		u := &idbridge.User{ID: 7, Kind: idbridge.Person, Revision: 5, Profile: idbridge.Profile{}}
		each(store, func(key, value string) {
			switch key {
			case "suspended":
				u.Suspended = true
			case "privileged":
				c.subject.Privileged = true
			case "revision":
				u.Revision = int64(number(t, value))
			default:
				u.Profile[idbridge.Attribute(key)] = values(value)
			}
		})
		c.subject.User = u
	}
}

func (c *goldenCase) parseDirectory(t *testing.T, sections map[string]string) {
	t.Helper()
	shown, ok := sections["directory"]
	if !ok {
		c.observed.Absent = &goodProof
		return
	}
	c.observed.Digest = shownDigest
	r := &idbridge.Record{ID: c.subject.ID, Locator: "uid=ada", Profile: idbridge.Profile{}}
	each(shown, func(key, value string) {
		switch key {
		case "unusable":
			c.observed.Unusable = value
		case "gone":
			c.observed.Gone = map[string]idbridge.GoneWhy{"deleted": idbridge.Deleted, "left": idbridge.LeftScope}[value]
			r = nil
		case "nothing":
			r = nil
		case "doubt":
			r, c.observed.Absent = nil, &idbridge.Proof{Feed: "listing", Doubt: value}
		case "no page", "no canary", "result", "referral":
			p := goodProof
			p.LastPage, p.CanaryPost = key != "no page", key != "no canary"
			p.ResultCode, p.References = len(value)*4, len(value)
			r, c.observed.Absent = nil, &p
		case "content":
			r.Profile = nil
		case "locator":
			r.Locator = value
		case "order":
			r.Order = int64(number(t, value))
		case "version":
			r.Version = value
		case "id":
			c.subject.ID.ID, r.ID.ID = value, value
		default:
			if a, hidden := strings.CutPrefix(key, "?"); hidden {
				c.observed.Unknown = append(c.observed.Unknown, idbridge.Attribute(a))
				r.Profile[idbridge.Attribute(a)] = values(value)
				return
			}
			if a, hidden := strings.CutPrefix(key, "!"); hidden {
				r.Unknown = append(r.Unknown, idbridge.Attribute(a))
				return
			}
			r.Profile[idbridge.Attribute(key)] = values(value)
		}
	})
	c.observed.Record = r
}

// parseMore reads what else the store knows: other links, candidates, holders, open conflicts, quarantine rows.
func (c *goldenCase) parseMore(t *testing.T, key, value string) {
	t.Helper()
	kind, rest, _ := strings.Cut(key, " ")
	words := strings.Fields(rest)
	a, v, _ := strings.Cut(value, "=")
	switch kind {
	case "tombstone":
		c.subject.Tombstone = true
	case "author":
		c.observed.Author = value
	case "scope":
		c.observed.NewScope = true
	case "pushed":
		c.observed.Pushed = true
	case "keys":
		c.subject.Keys = number(t, value)
	case "manual":
		c.subject.Manual = number(t, value)
	case "backoff": // backoff ATTEMPTS WAIT: why
		c.subject.Backoff = &idbridge.Backoff{Attempts: number(t, words[0]), Until: noon.Add(duration(t, words[1])), Why: value}
	case "flip":
		c.subject.Flips = append(c.subject.Flips, idbridge.Flip{Attribute: idbridge.Attribute(rest), Count: number(t, value)})
	case "other":
		l := idbridge.Link{ID: idbridge.ExternalID{Directory: words[0], ID: "o1"}, State: idbridge.LinkState(words[1])}
		if value != "" {
			l.Base = idbridge.Profile{idbridge.Attribute(a): values(v)}
		}
		c.subject.Others = append(c.subject.Others, l)
	case "holder":
		h := idbridge.Holder{Attribute: idbridge.Attribute(a), Value: v, User: idbridge.UserID(number(t, words[0]))}
		if len(words) > 1 {
			h.Link = idbridge.ExternalID{Directory: "corp", ID: words[1]}
		}
		c.subject.Holders = append(c.subject.Holders, h)
	case "yield":
		c.observed.Yields = append(c.observed.Yields, plan.Yield{
			Link: idbridge.ExternalID{Directory: "corp", ID: words[0]}, Gone: slices.Contains(words, "gone"),
		})
	case "candidate":
		x := idbridge.Candidate{
			User: idbridge.User{ID: idbridge.UserID(number(t, words[0])), Kind: idbridge.Person, Revision: 2, Profile: idbridge.Profile{}},
			By:   idbridge.Attribute(words[1]), Local: slices.Contains(words, "local"), Linked: slices.Contains(words, "linked"),
			Privileged: slices.Contains(words, "privileged"),
		}
		if slices.Contains(words, "service") {
			x.User.Kind = idbridge.Service
		}
		for pair := range strings.SplitSeq(value, ";") {
			a, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
			x.User.Profile[idbridge.Attribute(a)] = values(v)
		}
		c.subject.Candidates = append(c.subject.Candidates, x)
	case "open":
		three := strings.Split(v, ",")
		c.subject.Open = append(c.subject.Open, idbridge.Conflict{
			ID: idbridge.ConflictID(number(t, words[0])), Attribute: idbridge.Attribute(a), Base: values(three[0]), Store: values(three[1]),
			Directory: values(three[2]), Opened: noon.Add(-time.Hour),
		})
	case "listed":
		what, why, _ := strings.Cut(v, ",")
		h := idbridge.Withheld{Attribute: idbridge.Attribute(a), Value: what, Why: strings.TrimSpace(why)}
		if len(words) > 0 {
			h.Holder = idbridge.UserID(number(t, words[0]))
		}
		c.subject.Listed = append(c.subject.Listed, h)
	default:
		t.Fatalf("what is %q?", key)
	}
}

func values(s string) idbridge.Values {
	if s = strings.TrimSpace(s); s == "" {
		return idbridge.Values{}
	}
	var out idbridge.Values
	for v := range strings.SplitSeq(s, "|") {
		v = strings.TrimSpace(v)
		if q, err := strconv.Unquote(v); err == nil {
			v = q
		}
		out = append(out, v)
	}
	return out
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// print writes a decision for people and for the diff: the lines first, then what the link remembers.
func print(d *idbridge.Decision, shown idbridge.Digest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", d.Situation)
	if d.Admin {
		b.WriteString(", administrator")
	}
	if d.Keys > 0 {
		fmt.Fprintf(&b, ", %d keys", d.Keys)
	}
	if d.Back {
		b.WriteString(", older")
	}
	if d.Empty() {
		b.WriteString(", nothing to commit")
	}
	b.WriteString("\n")
	for _, l := range plan.Lines(d) {
		fmt.Fprintf(&b, "%s %s %s", l.Sign, l.Verb, l.Name)
		if l.Attribute != "" {
			fmt.Fprintf(&b, " %s", l.Attribute)
		}
		if l.Before != "" || l.After != "" {
			fmt.Fprintf(&b, " [%s] → [%s]", l.Before, l.After)
		}
		if l.To != "" {
			fmt.Fprintf(&b, " to %s", l.To)
		}
		if l.Why != "" {
			fmt.Fprintf(&b, " (%s)", l.Why)
		}
		b.WriteString("\n")
	}
	for i := range d.Steps {
		if a := d.Steps[i].Author; a != "" {
			fmt.Fprintf(&b, "author %s\n", a)
		}
	}
	for _, a := range slices.Sorted(maps.Keys(d.Base)) {
		fmt.Fprintf(&b, "base %s [%s]\n", a, d.Base[a])
	}
	for _, c := range d.Conflicts {
		fmt.Fprintf(&b, "conflict row %d %s base [%s] store [%s] directory [%s] winner %q by %q\n",
			c.ID, c.Attribute, c.Base, c.Store, c.Directory, c.Winner, c.By)
	}
	if len(d.Closed) > 0 {
		fmt.Fprintf(&b, "closed %v\n", d.Closed)
	}
	if len(d.Tied) > 0 {
		fmt.Fprintf(&b, "tied %v\n", d.Tied)
	}
	if d.Listed {
		b.WriteString("listed already\n")
	}
	if d.Why != "" {
		fmt.Fprintf(&b, "why: %s\n", d.Why)
	}
	if d.Proof != nil {
		fmt.Fprintf(&b, "proof: %s\n", d.Proof.Feed)
	}
	switch {
	case d.Seen == (idbridge.Observation{}):
	case d.Seen.Digest.IsZero():
		fmt.Fprintf(&b, "seen %s, open, sightings %d\n", d.Seen.Locator, d.Seen.Sightings)
	case d.Seen.Digest == shown:
		fmt.Fprintf(&b, "seen %s, settled, sightings %d\n", d.Seen.Locator, d.Seen.Sightings)
	default:
		fmt.Fprintf(&b, "seen %s, as before, sightings %d\n", d.Seen.Locator, d.Seen.Sightings)
	}
	return b.String()
}
