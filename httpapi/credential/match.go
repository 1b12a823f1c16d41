package credential

import "github.com/idbridge/idbridge"

// Matches tells in constant time whether a key is the text's, made with the pepper that the key names. It is for keys that
// somebody asks about; it says nothing about whether the key is good.
func (v *Resolver) Matches(text idbridge.KeyText, key *idbridge.Key) bool {
	return v.matches(text, key)
}
