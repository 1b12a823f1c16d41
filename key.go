package idbridge

import (
	"net/netip"
	"time"
)

// KeyID is the public part of an API key: 8 characters of [0-9A-Za-z], never reused.
type KeyID string

// KeyState is what a key's owner sees.
type KeyState string

// The states of a key.
const (
	KeyActive   KeyState = "active"
	KeyDisabled KeyState = "disabled"
	KeyPending  KeyState = "pending" // not before
	KeyExpired  KeyState = "expired"
	KeyRevoked  KeyState = "revoked" // for good
	KeyRotated  KeyState = "rotated" // another key took its place, and the time in which both were good is over
)

// Key is an API key as the store keeps it. The secret is not in it: the store has a digest only.
type Key struct {
	ID          KeyID     `json:"id"`
	User        UserID    `json:"user"`
	Slot        string    `json:"slot"`             // primary, or a name
	Digest      []byte    `json:"-"`                // SHA-256 of the canonical 40 characters, or HMAC-SHA-256 with a pepper
	Pepper      string    `json:"pepper,omitempty"` // name of the pepper in the config; "" for none
	Enabled     bool      `json:"enabled"`
	Created     time.Time `json:"createdAt"`
	CreatedBy   string    `json:"createdBy"`
	NotBefore   time.Time `json:"notBefore,omitzero"`
	Expires     time.Time `json:"expiresAt,omitzero"`
	Overlap     time.Time `json:"overlapUntil,omitzero"` // set when another key took its place: the old secret is good until then
	ReplacedBy  KeyID     `json:"replacedBy,omitempty"`
	Revoked     time.Time `json:"revokedAt,omitzero"`
	Reason      string    `json:"revokeReason,omitempty"`
	Scopes      []string  `json:"scopes"`          // "*": all rights of the user except minting
	Allow       []string  `json:"allow,omitempty"` // networks (CIDR) that it may come from; none: from anywhere
	LastUsed    time.Time `json:"lastUsedAt,omitzero"`
	LastAddress string    `json:"lastUsedIp,omitempty"`
	Uses        int64     `json:"uses"` // counted in memory and written once a minute
	Version     int64     `json:"version"`
}

// PrimarySlot is the slot of the one key that every user may have.
const PrimarySlot = "primary"

// State returns what the key is at the moment now. It does not know about its owner's access.
func (k *Key) State(now time.Time) KeyState {
	switch {
	case !k.Revoked.IsZero():
		return KeyRevoked
	case !k.Overlap.IsZero() && !now.Before(k.Overlap):
		return KeyRotated
	case !k.Enabled:
		return KeyDisabled
	case !k.NotBefore.IsZero() && now.Before(k.NotBefore):
		return KeyPending
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return KeyExpired
	}
	return KeyActive
}

// Admits tells whether the key may come from an address. With a list of networks, an unknown address is refused.
func (k *Key) Admits(from netip.Addr) bool {
	if len(k.Allow) == 0 {
		return true
	}
	from = from.Unmap().WithZone("")
	for _, text := range k.Allow {
		if network, err := netip.ParsePrefix(text); err == nil && network.Contains(from) {
			return true
		}
	}
	return false
}

// KeyFilter selects keys; zero fields do not select.
type KeyFilter struct {
	User          UserID
	Role          Role   // its owner has it, globally or on an application
	Directory     string // its owner is linked to it
	State         KeyState
	CreatedBefore time.Time
	UnusedSince   time.Time // not used since then; one that never was counts from its creation
	ExpiresBefore time.Time
	After         KeyID // the last key of the page before
	Limit         int   // 0: 100; at most 1,000
}

// KeyPatch is a change of a key. A nil field leaves what is there; a zero time and an empty list of networks lift the limit.
type KeyPatch struct {
	NotBefore *time.Time
	Expires   *time.Time
	Scopes    []string
	Allow     []string // networks (10.0.0.0/8) or addresses
	IfVersion int64    // of the key, as it was looked at; 0 for any
}

// Access is what a check needs to know about one user, as one consistent picture.
type Access struct {
	User     UserID
	Kind     UserKind
	UserName string
	Exists   bool
	May      bool   // not suspended by an administrator, and every link active
	Why      string // when not May: suspended, inactive, missing
	Grants   []Grant
	AsOf     time.Time // last good run of the directory that owns the user; zero for a local user
	Revision int64     // of the store, when this picture was taken
}

// Has tells whether the user may act and has the role, globally or on the application.
func (a *Access) Has(role Role, application string) bool {
	if !a.May {
		return false
	}
	for i := range a.Grants {
		if a.Grants[i].Role == role && (a.Grants[i].Application == "" || a.Grants[i].Application == application) {
			return true
		}
	}
	return false
}

// Audit is one line of the store's memory of who did what. Rows of a change are written in the change's transaction.
type Audit struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`  // user name, schedule, cli, or directory:NAME
	Action  string    `json:"action"` // key.create, user.suspend, grant, run …
	Target  string    `json:"target"`
	User    UserID    `json:"user,omitempty"`
	Result  string    `json:"result"` // ok, refused
	Reason  string    `json:"reason,omitempty"`
	Address string    `json:"address,omitempty"`
	Request string    `json:"request,omitempty"`
	Run     RunID     `json:"run,omitempty"`
}
