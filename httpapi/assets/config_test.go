package assets_test

import (
	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/assets"
	"github.com/idbridge/idbridge/httpapi/credential"
	"github.com/idbridge/idbridge/httpapi/password"
)

func (b *bed) config() assets.Config {
	hasher := password.New()
	return assets.Config{
		Store: b.store,
		Resolver: credential.New(credential.Config{
			Store: b.store, Passwords: b.store, Hasher: hasher, Doors: []credential.Door{{Name: "corp", Auth: door{}}}, Limits: unlimited(),
		}),
		Hasher: hasher, KnownRoles: []idbridge.Role{"QUALITY_MANAGER"}, Owned: map[string][]idbridge.Attribute{"corp": {idbridge.DisplayName}},
	}
}
