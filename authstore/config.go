package authstore

import (
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
)

// Config says where the store is.
type Config struct {
	// URL is "sqlite:" and a path on a local disk, or a postgres:// URL with an explicit sslmode. Several PostgreSQL hosts
	// are separated by commas; the one that takes writes is used. Required.
	URL string
	// Password of the PostgreSQL user; it replaces one in the URL. Default: none.
	Password idbridge.Secret
	// SecretKey closes what the store must give back as it was: keys that sign tokens, and settings, which may hold passwords
	// of other programs. 32 random octets in base64. Default: none, these lie open in the database.
	SecretKey idbridge.Secret
}

// Options are what the rest of the program knows and the store needs. The zero Options work.
type Options struct {
	// Now is the clock for the times that rows carry; default time.Now. Leases use the database's clock instead.
	Now func() time.Time
	// Log gets lines about what happens in the background; default: none.
	Log *slog.Logger
	// Schema says how attributes compare and which are unique; default idbridge.CoreSchema.
	Schema idbridge.Schema
	// Outward says which attributes each directory may receive from the store.
	Outward map[string][]idbridge.Attribute
	// RoleRules are those of the config: a role that none of them gives is not inherited by a record that is linked after it
	// joined a group. nil: not known, whatever the group gave last is inherited.
	RoleRules []idbridge.RoleRule
	// CacheSize is how many users, and how many keys, the cache holds at most; default 20,000. More costs about 1 KiB each,
	// fewer cost a database read per check of a user who is not in it.
	CacheSize int
	// Holder names this process in the lease; default: host name, process id and a random part.
	Holder string
	// Release of this program, for the message when the store needs a newer one; default: none is named.
	Release string
}

const sqliteScheme = "sqlite:"

// Validate returns every fault of the settings, without touching disk or network. Each is an *idbridge.Error of kind
// Invalid whose message names no secret.
func (c Config) Validate() []error {
	fault := func(msg, hint string) []error {
		return []error{&idbridge.Error{Kind: idbridge.Invalid, Msg: msg, Hint: hint}}
	}
	if !c.SecretKey.IsEmpty() {
		if _, err := parseSecretKey(c.SecretKey); err != nil {
			return []error{err}
		}
	}
	if c.URL == "" {
		return fault("store url is missing", `write sqlite:idbridge.db or postgres://user@host/database?sslmode=verify-full`)
	}
	if path, ok := strings.CutPrefix(c.URL, sqliteScheme); ok {
		switch {
		case path == "":
			return fault("store url names no file", "write sqlite:idbridge.db")
		case strings.HasPrefix(path, "//"):
			return fault("store url has slashes before the path", "write sqlite:/var/lib/idbridge/idbridge.db, without //")
		case strings.Contains(path, ":memory:"):
			return fault("a store in memory would forget", "name a file: sqlite:idbridge.db")
		case strings.ContainsRune(path, 0):
			return fault("store url holds a zero byte", "name a file: sqlite:idbridge.db")
		case !c.Password.IsEmpty():
			return fault("a SQLite store has no password", "remove password_file, or use a postgres:// url")
		}
		return nil
	}
	return c.validatePostgres()
}

func (c Config) validatePostgres() []error {
	var out []error
	fault := func(msg, hint string) {
		out = append(out, &idbridge.Error{Kind: idbridge.Invalid, Msg: msg, Hint: hint})
	}
	if !strings.HasPrefix(c.URL, "postgres://") && !strings.HasPrefix(c.URL, "postgresql://") {
		fault("store url is neither sqlite: nor postgres://", "write sqlite:idbridge.db or postgres://user@host/database?sslmode=verify-full")
		return out
	}
	u, err := url.Parse(c.URL)
	if err != nil { // the parser's error quotes the URL, and with it a password
		fault("store url cannot be parsed", "write special characters of user and database as %XX, and put the password into password_file")
		return out
	}
	if u.User.Username() == "" {
		fault("store url names no user", "write postgres://user@host/database?sslmode=verify-full")
	}
	if strings.Trim(u.Path, "/") == "" {
		fault("store url names no database", "write postgres://user@host/database?sslmode=verify-full")
	}
	if u.Host == "" && u.Query().Get("host") == "" {
		fault("store url names no host", "write postgres://user@host/database?sslmode=verify-full")
	}
	switch mode := u.Query().Get("sslmode"); mode {
	case "verify-full", "verify-ca", "require", "disable":
	case "":
		fault("store url has no sslmode", "add ?sslmode=verify-full, or ?sslmode=disable for a server on this machine")
	default:
		fault("store url has an unknown sslmode", "use verify-full, verify-ca, require or disable")
	}
	return out
}
