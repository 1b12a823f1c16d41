package idbridge

import "errors"

// Kind says what sort of trouble an error is. It is itself an error, so errors.Is(err, NotFound) reads as it is meant.
type Kind uint8

// The kinds. Internal is the zero Kind: what nobody classified is our own fault, and a stranger learns nothing of it.
const (
	Internal    Kind = iota // a fault of the program
	Invalid                 // the input can never be accepted as it is
	NotFound                // there is no such thing
	Conflicting             // something moved since it was looked at; look again
	Exists                  // the name or value is taken
	Forbidden               // the asker may not
	Unauthentic             // the asker did not prove who he is
	Unavailable             // the other side cannot answer now; may be tried again
	Unknown                 // it may have happened: read before you repeat
	Incomplete              // a listing ended before its end: nothing may be derived from absence
	Held                    // waits for a human
	Locked                  // another daemon has it
	Refused                 // the directory refuses this record's change for good; other records go on
)

var kindNames = [...]string{ //nolint:gochecknoglobals // a constant table; Go has no constant arrays
	"internal", "invalid", "not found", "conflicting", "exists", "forbidden", "unauthentic", "unavailable", "unknown outcome",
	"incomplete", "held", "locked", "refused",
}

// Error returns the kind's name.
func (k Kind) Error() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// Error is an error with a kind, made at the border where the trouble is understood.
type Error struct {
	Kind Kind
	Msg  string // safe for a stranger: no DN, no SQL, no host, no other person's name
	Hint string // for the operator: what to try next
	Err  error  // for the log alone
}

// Error returns the message with its cause; it is meant for logs and the operator's terminal.
func (e *Error) Error() string {
	switch {
	case e.Msg == "" && e.Err == nil:
		return e.Kind.Error()
	case e.Err == nil:
		return e.Msg
	case e.Msg == "":
		return e.Err.Error()
	default:
		return e.Msg + ": " + e.Err.Error()
	}
}

// Unwrap offers the kind and the cause, so both errors.Is(err, NotFound) and errors.Is(err, io.EOF) work.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// KindOf returns the outermost kind in err's chain, Internal when nobody classified it.
func KindOf(err error) Kind {
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return Internal
}

// HintOf returns the outermost hint in err's chain, or "".
func HintOf(err error) string {
	var e *Error
	for errors.As(err, &e) {
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
