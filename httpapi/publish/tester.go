package publish

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/strict"
)

// Reason says, in one word for programs and people, why a target cannot be published to.
type Reason string

// The reasons.
const (
	Unreachable    Reason = "unreachable"     // no connection, no answer in time, a server error, or an address that is not dialled
	TLS            Reason = "tls"             // no TLS, or a certificate that is not trusted
	Unauthorized   Reason = "unauthorized"    // 401
	Forbidden      Reason = "forbidden"       // 403
	NotAdmin       Reason = "not-admin"       // the credential is good and its user no administrator
	LicenseInvalid Reason = "license-invalid" // says so of itself
	NotImaging     Reason = "not-imaging"     // answers, but not as expected
)

const (
	testLimit  = 10 * time.Second // all requests of a test together
	maxAnswer  = 64 << 10         // octets of a body, and of the headers
	shownLimit = 512              // octets of a body in the log
)

// TesterConfig says how far a Tester may reach. The zero TesterConfig reaches everything but this machine and what is never
// a target.
type TesterConfig struct {
	// Loopback lets it dial this machine. Default false: with it, whoever may change the settings can look at ports that are
	// open to local programs only.
	Loopback bool
	// Roots are the authorities it trusts. Default: the system's.
	Roots *x509.CertPool
	// Names resolves host names. Default: the system's resolver.
	Names *net.Resolver
}

// Tester finds out whether a target can be published to. Safe for concurrent use.
type Tester struct{ client *http.Client }

// NewTester returns a Tester. It follows no redirect, uses no proxy, keeps no connection and no cookie.
func NewTester(c TesterConfig) *Tester {
	return &Tester{client: &http.Client{
		Transport: &http.Transport{
			DialContext: guard{c.Loopback}.dialer(c.Names).DialContext, TLSClientConfig: &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// failure is why a test failed. Its text is for the log.
type failure struct {
	reason Reason
	said   string // "403 Forbidden: BODY", or what went wrong on the way
}

func (f *failure) Error() string { return f.said }

// Test asks the target what a console asks. The reason is "" when it can be published to; what was answered is for the log
// and holds no secret of the target's.
func (t *Tester) Test(ctx context.Context, target *Target) (reason Reason, answered string) {
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	err := t.profile(ctx, target)
	if err == nil {
		err = t.license(ctx, target)
	}
	if err == nil && target.Form == PasswordForm {
		err = t.verify(ctx, target)
	}
	if err == nil {
		return "", ""
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{Unreachable, err.Error()}
	}
	return f.reason, cleaned(f.said, target.secrets())
}

// profile asks who the credential's user is: he must be an administrator.
func (t *Tester) profile(ctx context.Context, target *Target) error {
	var who struct {
		Username      string   `json:"username"`
		Administrator *bool    `json:"administrator"`
		Roles         []string `json:"roles"`
	}
	body, err := t.ask(ctx, http.MethodGet, target.URL+"/api/user", target, &who)
	switch {
	case err != nil:
		return err
	case who.Username == "":
		return &failure{NotImaging, "200 OK: " + body}
	case who.Administrator != nil && *who.Administrator, who.Administrator == nil && slices.Contains(who.Roles, string(idbridge.Admin)):
		return nil
	}
	return &failure{NotAdmin, "200 OK: " + body}
}

// license asks for the versions: one of the API is needed, and a license that is said to be invalid is a fault.
func (t *Tester) license(ctx context.Context, target *Target) error {
	var about struct {
		APIVersion   string `json:"apiVersion"`
		LicenseValid *bool  `json:"licenseValid"`
	}
	body, err := t.ask(ctx, http.MethodGet, target.URL+"/api/", target, &about)
	switch {
	case err != nil:
		return err
	case about.LicenseValid != nil && !*about.LicenseValid:
		return &failure{LicenseInvalid, "200 OK: " + body}
	case about.APIVersion == "":
		return &failure{NotImaging, "200 OK: " + body}
	}
	return nil
}

// verify shows the token at the port of its own.
func (t *Tester) verify(ctx context.Context, target *Target) error {
	var verdict struct {
		Status string `json:"status"`
		Admin  *bool  `json:"admin"`
	}
	body, err := t.ask(ctx, http.MethodPost, target.etl(), target, &verdict)
	switch {
	case err != nil:
		return err
	case verdict.Status != "success":
		return &failure{NotImaging, "200 OK: " + body}
	case verdict.Admin != nil && !*verdict.Admin:
		return &failure{NotAdmin, "200 OK: " + body}
	}
	return nil
}

// ask sends one request with the target's credential and reads the answer into v. Error: *failure.
func (t *Tester) ask(ctx context.Context, method, address string, target *Target, v any) (string, error) {
	var handshakeFailed atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
		handshakeFailed.Store(err != nil)
	}})
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return "", &failure{NotImaging, "the URL cannot be asked"}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "idbridge")
	switch {
	case target.Form == KeyForm:
		req.Header.Set("X-API-KEY", target.APIKey.Reveal())
	case method == http.MethodPost:
		req.Header.Set("Authorization", "Bearer "+target.ETLToken.Reveal())
	default:
		req.SetBasicAuth(target.Username, target.Password.Reveal())
	}
	res, err := t.client.Do(req)
	if err != nil {
		return "", unreached(err, handshakeFailed.Load())
	}
	defer res.Body.Close() //nolint:errcheck // it was read to its end, or is given up
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return "", unreached(err, false)
	}
	body := string(raw)
	said := fmt.Sprintf("%d %s: %s", res.StatusCode, http.StatusText(res.StatusCode), body)
	switch {
	case len(raw) > maxAnswer:
		return "", &failure{NotImaging, "an answer of more than 64 KiB"}
	case res.StatusCode == http.StatusUnauthorized:
		return "", &failure{Unauthorized, said}
	case res.StatusCode == http.StatusForbidden:
		return "", &failure{Forbidden, said}
	case res.StatusCode >= http.StatusInternalServerError:
		return "", &failure{Unreachable, said}
	case res.StatusCode != http.StatusOK, strict.Check(raw) != nil, json.Unmarshal(raw, v) != nil:
		return "", &failure{NotImaging, said}
	}
	return body, nil
}

// unreached tells trouble with TLS from all other trouble on the way. net/http has no one type for it, so the handshake is
// watched.
func unreached(err error, handshakeFailed bool) *failure {
	var slow net.Error
	if handshakeFailed && (!errors.As(err, &slow) || !slow.Timeout()) {
		return &failure{TLS, err.Error()}
	}
	return &failure{Unreachable, err.Error()}
}

// cleaned takes the secrets out of a text, in case the other side echoes them, and shortens it.
func cleaned(text string, secrets []string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	if len(text) > shownLimit {
		text = strings.ToValidUTF8(text[:shownLimit], "") + " …"
	}
	return text
}
