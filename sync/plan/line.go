package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/idbridge/idbridge"
)

// Sign says at a glance what a line means.
type Sign string

// The signs.
const (
	Gives   Sign = "+" // somebody, or something, comes
	Changes Sign = "~"
	Takes   Sign = "-"
	Attends Sign = "!" // wants a person's eye: conflict, held, quarantined, withheld
)

// Line is one thing a person reads of a decision. It is data: cmd aligns and colours it. Its texts hold no control
// character, whatever a directory shows.
type Line struct {
	Sign      Sign
	Verb      string             // create, update, conflict, held …
	Name      string             // who: login, or record for a member of a group
	Attribute idbridge.Attribute // "" when it is not about one
	Before    string             // printable and shortened; of a member who leaves, the group; of an open conflict, the store's
	After     string             // of a new user, who he is; of a member who joins, the group; of an open conflict, the directory's
	To        idbridge.Side      // where it goes; "" when nowhere
	Why       string
}

// Lines returns what a person reads of a decision: its steps in order, sorted by attribute, then what waits. A decision
// that only moves a base or a digest has none. The steps of one that shows an older state (Decision.Back) come after the
// line "older": they are made only if a person approves the plan.
func Lines(d *idbridge.Decision) []Line {
	var out []Line
	if d.Back {
		out = append(out, Line{Sign: Attends, Verb: "older", Name: Printable(d.Name), Why: sentence(d.Why)})
	}
	for i := range d.Steps {
		out = appendStep(out, d, &d.Steps[i])
	}
	for i := range d.Conflicts {
		out = append(out, conflictLine(d, &d.Conflicts[i]))
	}
	for i := range d.Withheld {
		h := &d.Withheld[i]
		out = append(out, Line{
			Sign: Attends, Verb: "withheld", Name: Printable(d.Name), Attribute: h.Attribute, After: Printable(h.Value), Why: sentence(h.Why),
		})
	}
	if d.Rival != (idbridge.ExternalID{}) {
		out = append(out, Line{Sign: Attends, Verb: "review", Name: Printable(d.Name), Before: Printable(d.Rival.ID), Why: sentence(d.Why)})
	}
	if d.Unusable != "" {
		out = append(out, Line{Sign: Attends, Verb: string(d.Situation), Name: Printable(d.Name), Why: sentence(d.Unusable)})
	}
	if len(out) == 0 && d.Why != "" && (d.Situation == idbridge.HeldBack || d.Situation == idbridge.Skipped) {
		out = append(out, Line{Sign: Attends, Verb: string(d.Situation), Name: Printable(d.Name), Why: sentence(d.Why)})
	}
	return out
}

func appendStep(out []Line, d *idbridge.Decision, s *idbridge.Step) []Line {
	line := Line{Verb: string(s.Verb), Name: Printable(d.Name), To: s.Side, Why: sentence(s.Why)}
	switch s.Verb {
	case idbridge.Create:
		line.Sign, line.After = Gives, summary(s.After)
	case idbridge.Linking:
		line.Sign, line.After = Gives, "user "+strconv.FormatInt(int64(s.User), 10)
		return appendUpdate(append(out, line), d, s)
	case idbridge.Update:
		return appendUpdate(out, d, s)
	case idbridge.Restore:
		line.Sign, line.Before, line.After = Gives, string(s.Was), string(s.State)
	case idbridge.Suspend:
		line.Sign, line.Before, line.After, line.Why = Takes, string(s.Was), string(s.State), refused(line.Why, d.Keys)
	case idbridge.Miss:
		line.Sign, line.Verb, line.Why = Changes, "missing", sentence(d.Why)
	case idbridge.Purge:
		line.Sign, line.Before, line.Why = Takes, summary(s.Before), refused(line.Why, d.Keys)
	case idbridge.Join:
		line.Sign, line.Name, line.After = Gives, Printable(s.ID.ID), Printable(d.Name)
		line.Why = roles("gives ", s)
	case idbridge.Leave:
		line.Sign, line.Name, line.Before = Takes, Printable(s.ID.ID), Printable(d.Name)
		line.Why = roles("takes ", s)
	}
	return append(out, line)
}

// refused adds to a reason how many keys stop to work.
func refused(why string, keys int) string {
	if keys == 0 {
		return why
	}
	if why != "" {
		why += "; "
	}
	return why + count(keys, "key") + " will be refused"
}

func appendUpdate(out []Line, d *idbridge.Decision, s *idbridge.Step) []Line {
	name := Printable(d.Name)
	if s.ID != d.ID {
		name = "user " + strconv.FormatInt(int64(s.User), 10)
	}
	for _, a := range slices.Sorted(maps.Keys(s.After)) {
		out = append(out, Line{
			Sign: Changes, Verb: string(idbridge.Update), Name: name, Attribute: a, Before: show(s.Before[a]), After: show(s.After[a]),
			To: s.Side, Why: sentence(s.Why),
		})
	}
	return out
}

func conflictLine(d *idbridge.Decision, c *idbridge.Conflict) Line {
	line := Line{
		Sign: Attends, Verb: "conflict", Name: Printable(d.Name), Attribute: c.Attribute, Before: show(c.Store), After: show(c.Directory),
		Why: sentence(c.Why),
	}
	switch c.Winner {
	case idbridge.DirectoryWinner:
		line.To = idbridge.StoreSide
	case idbridge.StoreWinner:
		line.To, line.Before, line.After = idbridge.DirectorySide, line.After, line.Before
	case idbridge.NoWinner, idbridge.ValueWinner:
	}
	return line
}

// summary says who somebody is: display name and e-mail.
func summary(p idbridge.Profile) string {
	name, mail := show(p[idbridge.DisplayName]), show(p[idbridge.Email])
	switch {
	case mail == "":
		return name
	case name == "":
		return mail
	}
	return name + " <" + mail + ">"
}

func roles(verb string, s *idbridge.Step) string {
	list := make([]string, 0, len(s.Grants))
	for i := range s.Grants {
		text := string(s.Grants[i].Role)
		if s.Grants[i].Application != "" {
			text += " on " + s.Grants[i].Application
		}
		list = append(list, text)
	}
	why := sentence(s.Why)
	switch {
	case len(list) == 0:
		return why
	case why != "":
		why = " (" + why + ")"
	}
	return verb + strings.Join(list, ", ") + why
}

func show(v idbridge.Values) string { return Printable(v.String()) }

// How many characters of a value, and of a sentence about it, a line shows.
const (
	shownMost    = 80
	sentenceMost = 400
)

// Printable makes a text fit for a terminal: control and bidirectional characters are escaped, since what a directory
// shows must not move the cursor, and a long one is shortened.
func Printable(v string) string { return printable(v, shownMost) }

func sentence(v string) string { return printable(v, sentenceMost) }

func printable(v string, most int) string {
	plain := len(v) <= most
	for i := 0; plain && i < len(v); i++ {
		plain = v[i] >= ' ' && v[i] < 0x7f
	}
	if plain {
		return v
	}
	var b strings.Builder
	n := 0
	for _, r := range v {
		if n++; n > most {
			b.WriteString("…")
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) && r != ' ' {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
