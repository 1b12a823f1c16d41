package ldapsim

import (
	"fmt"
	"strconv"
)

// Code is an LDAP result code, RFC 4511 §4.1.9.
type Code int

// The codes the server gives by itself. A Fault may give any other.
const (
	Success              Code = 0
	ProtocolError        Code = 2
	TimeLimitExceeded    Code = 3
	SizeLimitExceeded    Code = 4
	CompareFalse         Code = 5
	CompareTrue          Code = 6
	AuthNotSupported     Code = 7
	StrongerAuthRequired Code = 8
	Referred             Code = 10
	CriticalUnavailable  Code = 12
	NoSuchAttribute      Code = 16
	UndefinedType        Code = 17
	InappropriateMatch   Code = 18
	ConstraintViolation  Code = 19
	ValueExists          Code = 20
	InvalidSyntax        Code = 21
	NoSuchObject         Code = 32
	InvalidDN            Code = 34
	InvalidCredentials   Code = 49
	InsufficientAccess   Code = 50
	Busy                 Code = 51
	Unavailable          Code = 52
	Unwilling            Code = 53
	NamingViolation      Code = 64
	ClassViolation       Code = 65
	NotOnNonLeaf         Code = 66
	NotOnRDN             Code = 67
	EntryExists          Code = 68
	ClassModsProhibited  Code = 69
	MultipleDSAs         Code = 71
	Other                Code = 80
	Canceled             Code = 118
	AssertionFailed      Code = 122
)

// Result is how an operation ended, as the wire says it. It is the error of the edits made from Go.
type Result struct {
	Code      Code
	Matched   string // the nearest entry that exists, with NoSuchObject
	Text      string
	Referrals []string
}

// Error prints code and text.
func (r *Result) Error() string {
	if r.Text == "" {
		return "ldap result " + strconv.Itoa(int(r.Code))
	}
	return fmt.Sprintf("ldap result %d: %s", r.Code, r.Text)
}

func refuse(code Code, format string, args ...any) *Result {
	return &Result{Code: code, Text: fmt.Sprintf(format, args...)}
}

// orNil keeps a nil *Result from becoming an error that is not nil.
func (r *Result) orNil() error {
	if r == nil || r.Code == Success {
		return nil
	}
	return r
}
