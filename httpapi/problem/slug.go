package problem

import (
	"net/http"

	"github.com/idbridge/idbridge"
)

// Slug names a sort of problem for programs. It is stable; titles and details are not.
type Slug string

// The slugs.
const (
	Unauthenticated        Slug = "unauthenticated"
	Forbidden              Slug = "forbidden"
	NotFound               Slug = "not-found"
	MethodNotAllowed       Slug = "method-not-allowed"
	Malformed              Slug = "malformed"
	Invalid                Slug = "invalid"
	TooLarge               Slug = "too-large"
	UnsupportedMediaType   Slug = "unsupported-media-type"
	ConflictingCredentials Slug = "conflicting-credentials"
	ProfileIncomplete      Slug = "profile-incomplete"
	KeyCannotMint          Slug = "key-cannot-mint"
	OwnedByDirectory       Slug = "owned-by-directory"
	LastAdmin              Slug = "last-admin"
	Conflict               Slug = "conflict"
	Exists                 Slug = "exists"
	Held                   Slug = "held"
	Busy                   Slug = "busy"
	PreconditionRequired   Slug = "precondition-required"
	PreconditionFailed     Slug = "precondition-failed"
	RevisionNotReached     Slug = "revision-not-reached"
	SinceTooOld            Slug = "since-too-old"
	IdempotencyReplayed    Slug = "idempotency-replayed"
	NotYours               Slug = "not-yours"
	NotRevocable           Slug = "not-revocable"
	RateLimited            Slug = "rate-limited"
	Timeout                Slug = "timeout"
	Unavailable            Slug = "unavailable"
	NotServed              Slug = "not-served"
	Internal               Slug = "internal"
)

type kind struct {
	status int
	title  string
	detail string // when the error has nothing to say, and always for 5xx
}

// known is the table of slugs.
func known(s Slug) kind { //nolint:cyclop // a table; a map would be a package variable
	switch s {
	case Unauthenticated:
		return kind{http.StatusUnauthorized, "Not signed in", "Present a valid key, or user name and password."}
	case Forbidden:
		return kind{http.StatusForbidden, "Not allowed", "This needs a permission that the caller does not have."}
	case NotFound:
		return kind{http.StatusNotFound, "Not found", "There is no such thing."}
	case MethodNotAllowed:
		return kind{http.StatusMethodNotAllowed, "Method not allowed", "The Allow header names the methods of this path."}
	case Malformed:
		return kind{http.StatusBadRequest, "Malformed request", ""}
	case Invalid:
		return kind{http.StatusUnprocessableEntity, "Invalid input", ""}
	case TooLarge:
		return kind{http.StatusRequestEntityTooLarge, "Request too large", "The body is larger than this route takes."}
	case UnsupportedMediaType:
		return kind{http.StatusUnsupportedMediaType, "Unsupported media type", "Send application/json in UTF-8."}
	case ConflictingCredentials:
		return kind{http.StatusBadRequest, "Conflicting credentials", "The request carries credentials of different users."}
	case ProfileIncomplete:
		return kind{http.StatusConflict, "Profile incomplete", "Fill in the missing attributes first."}
	case KeyCannotMint:
		return kind{http.StatusForbidden, "A key mints no keys", "Sign in with a password to make a key."}
	case OwnedByDirectory:
		return kind{http.StatusConflict, "Owned by a directory", "A directory's group gives this role; change the group."}
	case LastAdmin:
		return kind{http.StatusConflict, "Last administrator", "Make somebody else administrator first."}
	case Conflict:
		return kind{http.StatusConflict, "Conflict", "Something moved meanwhile; look again."}
	case Exists:
		return kind{http.StatusConflict, "Already there", "The name or value is taken."}
	default:
		return rare(s)
	}
}

func rare(s Slug) kind {
	switch s {
	case Held:
		return kind{http.StatusConflict, "Held", "A guard stopped this; a person has to approve or discard it."}
	case Busy:
		return kind{http.StatusConflict, "Busy", "Somebody else is at it; try again later."}
	case PreconditionRequired:
		return kind{http.StatusPreconditionRequired, "Precondition required", "Send If-Match with the ETag you read."}
	case PreconditionFailed:
		return kind{http.StatusPreconditionFailed, "Precondition failed", "It changed since you read it; read it again."}
	case RevisionNotReached:
		return kind{http.StatusConflict, "Revision not reached", "The store has not reached the revision asked for."}
	case SinceTooOld:
		return kind{http.StatusGone, "Since too old", "The log of changes begins later; forget what you know and start at its revision."}
	case IdempotencyReplayed:
		return kind{http.StatusConflict, "Done already", "This was asked with the same Idempotency-Key before, and its answer is no longer kept."}
	case NotYours:
		return kind{http.StatusBadRequest, "Not yours", "The token is another user's."}
	case NotRevocable:
		return kind{http.StatusBadRequest, "Not revocable", "A role token is checked offline and ends by itself."}
	case RateLimited:
		return kind{http.StatusTooManyRequests, "Too many failures", "Wait as long as Retry-After says."}
	case Timeout:
		return kind{http.StatusRequestTimeout, "Request timeout", "The body did not arrive in time."}
	case NotServed:
		return kind{http.StatusServiceUnavailable, "Not served here", "This process does not do this; ask a daemon started with `idbridge serve`, or use the command line."}
	case Unavailable:
		return kind{http.StatusServiceUnavailable, "Unavailable", "This cannot be answered now; try again later."}
	default:
		return kind{http.StatusInternalServerError, "Internal error", "A fault of the server; quote the request id to the operator."}
	}
}

// ofKind is the one table from error kind to slug, and through the slug to the status.
func ofKind(k idbridge.Kind) Slug {
	switch k {
	case idbridge.Invalid, idbridge.Refused:
		return Invalid
	case idbridge.NotFound:
		return NotFound
	case idbridge.Conflicting:
		return Conflict
	case idbridge.Exists:
		return Exists
	case idbridge.Forbidden:
		return Forbidden
	case idbridge.Unauthentic:
		return Unauthenticated
	case idbridge.Unavailable, idbridge.Unknown, idbridge.Incomplete:
		return Unavailable
	case idbridge.Held:
		return Held
	case idbridge.Locked:
		return Busy
	case idbridge.Internal:
	}
	return Internal
}

// OfStatus returns the slug of a status that was decided without one, by the router or by huma.
func OfStatus(status int) Slug {
	switch status {
	case http.StatusUnauthorized:
		return Unauthenticated
	case http.StatusForbidden:
		return Forbidden
	case http.StatusNotFound:
		return NotFound
	case http.StatusMethodNotAllowed:
		return MethodNotAllowed
	case http.StatusUnprocessableEntity:
		return Invalid
	case http.StatusRequestEntityTooLarge:
		return TooLarge
	case http.StatusUnsupportedMediaType:
		return UnsupportedMediaType
	case http.StatusRequestTimeout:
		return Timeout
	case http.StatusServiceUnavailable:
		return Unavailable
	}
	if status >= http.StatusBadRequest && status < http.StatusInternalServerError {
		return Malformed
	}
	return Internal
}
