package credential

// The names of session cookies. Under TLS, and when the public URL is https, they get the prefix __Host-.
const (
	RestCookie    = "idbridge_rest"
	ConsoleCookie = "idbridge_console"
)

// The surfaces that sessions are good on.
const (
	RestSessions    = "rest"
	ConsoleSessions = "console"
	ControlSessions = "controlroom"
)

// What becomes of X-API-USER beside X-API-KEY.
const (
	IgnoreAPIUser  = "ignore"  // any name will do; real clients send arbitrary ones
	EnforceAPIUser = "enforce" // it must be the key's owner, or the key is refused
)

// Surface says which carriers a surface looks at. What is not admitted is not looked at: it neither helps nor harms.
type Surface struct {
	Name       string // imaging, dashboards, assets, controlroom, publish, console, api
	Key        bool   // X-API-KEY
	Bearer     bool   // Authorization: Bearer with an API key
	Basic      bool   // Authorization: Basic with a password, or a key in its place
	Cookie     bool   // the session cookie CookieName
	Token      bool   // a JWT in X-Authorization or Authorization: Bearer; X-Authorization may hold a key when Bearer is admitted
	CookieName string // RestCookie or ConsoleCookie
	APIUser    string // IgnoreAPIUser (also "") or EnforceAPIUser
}

// Native is the surface of the native API. Its cookie is the console's.
func Native() Surface {
	return Surface{Name: "api", Key: true, Bearer: true, Basic: true, Cookie: true, Token: true, CookieName: ConsoleCookie}
}

// sessions returns the surface whose sessions are good here: that of the cookie, since several facades share one.
func (s *Surface) sessions() string {
	switch s.CookieName {
	case RestCookie:
		return RestSessions
	case ConsoleCookie:
		return ConsoleSessions
	}
	return s.Name
}
