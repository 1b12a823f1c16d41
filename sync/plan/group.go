package plan

import "github.com/idbridge/idbridge"

// DecideGroup says who joined and who left a group, in decisions of at most 500 steps, all joins before all leaves;
// GroupSeen stands on the last one. old has the ids of the members that the store knows. A group that could not be read
// whole is unknown, not empty: nil or Whole not OK gives no decision. A group that a complete listing no longer shows is
// given as Members without members and Whole OK. was is the digest the store has, digest that of what was seen; equal
// ones give no decision.
func DecideGroup(p *Policy, g idbridge.Group, seen *idbridge.Members, old []string, was, digest idbridge.Digest) []idbridge.Decision {
	return nil
}

// GrantsOf returns what the role rules of the policy's directory give to the members of the group with this DN, without
// user and group id. DNs are compared as RFC 4514 means them: case, spaces and ways of escaping do not count.
func GrantsOf(p *Policy, groupName string) []idbridge.Grant { return nil }
