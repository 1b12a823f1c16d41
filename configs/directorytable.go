package configs

import "github.com/idbridge/idbridge/sync/plan"

// directoryKey returns the keys of one directory.
func directoryKey() *key {
	return &key{shape: object, keys: []key{
		{
			name: "name", must: "users are tied to the directory by this name", pattern: directoryName, expects: "small letters, digits, _ and -, 32 at most",
			doc: "What idbridge calls the directory. Renaming it makes all its records strangers.",
		},
		{name: "type", def: "ldap", choices: []string{"ldap"}, doc: "ldap."},
		{name: "preset", def: "openldap", choices: []string{"openldap"}, doc: "Fills what is not written: filters, id and member attributes of this kind of server."},
		{
			name: "urls", shape: list, must: "it says where the directory is", item: &key{},
			doc: "ldaps://host:636, ldap://host:389 with tls.start_tls, or ldapi://%2Fpath%2Fsocket.",
		},
		bindKey(),
		tlsKey(),
		{name: "insecure_cleartext_bind", shape: flag, def: "false", doc: "Sends the password over ldap:// without TLS: whoever is on the way can read it."},
		{name: "base_dn", must: "it says which part of the tree to read", doc: "Where people and groups are looked for, the whole tree below."},
		{name: "users", shape: object, doc: "Who counts as a person.", keys: []key{
			{name: "base", doc: "Default: base_dn."},
			{name: "filter", doc: "Default, from the preset: (objectClass=inetOrgPerson)."},
			{name: "id", doc: "Attribute that never changes while the entry lives. Default, from the preset: entryUUID."},
		}},
		{name: "groups", shape: object, doc: "Which groups are read, for roles. Without roles of this directory, none need be.", keys: []key{
			{name: "base", doc: "Default: base_dn."},
			{name: "filter", doc: "Default, from the preset: (|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))."},
			{name: "member", doc: "Attribute with the members. Default: member, uniqueMember and memberUid, whichever the group has."},
		}},
		{
			name: "canary", doc: "DN of an entry that the bind DN can always read. A listing before or after which it cannot be read proves nothing, " +
				"so nobody is suspended by a lost read right. Default: the bind DN's own entry, else the base.",
		},
		{name: "page_size", shape: number, def: "1000", min: 1, max: 100_000, doc: "Entries in one answer of a listing; lower it for a server with a smaller limit."},
		{name: "timeouts", shape: object, doc: "Bounds of every call.", keys: []key{
			{name: "dial", shape: duration, def: "10s", min: 1, max: 600, doc: "Connecting, and as much again for TLS."},
			{name: "request", shape: duration, def: "60s", min: 1, max: 3600, doc: "One request and its answer."},
			{name: "idle", shape: duration, def: "60s", min: 1, max: 3600, doc: "A listing in which nothing arrives."},
		}},
		scheduleKey(),
		{
			name: "mode", def: "apply", choices: []string{"observe", "plan", "apply"},
			doc: "observe: read and show. plan: make plans and hold them for approval. apply: make the changes, unless a guard holds them.",
		},
		mapKey(),
		{name: "link_by", shape: list, item: &key{}, doc: "Unique attributes by which a new record finds a user who is there already, in this order. Default: [userName, email], those that are mapped."},
		{name: "required", shape: list, item: &key{}, doc: "Attributes without which a record is quarantined. Default: [userName]."},
		{name: "absent", shape: object, doc: "What becomes of a user whose record is gone: suspended after two complete listings without it, purged later.", keys: []key{
			{name: "confirm_after", shape: duration, def: "10m", min: 0, max: 7 * 86400, doc: "Least time between the two listings; the second one is scheduled by itself. 0s lets any two listings prove absence, which a directory that stutters will not forgive."},
			{name: "purge_after", shape: duration, def: "30d", min: 3600, max: 3650 * 86400, never: true, doc: "Time between suspension and purge, during which a returning record gets everything back; or never."},
		}},
		guardsKey(),
	}}
}

func scheduleKey() key {
	return key{name: "schedule", shape: object, doc: "When the directory is read. Without it, only on demand.", keys: []key{
		{name: "changes", shape: cron, doc: "Five fields in quotes: minute hour day month weekday. Until change feeds come, each is a full listing."},
		{name: "full", shape: cron, doc: "The complete listing, from which absence follows."},
		{name: "missed", def: "run_once", choices: []string{"run_once", "skip"}, doc: "Times that passed while idbridge was down or busy: one run makes up for all, or none."},
		{name: "limit", shape: duration, def: "6h", min: 60, max: 7 * 86400, doc: "A run that takes longer is cancelled. Too short, and a large first import never ends."},
	}}
}

func mapKey() key {
	return key{
		name: "map", shape: dict, must: "it says which LDAP attribute is the userName", pattern: attributeName, expects: "the name of an attribute",
		doc: "Attribute of the user: attribute of the entry. userName is required.",
		item: &key{shape: object, short: "from", either: []string{"from", "expr"}, keys: []key{
			{name: "from", doc: "Attribute of the entry."},
			{name: "else", doc: "With from: an expression for entries that show no value of it, as for expr."},
			{name: "expr", doc: expressionDoc},
			{
				name: "flow", choices: []string{"both", "in", "out", "once"}, doc: "both: edits travel both ways. in: the directory owns it. out: the store owns it. " +
					"once: the first value counts. Default: both; in for userName, active, and what is computed, which can never flow both or out.",
			},
			{name: "on_conflict", def: "directory", choices: []string{"directory", "store", "hold"}, doc: "Who wins when both sides changed it differently; hold waits for a person. Both values are kept in any case."},
			{name: "form", choices: []string{"lock"}, doc: "For active: lock reads pwdAccountLockedTime of a password policy. Default: the value as it stands."},
		}},
	}
}

// expressionDoc is what a person must know to write one.
const expressionDoc = "Instead of from: an expression that computes the value, on one line and in single quotes. A name is an attribute of the " +
	"entry as text, \"\" when it has none, and of several values the one in the entry's own name, else the smallest; first(\"employee-type\") is the " +
	"same for a name with a hyphen, and all(\"mail\") is the list of all values. There are + (joins texts), == != < > in contains startsWith " +
	"endsWith, matches with a regular expression, and or not, a ? b : c, ??, let x = …; and lower, upper, trim, replace, split, join, len, filter, " +
	"map, find, any, none, one, count. It gives a text, a list of texts or nil (true or false for match: boolean); blanks around go. An " +
	"entry over which it fails is quarantined."

func overridesKey() key {
	return key{
		name: "overrides", shape: list, doc: "Exceptions from a guard for a while: the limit counts instead of the guard's own until then. Above it the guard holds all the same.",
		item: &key{shape: object, keys: []key{
			{name: "guard", must: "it says which guard", choices: plan.Overridable(), doc: "Which guard."},
			{name: "limit", shape: number, must: "an exception has a limit too", min: 0, max: 100_000_000, doc: "What the guard lets pass, as a number."},
			{name: "until", shape: moment, must: "an exception has an end", doc: "When it ends: a date (its first moment in timezone), or a time. 90 days ahead at most."},
			{name: "by", must: "somebody answers for it", doc: "Who makes the exception."},
			{name: "why", must: "whoever reads it next year must understand it", doc: "Why. Shown in plans and status."},
		}},
	}
}

func guardsKey() key {
	row := func(name, def, doc string) key { return key{name: name, shape: limit, def: def, doc: doc} }
	return key{
		name: "guards", shape: object,
		doc: "A plan above one of these waits for a person. A number, a percentage (the default's number stays as its floor), or [number, percentage]: the larger counts.",
		keys: []key{
			row("removals", "[5, 5%]", "Users suspended or purged, of those linked."),
			{name: "removals_cap", shape: number, def: "500", min: 0, max: 100_000_000, doc: "More removals than this are held, whatever removals says."},
			row("changes", "[20, 30%]", "Linked records that changed, of those linked."),
			row("creations", "[100, 20%]", "New users, of those linked, after the first import."),
			row("members", "[10, 20%]", "Members that left one group, of its members."),
			row("writes", "[100, 1%]", "Records written to the directory, of those linked; edits that a signed-in person made do not count."),
			row("grants", "[100, 20%]", "Roles that groups give, of the users linked, after the first import."),
			row("admin_grants", "[3, 0%]", "Users who become administrators by a group."),
			row("keys", "[10, 5%]", "API keys that stop working because their owners lose access, of those that work."),
			row("ids", "[5, 3%]", "New records with the login or e-mail of somebody who has another record: ids that changed look like this."),
			row("rollback", "[2, 1%]", "Records that show an older state than before: a directory restored from a backup looks like this."),
			overridesKey(),
		},
	}
}

func bindKey() key {
	return key{name: "bind", shape: object, doc: "How idbridge signs in. Without it, anonymously.", keys: []key{
		{name: "dn", doc: "Who signs in."},
		{name: "password", shape: secret, doc: "His password. Better in password_file, or in the environment as IDBRIDGE_<NAME>_PASSWORD."},
		{name: "password_file", path: true, doc: "File that holds the password, relative to this file."},
	}}
}

func tlsKey() key {
	return key{name: "tls", shape: object, doc: "How the connection is protected.", keys: []key{
		{name: "ca_file", path: true, doc: "Certificates (PEM) that may sign the server's. Default: those of the system."},
		{name: "server_name", doc: "Name that the certificate must have. Default: the URL's host."},
		{name: "start_tls", shape: flag, def: "false", doc: "Turns ldap:// into TLS before anything else is said."},
		{name: "cert_file", path: true, doc: "Client certificate (PEM), for servers that ask for one."},
		{name: "key_file", path: true, doc: "Its key (PEM)."},
		{name: "insecure_skip_verify", shape: flag, def: "false", doc: "Takes any certificate: whoever is on the way can read and change everything."},
	}}
}
