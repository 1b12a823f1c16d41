package idbridge

import "time"

// What signing keys are for. One key never has two uses.
const (
	SignsRoleTokens = "role"        // EdDSA
	SignsControl    = "controlroom" // RS512
)

// SigningKey signs tokens from SignFrom until the next key of its use does, and verifies them until Until.
type SigningKey struct {
	ID        string    `json:"id"` // kid; unique, never reused
	Use       string    `json:"use"`
	Algorithm string    `json:"algorithm"` // EdDSA, RS512
	Private   Secret    `json:"-"`         // PKCS#8, PEM
	Created   time.Time `json:"createdAt"`
	SignFrom  time.Time `json:"signFrom"`
	Until     time.Time `json:"until,omitzero"` // zero: as long as it is there
}
