package publish

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
)

// The two forms of a target, never mixed.
const (
	KeyForm      = "apiKey"   // console 1.26 and later: the key of a user with ADMIN
	PasswordForm = "password" // earlier: user name and password, and a token at a port of its own
)

const defaultETLPort = 9001

// Target is where a console publishes to, and with what it proves itself there.
type Target struct {
	URL      string
	Form     string          // KeyForm or PasswordForm
	APIKey   idbridge.Secret // KeyForm
	Username string          // PasswordForm, as all that follow
	Password idbridge.Secret
	ETLPort  int
	ETLToken idbridge.Secret
}

// targetBody is a Target as it comes in; members that it does not name are ignored.
type targetBody struct {
	URL      string  `json:"url"`
	APIKey   *string `json:"apiKey"`
	Username *string `json:"username"`
	Password *string `json:"password"`
	ETLPort  *int    `json:"etlPort"`
	ETLToken *string `json:"etlToken"`
}

const (
	maxURL    = 2048
	maxSecret = 1024
)

// target checks what came in. at names the member that is at fault, and is "" when nothing is.
func (b *targetBody) target() (t Target, at, fault string) {
	t.URL = strings.TrimRight(b.URL, "/")
	if fault := urlFault(t.URL); fault != "" {
		return t, "url", fault
	}
	if b.APIKey != nil {
		if b.Username != nil || b.Password != nil || b.ETLPort != nil || b.ETLToken != nil {
			return t, "apiKey", "comes alone, or with none of username, password, etlPort and etlToken"
		}
		t.Form, t.APIKey = KeyForm, idbridge.NewSecret(*b.APIKey)
		return t, firstOf("apiKey", secretFault(*b.APIKey)), secretFault(*b.APIKey)
	}
	t.Form, t.ETLPort = PasswordForm, defaultETLPort
	if b.ETLPort != nil {
		t.ETLPort = *b.ETLPort
	}
	if t.ETLPort < 1 || t.ETLPort > 65535 {
		return t, "etlPort", "must be 1 to 65535"
	}
	for _, m := range []struct {
		name string
		from *string
		to   func(string)
	}{
		{"username", b.Username, func(s string) { t.Username = s }},
		{"password", b.Password, func(s string) { t.Password = idbridge.NewSecret(s) }},
		{"etlToken", b.ETLToken, func(s string) { t.ETLToken = idbridge.NewSecret(s) }},
	} {
		if m.from == nil {
			return t, m.name, "is missing; give url and apiKey, or url, username, password and etlToken"
		}
		if fault := secretFault(*m.from); fault != "" {
			return t, m.name, fault
		}
		m.to(*m.from)
	}
	if strings.Contains(t.Username, ":") {
		return t, "username", "cannot hold a colon"
	}
	return t, "", ""
}

func firstOf(name, fault string) string {
	if fault == "" {
		return ""
	}
	return name
}

// secretFault says why a text cannot go into a header, "" when it can.
func secretFault(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > maxSecret:
		return "is too long"
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }):
		return "holds a control character"
	}
	return ""
}

func urlFault(text string) string {
	if len(text) > maxURL {
		return "is too long"
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return "must be http or https with a host"
	case u.Scheme != "http" && u.Scheme != "https":
		return "must be http or https"
	case u.User != nil:
		return "must not hold a user name or a password"
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "must end with its path"
	}
	return ""
}

// etl returns the address of the verification at the port of its own.
func (t *Target) etl() string {
	u, err := url.Parse(t.URL)
	if err != nil {
		return ""
	}
	u.Host, u.Path, u.RawPath = net.JoinHostPort(u.Hostname(), strconv.Itoa(t.ETLPort)), "/api/v1/publish/verify", ""
	return u.String()
}

// secrets returns what must not come out again.
func (t *Target) secrets() []string {
	return []string{t.APIKey.Reveal(), t.Password.Reveal(), t.ETLToken.Reveal()}
}

// Outcome is what a test found.
type Outcome struct {
	Result string    `json:"result"` // success or failure
	Reason Reason    `json:"reason,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// kept is a Target as the store keeps it: with its secrets, since they are sent out again.
type kept struct {
	URL      string  `json:"url"`
	Form     string  `json:"form"`
	APIKey   string  `json:"apiKey,omitempty"`
	Username string  `json:"username,omitempty"`
	Password string  `json:"password,omitempty"`
	ETLPort  int     `json:"etlPort,omitempty"`
	ETLToken string  `json:"etlToken,omitempty"`
	LastTest Outcome `json:"lastTest"`
}

func encode(t *Target, last Outcome) ([]byte, error) {
	b, err := json.Marshal(kept{
		t.URL, t.Form, t.APIKey.Reveal(), t.Username, t.Password.Reveal(), t.ETLPort, t.ETLToken.Reveal(), last,
	})
	if err != nil {
		return nil, fmt.Errorf("encode publish target: %w", err)
	}
	return b, nil
}

func decode(b []byte) (Target, Outcome, error) {
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return Target{}, Outcome{}, &idbridge.Error{Kind: idbridge.Internal, Msg: "the kept publish target cannot be read"}
	}
	return Target{
		URL: k.URL, Form: k.Form, APIKey: idbridge.NewSecret(k.APIKey), Username: k.Username, Password: idbridge.NewSecret(k.Password),
		ETLPort: k.ETLPort, ETLToken: idbridge.NewSecret(k.ETLToken),
	}, k.LastTest, nil
}
