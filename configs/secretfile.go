package configs

import (
	"path/filepath"
	"strings"

	"github.com/idbridge/idbridge"
)

const maxSecret = 64 << 10

// password reads the secret of an object that has password and password_file, or from the environment when the file has
// neither. Where it came from becomes the origin of the key password.
func (b *builder) password(v *value, variable string) idbridge.Secret {
	plain, file := v.get("password"), v.get("password_file")
	switch {
	case plain.written() && file.written():
		b.add(file.at, file.path, "keep password_file", "password and password_file exclude each other")
	case plain.written():
		if plain.bad {
			return idbridge.Secret{}
		}
		return idbridge.NewSecret(plain.text)
	case file.written() && !file.bad:
		return b.passwordFile(file)
	default:
		if s := b.getenv(variable); s != "" && v != nil {
			k := v.key.child("password")
			v.fields = append(v.fields, &value{key: k, name: k.name, path: join(v.path, k.name), origin: "environment " + variable})
			return idbridge.NewSecret(s)
		}
	}
	return idbridge.Secret{}
}

// passwordFile reads one. A newline at the end is the editor's, not the password's.
func (b *builder) passwordFile(v *value) idbridge.Secret {
	raw, err := readBounded(b.path(v.text), maxSecret+1)
	s := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	switch {
	case err != nil:
		b.add(v.at, v.path, "does it exist, and may this user read it?", "%s", why(err))
	case len(raw) > maxSecret:
		b.add(v.at, v.path, "", "is larger than a password can be")
	case s == "":
		b.add(v.at, v.path, "write the password into it, without quotes", "the file is empty")
	case strings.ContainsAny(s, "\n\x00"):
		b.add(v.at, v.path, "the file holds the password and nothing else", "the file has several lines")
	default:
		return idbridge.NewSecret(s)
	}
	return idbridge.Secret{}
}

// keyFile reads the store's secret key, if one is named.
func (b *builder) keyFile(v *value) idbridge.Secret {
	if !v.written() || v.bad {
		return idbridge.Secret{}
	}
	return b.passwordFile(v)
}

// path returns a file as seen from the config file's folder.
func (b *builder) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(b.file), name)
}

// variable returns the environment variable that may hold a directory's password: corp-ldap is IDBRIDGE_CORP_LDAP_PASSWORD.
func variable(directory string) string {
	name := strings.Map(func(r rune) rune {
		if r == '-' {
			return '_'
		}
		return r
	}, strings.ToUpper(directory))
	return "IDBRIDGE_" + name + "_PASSWORD"
}
