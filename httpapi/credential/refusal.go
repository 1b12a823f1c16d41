package credential

import (
	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/problem"
)

// The actions that the audit knows refused credentials by.
const (
	RefusedSignIn = "signin.refused"
	RefusedReuse  = "reuse_after_rotation" // a key whose successor has taken over for good
)

// Refusal is why a credential failed: the cause of the problem that Refuse makes. It is for the log and the audit alone.
type Refusal struct {
	Action string          // RefusedSignIn or RefusedReuse
	Why    string          // for a person; no secret and no password in it
	User   idbridge.UserID // whose it was, 0 when nobody knows
	Key    idbridge.KeyID  // "" for other credentials
	Ended  string          // why its session ended, one of the dictionary's reasons; "" for other failures
}

// Error returns the reason.
func (r *Refusal) Error() string { return r.Why }

// Unwrap says what kind of failure it is.
func (r *Refusal) Unwrap() error { return idbridge.Unauthentic }

// Refuse is the one answer to every credential that fails. why is for the log and the audit alone.
func Refuse(why string) *problem.Problem {
	return refuse(&Refusal{Action: RefusedSignIn, Why: why})
}

func refuse(r *Refusal) *problem.Problem {
	return problem.New(problem.Unauthenticated, "").
		With("WWW-Authenticate", `Bearer realm="idbridge"`).
		With("WWW-Authenticate", `Basic realm="idbridge", charset="UTF-8"`).
		Because(r)
}
