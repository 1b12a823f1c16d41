package token

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/time/rate"

	"github.com/idbridge/idbridge"
)

const (
	// ControlRoomTTL is how long a Control Room token lives by default.
	ControlRoomTTL = 20 * time.Minute

	controlIssuer = "AutomationAnywhere"
	controlHeader = "eyJhbGciOiJSUzUxMiJ9." // {"alg":"RS512"} and no other member: neither kid nor jku, x5u, jwk
	mintsPerCore  = 300                     // a second; signing takes 1.4 ms, and the processor has other work
)

// ControlRoom makes and proves Control Room tokens. Safe for concurrent use.
type ControlRoom struct {
	ring  *Ring
	ttl   time.Duration
	mints *rate.Limiter
}

// NewControlRoom returns the tokens whose keys the store keeps. ttl is exp − iat, 0 for ControlRoomTTL; now is the clock.
func NewControlRoom(store Keys, ttl time.Duration, now func() time.Time) *ControlRoom {
	if ttl <= 0 {
		ttl = ControlRoomTTL
	}
	perSecond := mintsPerCore * runtime.GOMAXPROCS(0)
	return &ControlRoom{
		ring: newRing(store, idbridge.SignsControl, rs512, ttl, now), ttl: ttl, mints: rate.NewLimiter(rate.Limit(perSecond), perSecond),
	}
}

// licenses is a claim that clients expect.
type licenses struct {
	Client bool `json:"AnalyticsClient"`
	API    bool `json:"AnalyticsAPI"`
}

// controlClaims are the claims of a Control Room token beside the registered ones.
type controlClaims struct {
	ClientType string   `json:"clientType"`
	Licenses   []string `json:"licenses"`
	Analytics  licenses `json:"analyticsLicensesPurchased"`
	NanoTime   int64    `json:"nanoTime"`
	CSRF       string   `json:"csrfToken"` // 32 hexadecimal digits
	Session    string   `json:"sid"`       // decimal
}

// Mint makes a token of a user's session. Errors: Unavailable when too many are asked for, or without the store.
func (c *ControlRoom) Mint(ctx context.Context, user idbridge.UserID, session int64) (idbridge.Secret, error) {
	now := c.ring.now()
	if !c.mints.AllowN(now, 1) {
		return idbridge.Secret{}, &idbridge.Error{Kind: idbridge.Unavailable, Msg: "too many tokens are asked for at once"}
	}
	k, err := c.ring.signer(ctx)
	if err != nil {
		return idbridge.Secret{}, err
	}
	var random [32]byte
	if _, err := io.ReadFull(c.ring.random, random[:]); err != nil {
		return idbridge.Secret{}, fmt.Errorf("draw the ids of a token: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS512, Key: k.private}, nil)
	if err != nil {
		return idbridge.Secret{}, fmt.Errorf("sign a token: %w", err)
	}
	issued := now.Truncate(time.Second)
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: controlIssuer, Subject: strconv.FormatInt(int64(user), 10), ID: hex.EncodeToString(random[:16]),
		IssuedAt: jwt.NewNumericDate(issued), Expiry: jwt.NewNumericDate(issued.Add(c.ttl)),
	}).Claims(controlClaims{
		ClientType: "WEB", Licenses: []string{}, NanoTime: now.UnixNano(), CSRF: hex.EncodeToString(random[16:]),
		Session: strconv.FormatInt(session, 10),
	}).Serialize()
	if err != nil {
		return idbridge.Secret{}, fmt.Errorf("sign a token: %w", err)
	}
	return idbridge.NewSecret(text), nil
}

// Bearer proves a token's signature and claims and returns the session that it belongs to, its user and its end. Whether
// the session lives is the caller's to ask. Errors: Unauthentic, Unavailable.
func (c *ControlRoom) Bearer(ctx context.Context, token string, now time.Time) (session int64, user idbridge.UserID, expires time.Time, err error) {
	if !strings.HasPrefix(token, controlHeader) {
		return 0, 0, time.Time{}, refused("a token of another sort")
	}
	t, err := parse(token, rs512)
	if err != nil {
		return 0, 0, time.Time{}, err
	}
	var claims jwt.Claims
	var own controlClaims
	if err := c.ring.verify(ctx, t, func(*key) bool { return true }, &claims, &own); err != nil {
		return 0, 0, time.Time{}, err
	}
	if err := within(&claims, controlIssuer, "", now); err != nil {
		return 0, 0, time.Time{}, err
	}
	id, err1 := strconv.ParseInt(claims.Subject, 10, 64)
	session, err2 := strconv.ParseInt(own.Session, 10, 64)
	if err1 != nil || err2 != nil || id <= 0 || session <= 0 {
		return 0, 0, time.Time{}, refused("a token without user or session")
	}
	return session, idbridge.UserID(id), claims.Expiry.Time(), nil
}
