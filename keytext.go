package idbridge

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
)

// KeyText is the text of an API key: an id of 8 characters and a secret of 32. The canonical form is the 40 characters of
// both; the digest is taken over those and nothing else, so every rendering opens every door. It prints as *** under every
// verb, in logs and in JSON; the text leaves by Native, Dotted and Plain alone. The zero KeyText matches no digest.
//
//	native  idb_06935MrA_…  45 characters, for people and secret scanners
//	dotted  06935MrA.…      41
//	plain   06935MrA…       40
//
// The text stands behind a pointer to a string: fmt prints the address of that even in an unexported field and under a
// wrong verb, where it would print the letters of an array behind a pointer.
type KeyText struct{ text *string }

const (
	keyTextLen   = 40
	keyIDLen     = 8
	keySumLen    = 6
	keyPrefix    = "idb_"
	keyAlphabet  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	keyDrawLimit = 64 // refills of 64 octets; an honest source needs one
)

// NewKeyText draws a key from random (crypto/rand.Reader) by rejection sampling. Its last 6 characters are a checksum of
// the others; 26 random characters of secret remain, 154 bits. Error: the source cannot be read or is not random.
func NewKeyText(random io.Reader) (KeyText, error) {
	var text [keyTextLen]byte
	if err := drawLetters(random, text[:keyTextLen-keySumLen]); err != nil {
		return KeyText{}, fmt.Errorf("draw a key: %w", err)
	}
	putKeySum(&text)
	return newKeyText(text[:]), nil
}

func newKeyText(text []byte) KeyText {
	s := string(text)
	return KeyText{&s}
}

// drawLetters fills dst with letters of the key alphabet, each equally likely.
func drawLetters(random io.Reader, dst []byte) error {
	const fair = 256 / len(keyAlphabet) * len(keyAlphabet) // a larger octet would favour the first letters
	var buf [64]byte
	n := 0
	for range keyDrawLimit {
		if _, err := io.ReadFull(random, buf[:]); err != nil {
			return fmt.Errorf("read random octets: %w", err)
		}
		for _, b := range buf {
			if int(b) >= fair {
				continue
			}
			dst[n] = keyAlphabet[int(b)%len(keyAlphabet)]
			if n++; n == len(dst) {
				return nil
			}
		}
	}
	return &Error{Kind: Internal, Msg: "the source of random octets is not random"}
}

// putKeySum writes the checksum: CRC-32 (IEEE) of the 34 characters before it, in base 62, padded with 0.
func putKeySum(text *[keyTextLen]byte) {
	sum := crc32.ChecksumIEEE(text[:keyTextLen-keySumLen])
	for i := keyTextLen - 1; i >= keyTextLen-keySumLen; i-- {
		text[i] = keyAlphabet[sum%uint32(len(keyAlphabet))]
		sum /= uint32(len(keyAlphabet))
	}
}

// ParseKeyText reads any rendering, exactly: nothing is trimmed, no case is folded. Any printable ASCII without space is
// let in, because imported keys contain punctuation, and no checksum is asked for, because imported keys lack it.
func ParseKeyText(s string) (KeyText, bool) {
	var id, secret string
	switch {
	case len(s) == keyTextLen:
		id, secret = s[:keyIDLen], s[keyIDLen:]
	case len(s) == keyTextLen+1 && s[keyIDLen] == '.':
		id, secret = s[:keyIDLen], s[keyIDLen+1:]
	case len(s) == keyTextLen+len(keyPrefix)+1 && s[:len(keyPrefix)] == keyPrefix && s[len(keyPrefix)+keyIDLen] == '_':
		id, secret = s[len(keyPrefix):len(keyPrefix)+keyIDLen], s[len(keyPrefix)+keyIDLen+1:]
	default:
		return KeyText{}, false
	}
	var text [keyTextLen]byte
	copy(text[copy(text[:], id):], secret)
	for _, b := range text {
		if b <= ' ' || b > '~' {
			return KeyText{}, false
		}
	}
	return newKeyText(text[:]), true
}

// ID returns the public part, or "" for the zero KeyText.
func (k KeyText) ID() KeyID {
	if k.text == nil {
		return ""
	}
	return KeyID((*k.text)[:keyIDLen])
}

// Digest returns SHA-256 of the canonical form: what the store keeps. It is nil for the zero KeyText.
func (k KeyText) Digest() []byte {
	if k.text == nil {
		return nil
	}
	sum := sha256.Sum256([]byte(*k.text))
	return sum[:]
}

// Matches tells in constant time whether digest is this key's. It works as long for a digest that is missing, so that an
// unknown id takes the same time as a wrong secret.
func (k KeyText) Matches(digest []byte) bool {
	if k.text == nil {
		return false
	}
	var text [keyTextLen]byte // on the stack: this is on the path of every request
	copy(text[:], *k.text)
	sum := sha256.Sum256(text[:])
	var want [sha256.Size]byte
	whole := len(digest) == len(want)
	if whole {
		copy(want[:], digest)
	}
	return subtle.ConstantTimeCompare(sum[:], want[:]) == 1 && whole
}

// Genuine tells whether the checksum holds: the text was made by NewKeyText and not mistyped. It is advice for scanners;
// authentication never depends on it.
func (k KeyText) Genuine() bool {
	if k.text == nil {
		return false
	}
	again := [keyTextLen]byte([]byte(*k.text))
	putKeySum(&again)
	return string(again[:]) == *k.text
}

// Native returns idb_ID_SECRET. Like its two sisters it gives the secret away: call it where the key is shown once.
func (k KeyText) Native() string { return k.render(keyPrefix, "_") }

// Dotted returns ID.SECRET.
func (k KeyText) Dotted() string { return k.render("", ".") }

// Plain returns IDSECRET.
func (k KeyText) Plain() string { return k.render("", "") }

func (k KeyText) render(before, between string) string {
	if k.text == nil {
		return ""
	}
	return before + (*k.text)[:keyIDLen] + between + (*k.text)[keyIDLen:]
}

// Format prints *** whatever the verb.
func (k KeyText) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// String prints ***.
func (k KeyText) String() string { return masked }

// GoString prints ***.
func (k KeyText) GoString() string { return masked }

// LogValue prints ***.
func (k KeyText) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText prints ***.
func (k KeyText) MarshalText() ([]byte, error) { return []byte(masked), nil }
