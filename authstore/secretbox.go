package authstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/idbridge/idbridge"
)

// secretKeySize is the size of the config's secret key in octets, before base64.
const secretKeySize = 32

// What stands before a secret in the database. A box is followed by the number of the key that closed it.
const (
	plainMark = 'p'
	boxMark   = 'b'
	boxKeyID  = 8 // octets
)

// secretBox closes what the store must give back as it was, and the database must not show: signing keys and settings. The
// zero box, without a key, leaves all as it is.
type secretBox struct {
	aead cipher.AEAD
	id   [boxKeyID]byte // of the key; says nothing about it
}

// newBox makes the box of the config's secret key.
func newBox(key idbridge.Secret) (*secretBox, error) {
	if key.IsEmpty() {
		return &secretBox{}, nil
	}
	raw, err := parseSecretKey(key)
	if err != nil {
		return nil, err
	}
	derived, err := hkdf.Key(sha256.New, raw, nil, "idbridge store box 1", secretKeySize)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	b := &secretBox{}
	if b.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	id, err := hkdf.Key(sha256.New, raw, nil, "idbridge store box 1 number", boxKeyID)
	copy(b.id[:], id)
	return b, err
}

func parseSecretKey(key idbridge.Secret) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(key.Reveal())
	if err != nil || len(raw) != secretKeySize { // the decoder's error quotes the key
		return nil, invalid("secret key of store is not 32 octets in base64", "make one: openssl rand -base64 32")
	}
	return raw, nil
}

// close returns a secret as the database keeps it. name is what it belongs to: under another name it cannot be opened.
func (b *secretBox) close(name string, secret []byte) []byte {
	if b.aead == nil {
		return append([]byte{plainMark}, secret...)
	}
	nonce := make([]byte, b.aead.NonceSize())
	rand.Read(nonce) //nolint:errcheck // it never fails
	out := append([]byte{boxMark}, b.id[:]...)
	out = append(out, nonce...)
	return b.aead.Seal(out, nonce, secret, []byte(name))
}

// open is the inverse of close. It opens what was kept before there was a key. Error: Unavailable when the key is not the one.
func (b *secretBox) open(name string, kept []byte) ([]byte, error) {
	if len(kept) > 0 && kept[0] == plainMark {
		return slices.Clone(kept[1:]), nil
	}
	head := 1 + boxKeyID
	if b.aead == nil || len(kept) < head+b.aead.NonceSize() || kept[0] != boxMark || [boxKeyID]byte(kept[1:head]) != b.id {
		return nil, &idbridge.Error{
			Kind: idbridge.Unavailable, Msg: "a secret of the store cannot be opened",
			Hint: "it was closed under another secret key: set the one that was there before in the config's store section",
		}
	}
	nonce, rest := kept[head:head+b.aead.NonceSize()], kept[head+b.aead.NonceSize():]
	out, err := b.aead.Open(nil, nonce, rest, []byte(name))
	if err != nil {
		return nil, &idbridge.Error{
			Kind: idbridge.Internal, Msg: "a secret of the store was damaged", Err: errors.New(name),
			Hint: "its row was changed beside the store: put it in again",
		}
	}
	return out, nil
}

// stale tells that a kept secret lies open although there is a key.
func (b *secretBox) stale(kept []byte) bool {
	return b.aead != nil && len(kept) > 0 && kept[0] == plainMark
}
