package plan

import "github.com/idbridge/idbridge"

// blame adds to a verdict that holds what most often looks like this, likeliest first.
func blame(v idbridge.Verdict) idbridge.Verdict {
	if v.Held != idbridge.HoldNothing {
		v.Causes = causes(v.Guard)
	}
	return v
}

func causes(guard string) []string {
	switch guard {
	case GuardComplete:
		return []string{
			"a size or time limit of the server", "a connection that broke off", "referrals to another server",
			"a canary that the bind account cannot read",
		}
	case GuardEmpty:
		return []string{
			"the bind account lost its right to read", "a wrong base DN", "a search scope of one level where people are deeper",
			"an empty replica", "a filter that matches nobody",
		}
	case GuardRestored:
		return []string{"a backup of the store that was put back", "a copied virtual machine", "a database that fell back to a standby"}
	case GuardRollback:
		return []string{
			"a directory that was restored from a backup", "a replica that is behind", "another server than before behind the same name",
		}
	case GuardIDs:
		return []string{
			"a directory that was exported and imported again", "another attribute as identity key",
			"people who were deleted and created again", "a move to another server product",
		}
	case GuardScope:
		return []string{"an edited base DN, filter or mapping", "an upgrade that reads the config in another way"}
	case GuardRemovals:
		return []string{
			"an OU that was renamed or moved out of the base", "an edited filter", "the bind account lost its right to read a part",
			"an import into the directory that failed half way", "people who really left",
		}
	case GuardKeys:
		return []string{
			"an account of a team or of a program among those who leave", "an OU that was renamed or moved out of the base",
			"an edited filter", "people who really left",
		}
	case GuardAdmins:
		return []string{"a group of administrators that was emptied or renamed", "the last administrator left", "a role rule that was edited"}
	case GuardAdminGrants:
		return []string{
			"a role rule that names too large a group", "another group nested into the administrators'",
			"somebody who made himself an administrator in the directory", "people who really shall administer",
		}
	case GuardGrants:
		return []string{
			"a role rule that names too large a group", "a new role rule", "another group nested into one that gives roles",
			"a team that was really added",
		}
	case GuardCreations:
		return []string{"a filter or base DN that became too wide", "ids that changed in the directory", "a merger, or a new term"}
	case GuardMembers:
		return []string{"a group that was rebuilt", "a member list that was not read whole", "an OU that was renamed", "a real change of the team"}
	case GuardChanges:
		return []string{"a mass edit in the directory", "an attribute that a script damaged", "an edited mapping"}
	case GuardWrites:
		return []string{"a mass edit in the store", "a store that was restored from a backup", "a server that rewrites what it is given"}
	}
	return nil
}
