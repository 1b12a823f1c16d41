package configs

import "github.com/idbridge/idbridge/httpapi"

// Patterns that several keys share.
const (
	attributeName = `[A-Za-z][A-Za-z0-9_-]{0,63}`
	directoryName = `[a-z0-9][a-z0-9_-]{0,31}`
	roleName      = `[A-Za-z][A-Za-z0-9_.:-]{0,63}`
	hostPort      = `([^\s/:]*|\[[0-9a-fA-F:.%a-z]+\]):[0-9]{1,5}`
)

// The bounds of retention, in seconds.
const (
	week    = 7 * 86400
	century = 36525 * 86400
)

// table returns the whole file as keys. Order is the order of Show and of the example.
func table() key {
	return key{shape: object, keys: []key{
		{name: "store", shape: object, doc: "Where idbridge keeps what it knows.", keys: []key{
			{name: "url", def: "sqlite:idbridge.db", doc: "sqlite: and a path (relative to the working directory), or " +
				"postgres://user@host1,host2/database?sslmode=verify-full for several daemons. No password here."},
			{name: "password", shape: secret, doc: "Password of the PostgreSQL user. Better in password_file, or in the environment as IDBRIDGE_STORE_PASSWORD."},
			{name: "password_file", path: true, doc: "File that holds the password, relative to this file."},
			{name: "secret_key_file", path: true, doc: "File with 32 bytes in base64, relative to this file. With it, what the store must give back as it was " +
				"(keys that sign tokens, the publish target's password) is sealed, and a stolen database does not show it. Every daemon of the store needs the same."},
		}},
		httpKey(),
		{name: "keys", shape: object, doc: "API keys.", keys: []key{
			{name: "max_per_user", shape: number, def: "1", min: 1, max: 100, doc: "Keys that a user may have: the primary one, and others with names. More keys are more to lose track of."},
		}},
		{name: "metrics", shape: object, doc: "Prometheus metrics, on a listener of their own.", keys: []key{
			{name: "listen", pattern: hostPort, expects: "host:port, like 127.0.0.1:9090", doc: "Where metrics are served. Default: nowhere."},
		}},
		{name: "log", shape: object, doc: "The log, on standard error.", keys: []key{
			{name: "level", def: "info", choices: []string{"debug", "info", "warn", "error"}, doc: "debug shows each LDAP search as an ldapsearch line to paste."},
			{name: "format", def: "text", choices: []string{"text", "json"}, doc: "text for people, json for machines."},
		}},
		{name: "timezone", def: "UTC", doc: "Time zone of all schedules, by its IANA name: Europe/Paris. A time that daylight saving skips " +
			"runs right after the jump; a time that comes twice runs once."},
		{name: "access", def: "all", choices: []string{"all", "any"}, doc: "For a user in several directories: all, every one must show him active; " +
			"any, one is enough (a leaver of one directory keeps his access)."},
		{
			name: "attributes", shape: dict, pattern: attributeName, expects: "a letter, then letters, digits, _ or -",
			doc: "User details beyond userName, givenName, familyName, displayName, email and active.",
			item: &key{shape: object, keys: []key{
				{name: "match", def: "text", choices: []string{"text", "exact", "telephone", "boolean", "octets"}, doc: "When two values are the same: text " +
					"ignores case and blanks, exact ignores blanks, telephone ignores blanks and hyphens, octets ignores nothing."},
				{name: "single", shape: flag, def: "false", doc: "Takes one value only."},
				{name: "unique", shape: flag, def: "false", doc: "No two users may have the same value."},
			}},
		},
		{
			name: "precedence", shape: dict, pattern: attributeName, expects: "the name of an attribute",
			doc:  "For a user in several directories: whose value counts, per attribute, best first.",
			item: &key{shape: list, item: &key{}},
		},
		{name: "directories", shape: list, must: "without a directory there is nothing to keep equal", doc: "The sources of people.", item: directoryKey()},
		{
			name: "permissions", shape: dict, pattern: roleName, expects: "the name of a role",
			doc:  "What roles may do here, beyond what the built-in ones always may (ADMIN everything).",
			item: &key{shape: list, item: &key{choices: permissionNames()}},
		},
		{name: "retention", shape: object, doc: "How long the store keeps what is over. Nothing that is open or waits is ever removed.", keys: []key{
			{name: "runs", shape: duration, def: "90d", min: week, max: century, never: true, doc: "Runs with what they changed, so how far back undo and explain see; or never."},
			{name: "conflicts", shape: duration, def: "400d", min: week, max: century, never: true, doc: "Conflicts that are decided; or never."},
			{name: "audit", shape: duration, def: "400d", min: week, max: century, never: true, doc: "Sealed blocks of the audit; or never."},
		}},
		{
			name: "roles", shape: list, doc: "Which directory groups give which roles. A run takes back only what its directory gave.",
			item: &key{shape: object, keys: []key{
				{name: "role", must: "it says what the group gives", pattern: roleName, expects: "a name like ADMIN", doc: "ADMIN, SUPER_CONSUMER, API_KEY_GENERATION, or any further name."},
				{name: "application", doc: "Gives the role on this application only. Default: everywhere."},
				{name: "directory", must: "a group belongs to a directory", doc: "Name of the directory that has the group."},
				{name: "group", must: "it says who gets the role", doc: "DN of the group."},
			}},
		},
	}}
}

func permissionNames() []string {
	var out []string
	for _, p := range httpapi.Permissions() {
		out = append(out, string(p))
	}
	return out
}

func httpKey() key {
	return key{name: "http", shape: object, doc: "The API.", keys: []key{
		{
			name: "listen", def: "127.0.0.1:8080", pattern: hostPort, expects: "host:port, like 127.0.0.1:8080 or :8080",
			doc: "Where the API listens. Put a TLS proxy in front of anything but loopback.",
		},
		{name: "public_url", pattern: `https?://[^\s/?#]+(/[^\s?#]*)?`, expects: "a URL like https://id.example.org", doc: "How people reach it, through the proxy; https:// turns HSTS on. Default: links are relative."},
		{name: "trusted_proxies", shape: list, item: &key{}, doc: "Networks (CIDR) of proxies whose X-Forwarded-For is believed. Too wide a list lets anybody choose the address that his failures are counted under. Default: none."},
		{
			name: "stale_after", shape: duration, def: "never", min: 60, max: 366 * 86400, never: true,
			doc: "Marks answers as stale when the last good run of the user's directory is older.",
		},
		{
			name: "facades", shape: list, item: &key{choices: []string{"imaging", "dashboards", "assets", "controlroom", "publish"}},
			doc: "Other systems' APIs to speak, so that their clients work when only the address changes. Default: none, their paths are 404.",
		},
		{name: "dashboards", shape: object, doc: "The facade dashboards.", keys: []key{
			{name: "prefixes", shape: list, item: &key{pattern: `/[^\s{}%?#\\]+`, expects: "a path like /CAST-RESTAPI/rest"}, doc: "Paths below which the resource lies. Default: [/rest]."},
			{name: "api_user", def: "ignore", choices: []string{"ignore", "enforce"}, doc: "X-API-USER beside a key: ignore it, since real clients send any name, or enforce that it is the owner's."},
			{name: "security_mode", choices: []string{"default", "ldap", "saml", "integrated"}, doc: "What is told as the security mode. Default: ldap with a directory, else default."},
			{name: "admin_bootstrap", choices: []string{"loopback", "anywhere", "off"}, doc: "From where somebody may make himself the first administrator. Default: loopback, or off with trusted_proxies. Better: idbridge role grant USER ADMIN."},
		}},
		{name: "assets", shape: object, doc: "The facade assets.", keys: []key{
			{name: "new_key_enabled", shape: flag, def: "true", doc: "A new key works at once. false: a client enables it next, as its documentation reads strictly."},
		}},
		{name: "controlroom", shape: object, doc: "The facade controlroom.", keys: []key{
			{name: "token_ttl", shape: duration, def: "20m", min: 60, max: 86400, doc: "How long a token lives. One that is not used for 30 minutes ends before."},
			{name: "license_features", shape: list, item: &key{}, doc: "Licence features shown with every user. Default: none."},
		}},
		{name: "publish", shape: object, doc: "The facade publish.", keys: []key{
			{name: "allow_loopback", shape: flag, def: "false", doc: "The test of a publish target may dial this machine. With it, whoever may change the target can look at ports that are open to local programs only."},
		}},
	}}
}
