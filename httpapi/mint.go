package httpapi

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// OnceHeader is the header of requests that must not be done twice.
type OnceHeader struct {
	Once string `header:"Idempotency-Key" maxLength:"255" doc:"Up to 5 minutes the same answer, secret included; up to 24 hours 409; another body 422."`
}

// once is one such request of one user; nil for a request that may be repeated.
type once struct {
	replay idbridge.Replay
	seal   cipher.AEAD
	random io.Reader
}

// newOnce reads the header of a request. what is what was asked, with everything that tells it from another. Error: 422.
func (s *Server) newOnce(h OnceHeader, user idbridge.UserID, what ...any) (*once, error) {
	if h.Once == "" {
		return nil, nil //nolint:nilnil // an ordinary request
	}
	if strings.ContainsFunc(h.Once, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, problem.New(problem.Invalid, "").At("header.Idempotency-Key", "expected printable ASCII")
	}
	asked, err := json.Marshal(what)
	if err != nil {
		return nil, fmt.Errorf("digest request: %w", err)
	}
	o := &once{random: s.random, replay: idbridge.Replay{
		Caller: strconv.FormatInt(int64(user), 10), Token: h.Once, Body: sha256.Sum256(asked), At: s.config.Now(),
	}}
	mac := hmac.New(sha256.New, s.sealing) // a key for this one answer, which ends with the process
	_, _ = mac.Write([]byte(o.replay.Caller + "\x00" + o.replay.Token + "\x00"))
	_, _ = mac.Write(o.replay.Body[:])
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("seal answer: %w", err)
	}
	if o.seal, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("seal answer: %w", err)
	}
	return o, nil
}

// close seals an answer.
func (o *once) close(v *newKeyView) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("seal answer: %w", err)
	}
	nonce := make([]byte, o.seal.NonceSize())
	if _, err := io.ReadFull(o.random, nonce); err != nil {
		return nil, fmt.Errorf("seal answer: %w", err)
	}
	return o.seal.Seal(nonce, nonce, plain, nil), nil
}

// open gives an earlier answer again. Errors: 422 when another thing was asked, 409 when the answer is no longer kept, or
// was sealed by another process.
func (o *once) open(earlier *idbridge.Replay) (*newKeyView, error) {
	if earlier.Body != o.replay.Body {
		return nil, problem.New(problem.Invalid, "").At("header.Idempotency-Key", "was given with another request")
	}
	n := o.seal.NonceSize()
	if len(earlier.Answer) < n {
		return nil, problem.New(problem.IdempotencyReplayed, "")
	}
	plain, err := o.seal.Open(nil, earlier.Answer[:n], earlier.Answer[n:], nil)
	if err != nil {
		return nil, problem.New(problem.IdempotencyReplayed, "").Because(err)
	}
	v := &newKeyView{}
	if err := json.Unmarshal(plain, v); err != nil {
		return nil, fmt.Errorf("open answer: %w", err)
	}
	return v, nil
}

// storeKey makes or rotates a key in the store, under the request's token when it has one.
type storeKey func(ctx context.Context, key idbridge.Key, replay *idbridge.Replay, seal func(idbridge.Key) ([]byte, error)) (
	idbridge.Key, *idbridge.Replay, error)

// issue draws a key until the store takes the id: 62⁸ ids make a second draw a rarity, and a third one a fault. The answer is
// the only one that ever holds the secret, or the one of an earlier request with the same token.
func (s *Server) issue(ctx context.Context, key idbridge.Key, o *once, put storeKey) (*newKeyView, error) {
	var last error
	for range 3 {
		text, err := idbridge.NewKeyText(s.random)
		if err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		key.ID, key.Digest = text.ID(), text.Digest()
		var replay *idbridge.Replay
		if o != nil {
			replay = &o.replay
		}
		made, earlier, err := put(ctx, key, replay, func(k idbridge.Key) ([]byte, error) { return o.close(s.viewNewKey(text, &k)) })
		switch {
		case err == nil && earlier != nil:
			return o.open(earlier)
		case err == nil:
			return s.viewNewKey(text, &made), nil
		case idbridge.KindOf(err) != idbridge.Exists:
			return nil, err
		}
		last = err
	}
	return nil, fmt.Errorf("make a key: %w", last)
}

func (s *Server) viewNewKey(text idbridge.KeyText, k *idbridge.Key) *newKeyView {
	return &newKeyView{
		ID: k.ID, Key: text.Native(), Renderings: renderings{text.Native(), text.Dotted(), text.Plain()}, State: k.State(s.config.Now()),
		Scopes: nonNil(k.Scopes), CreatedAt: moment(k.Created), ExpiresAt: moment(k.Expires),
	}
}

// create stores a new key of a user.
func (s *Server) create(by string) storeKey {
	return func(ctx context.Context, key idbridge.Key, r *idbridge.Replay, seal func(idbridge.Key) ([]byte, error)) (
		idbridge.Key, *idbridge.Replay, error,
	) {
		if r == nil {
			made, err := s.config.Store.CreateKey(ctx, key, by)
			return made, nil, err
		}
		return s.config.Store.CreateKeyOnce(ctx, key, by, *r, seal)
	}
}

// replace puts a new key in the place of an old one.
func (s *Server) replace(old idbridge.KeyID, overlap time.Duration, by string) storeKey {
	return func(ctx context.Context, key idbridge.Key, r *idbridge.Replay, seal func(idbridge.Key) ([]byte, error)) (
		idbridge.Key, *idbridge.Replay, error,
	) {
		if r == nil {
			made, err := s.config.Store.RotateKey(ctx, old, key, overlap, by)
			return made, nil, err
		}
		return s.config.Store.RotateKeyOnce(ctx, old, key, overlap, by, *r, seal)
	}
}
