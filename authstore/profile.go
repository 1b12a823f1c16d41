package authstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/idbridge/idbridge"
)

// merge writes set into p; an attribute with no values is removed, or kept as empty in a base. Active never enters a
// profile, it belongs to the link.
func merge(p, set idbridge.Profile, remove bool) {
	for a, v := range set {
		switch {
		case a == idbridge.Active && remove:
		case len(v) == 0 && remove:
			delete(p, a)
		default:
			p[a] = v
		}
	}
}

// differing returns the attributes that are not spelled the same in both profiles, sorted.
func differing(before, after idbridge.Profile) []idbridge.Attribute {
	var out []idbridge.Attribute
	for _, a := range slices.Sorted(maps.Keys(union(before, after))) {
		if !slices.Equal(before[a], after[a]) {
			out = append(out, a)
		}
	}
	return out
}

func union(x, y idbridge.Profile) map[idbridge.Attribute]struct{} {
	out := make(map[idbridge.Attribute]struct{}, len(x)+len(y))
	for a := range x {
		out[a] = struct{}{}
	}
	for a := range y {
		out[a] = struct{}{}
	}
	return out
}

func joinNames(attrs []idbridge.Attribute) string {
	parts := make([]string, len(attrs))
	for i, a := range attrs {
		parts[i] = string(a)
	}
	return strings.Join(parts, " ")
}

// checkProfile refuses what a person must not set. Error: Invalid.
func (s *Store) checkProfile(p idbridge.Profile) error {
	for _, a := range p.Attributes() {
		spec, known := s.schema[a]
		switch {
		case a == idbridge.Active:
			return invalid("active belongs to the directories", "suspend the user instead")
		case !known:
			return invalid(fmt.Sprintf("there is no attribute %q", prose(string(a))), "declare it under attributes in the config")
		case spec.Single && len(p[a]) > 1:
			return invalid(fmt.Sprintf("%s takes one value", a), "")
		}
	}
	return nil
}

// claim gives the user the unique values of after and frees those of before. Error: Exists, which does not say by whom.
func (t *tx) claim(ctx context.Context, id idbridge.UserID, before, after idbridge.Profile) error {
	gone := newBatch(deleteRows, "claims", "attribute value", "")
	come := newBatch(insertRows, "claims", "attribute value", "user_id:n")
	for _, a := range t.s.unique {
		old, now := t.s.schema.Normal(a, before[a]), t.s.schema.Normal(a, after[a])
		for _, v := range old {
			if !slices.Contains(now, v) {
				gone.add(string(a), pack(v))
			}
		}
		for _, v := range now {
			if slices.Contains(old, v) {
				continue
			}
			holder, err := claimHolder(ctx, t, a, v)
			if err != nil {
				return err
			}
			if holder != 0 && holder != id {
				return &idbridge.Error{Kind: idbridge.Exists, Msg: fmt.Sprintf("this %s is taken", a), Hint: "choose another one"}
			}
			if holder == 0 {
				come.add(string(a), pack(v), int64(id))
			}
		}
	}
	return t.flush(ctx, gone, come)
}
