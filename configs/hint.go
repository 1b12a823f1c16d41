package configs

import (
	"fmt"
	"strings"
)

// later names keys and values of releases to come, so that the hint says so instead of guessing a typo.
func later(name string) bool {
	switch name {
	case "facades", "on_absent", "metadata", "attribute_query", "sessions", "applications", "nested", "console",
		"saml", "activedirectory", "389ds", "freeipa", "keys", "trust":
		return true
	}
	return false
}

// unknownHint says what to do about an unknown key among its siblings.
func unknownHint(name string, parent *key) string {
	switch {
	case name == "match" && parent.child("on_conflict") != nil:
		return "how values compare is one rule for all directories: write it under attributes"
	case later(name):
		return "not in this release; remove it for now"
	}
	if best := nearest(name, parent.names()); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	root := table()
	if where := find(&root, "", name, nil); len(where) > 0 && len(where) <= 2 {
		return fmt.Sprintf("%q belongs under %s", name, strings.Join(where, " or "))
	}
	return "known here: " + strings.Join(parent.names(), ", ")
}

// choiceHint says what to do about a text that is none of the choices.
func choiceHint(value string, choices []string) string {
	if later(value) {
		return "not in this release; allowed: " + strings.Join(choices, ", ")
	}
	if best := nearest(value, choices); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "allowed: " + strings.Join(choices, ", ")
}

// find returns the paths of the objects that have a key of that name.
func find(k *key, path, name string, out []string) []string {
	for i := range k.keys {
		c := &k.keys[i]
		if c.name == name && path != "" {
			out = append(out, path)
		}
		out = find(c, strings.TrimPrefix(path+"."+c.name, "."), name, out)
	}
	if k.item != nil {
		out = find(k.item, path+"[]", name, out)
	}
	return out
}

// nearest returns the candidate that a typo may have meant, "" for none.
func nearest(word string, candidates []string) string {
	if len(word) > 64 {
		return ""
	}
	best, bestDistance := "", 3
	for _, c := range candidates {
		limit := min(2, len(c)/2)
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d <= limit && d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace, or swap with a neighbour.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
