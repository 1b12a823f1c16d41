package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/idbridge/idbridge"
)

// trace is all by which one person can be found in the store.
type trace struct {
	user   idbridge.UserID
	login  string
	there  bool // his row is
	links  []idbridge.ExternalID
	logins []string // as he wrote them, and folded
	names  []string // what names nobody else: logins, addresses, full names, places in directories
}

// trace collects it from whatever the store still has of him. Error: NotFound when that is nothing.
func (t *tx) trace(ctx context.Context, id idbridge.UserID) (*trace, error) {
	w := &trace{user: id}
	u, err := t.lockUser(ctx, id)
	switch {
	case err == nil:
		w.there, w.login = true, u.UserName()
		w.profile(t.s.schema, u.Profile)
	case idbridge.KindOf(err) != idbridge.NotFound:
		return nil, err
	}
	links, err := readLinks(ctx, t, ` WHERE l.user_id = $1`, int64(id))
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	for i := range links {
		w.links = append(w.links, links[i].ID)
		w.profile(t.s.schema, links[i].Base)
		w.name(links[i].Locator)
	}
	if err := t.buried(ctx, w); err != nil {
		return nil, err
	}
	if err := t.changesOf(ctx, w); err != nil {
		return nil, err
	}
	if !w.there && len(w.links) == 0 {
		return nil, notFound("user")
	}
	slices.Sort(w.names)
	w.names = slices.Compact(w.names)
	return w, nil
}

// buried adds what tombstones know. A record that is another user's by now is not his any more.
func (t *tx) buried(ctx context.Context, w *trace) error {
	rows, err := t.QueryContext(ctx, `SELECT t.directory, t.id, t.user_name FROM tombstone t WHERE t.user_id = $1
		AND NOT EXISTS (SELECT 1 FROM links l WHERE l.directory = t.directory AND l.id = t.id AND l.user_id <> $1)`, int64(w.user))
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var one idbridge.ExternalID
		var name string
		err := r.Scan(&one.Directory, &one.ID, &name)
		one.ID, name = unpack(one.ID), unpack(name)
		w.links = append(w.links, one)
		w.signIn(name)
		if w.login == "" {
			w.login = name
		}
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("read tombstones: %w", err)
	}
	return nil
}

// changesOf adds the values he had before, as far as change sets and conflicts still have them.
func (t *tx) changesOf(ctx context.Context, w *trace) error {
	rows, err := t.QueryContext(ctx, `SELECT before, after FROM run_change WHERE user_id = $1`, int64(w.user))
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var texts [2]string
		if err := r.Scan(&texts[0], &texts[1]); err != nil {
			return struct{}{}, err
		}
		for _, text := range texts {
			if p, err := parseProfile(text); err == nil { // one that cannot be read is removed with the row
				w.profile(t.s.schema, p)
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("read changes: %w", err)
	}
	conflicts, err := readConflicts(ctx, t, ` WHERE c.user_id = $1`, int64(w.user))
	if err != nil {
		return fmt.Errorf("read conflicts: %w", err)
	}
	for i := range conflicts {
		for _, v := range [...]idbridge.Values{conflicts[i].Base, conflicts[i].Store, conflicts[i].Directory} {
			w.profile(t.s.schema, idbridge.Profile{conflicts[i].Attribute: v})
		}
	}
	return nil
}

// profile adds the values that name a person: unique ones, addresses, full names.
func (w *trace) profile(schema idbridge.Schema, p idbridge.Profile) {
	for a, values := range p {
		switch {
		case a == idbridge.UserName:
			for _, v := range values {
				w.signIn(v)
				w.signIn(schema[a].Match.Normal(v))
			}
		case schema[a].Unique || a == idbridge.Email || a == idbridge.DisplayName:
			for _, v := range values {
				w.name(v)
				w.name(schema[a].Match.Normal(v))
			}
		}
	}
	if given, family := p["givenName"].First(), p["familyName"].First(); given != "" && family != "" {
		w.name(given + " " + family)
		w.name(family + ", " + given)
	}
}

func (w *trace) signIn(name string) {
	if name != "" && !slices.Contains(w.logins, name) {
		w.logins = append(w.logins, name)
		w.names = append(w.names, name)
	}
}

// name adds a name; one of two letters says nothing about anybody.
func (w *trace) name(v string) {
	if v = strings.TrimSpace(v); utf8.RuneCountInString(v) > 2 {
		w.names = append(w.names, v)
	}
}

// isLogin tells whether a text is his login and nothing else.
func (w *trace) isLogin(text string) bool { return slices.Contains(w.logins, text) }

// in tells whether a text names him: one of his names stands in it as a word of its own.
func (w *trace) in(text string) bool {
	return slices.ContainsFunc(w.names, func(name string) bool { return hasWord(text, name) })
}

func hasWord(text, word string) bool {
	for from := 0; ; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			return false
		}
		at += from
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(word):])
		if !letter(before) && !letter(after) {
			return true
		}
		from = at + 1
	}
}

func letter(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// has tells whether a record is his.
func (w *trace) has(id idbridge.ExternalID) bool { return slices.Contains(w.links, id) }

// like is a condition for rows whose text may hold one of the words; who finds them looks closer.
func like(column string, words []string, from int) (string, []any) {
	escape := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
	parts := make([]string, len(words))
	args := make([]any, len(words))
	for i, word := range words {
		parts[i] = fmt.Sprintf(`%s LIKE $%d ESCAPE '\'`, column, from+i)
		args[i] = "%" + escape.Replace(word) + "%"
	}
	if len(parts) == 0 {
		return "1 = 0", nil
	}
	return "(" + strings.Join(parts, " OR ") + ")", args
}
