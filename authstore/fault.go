package authstore

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/lib/pq"
	"modernc.org/sqlite"

	"github.com/idbridge/idbridge"
)

// SQLite's primary result codes that mean something to an operator.
const (
	sqliteBusy       = 5
	sqliteUnique     = 2067 // extended codes: SQLITE_CONSTRAINT_UNIQUE and …_PRIMARYKEY
	sqlitePrimary    = 1555
	sqliteLocked     = 6
	sqliteReadOnly   = 8
	sqliteIO         = 10
	sqliteCorrupt    = 11
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteNotDB      = 26
	sqliteConstraint = 19
)

// fault wraps err with the operation and, if nobody did yet, gives it a kind and a hint by the driver's code.
func fault(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *idbridge.Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", op, err)
	}
	err = fmt.Errorf("%s: %w", op, err)
	var server *pq.Error
	if errors.As(err, &server) {
		return postgresFault(server, err)
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return sqliteFault(lite.Code(), err)
	}
	var untrusted *tls.CertificateVerificationError
	if errors.Is(err, pq.ErrSSLNotSupported) || errors.As(err, &untrusted) {
		return &idbridge.Error{
			Kind: idbridge.Unavailable, Msg: "the store's server cannot be trusted", Err: err,
			Hint: "check its certificate and sslrootcert, or choose another sslmode in the store url",
		}
	}
	if lost(err) {
		return &idbridge.Error{
			Kind: idbridge.Unavailable, Msg: "the store cannot be reached", Err: err,
			Hint: "check that PostgreSQL runs and that host, port and firewall let this machine in",
		}
	}
	return err
}

// lost tells that the connection broke, so that nobody knows what the server did last.
func lost(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

func postgresFault(e *pq.Error, err error) error {
	out := &idbridge.Error{Kind: idbridge.Internal, Err: err}
	set := func(kind idbridge.Kind, msg, hint string) { out.Kind, out.Msg, out.Hint = kind, msg, hint }
	switch e.Code {
	case "28P01", "28000":
		set(idbridge.Unavailable, "the store refuses our login", "check user and password_file of store, and pg_hba.conf on the server")
	case "3D000":
		set(idbridge.Unavailable, "the store's database does not exist", "create it: createdb --owner=USER DATABASE")
	case "42501":
		set(idbridge.Unavailable, "the store's user lacks a right", "make him owner of the database: ALTER DATABASE … OWNER TO …")
	case "53100":
		set(idbridge.Unavailable, "the store's disk is full", "free space on the PostgreSQL server; nothing was lost")
	case "53300":
		set(idbridge.Unavailable, "the store takes no more connections", "raise max_connections, or stop other clients")
	case "55000":
		set(idbridge.Unavailable, "the store's database takes no connections", "look whether somebody restores or moves it")
	case "25006":
		set(idbridge.Unavailable, "the store is read-only", "this server is a standby: name all hosts in the store url, the one that takes writes is used")
	case "55P03", "57014":
		set(idbridge.Unavailable, "the store did not answer in time", "look for a long transaction in pg_stat_activity")
	case "40001", "40P01", "23505":
		set(idbridge.Conflicting, "changed by somebody else at the same time", "try again")
	case "54000":
		set(idbridge.Invalid, "a value is too long for the database", "shorten it: logins, e-mails and ids have room for about 2,000 characters")
	default:
		if class := e.Code.Class(); class == "08" || class == "57" || class == "53" {
			set(idbridge.Unavailable, "the store cannot answer now", "look into the log of the PostgreSQL server")
		}
	}
	return out
}

func sqliteFault(code int, err error) error {
	out := &idbridge.Error{Kind: idbridge.Unavailable, Err: err}
	switch code & 0xff {
	case sqliteBusy, sqliteLocked:
		out.Msg, out.Hint = "the store is busy", "another program holds the database file open for writing"
	case sqliteFull:
		out.Msg, out.Hint = "the store's disk is full", "free space where the database lies; nothing was lost"
	case sqliteReadOnly:
		out.Msg, out.Hint = "the store cannot be written", "check owner and rights of the database file and of its folder"
	case sqliteIO:
		out.Msg, out.Hint = "the store's disk reports an error", "check the disk and the free space where the database lies"
	case sqliteCantOpen:
		out.Msg, out.Hint = "the store cannot be opened", "check that the folder exists and that this user may write into it"
	case sqliteCorrupt, sqliteNotDB:
		out.Msg, out.Hint = "the store's file is damaged or not a database", "restore it from a backup, or name another file"
	case sqliteConstraint:
		out.Kind, out.Msg, out.Hint = idbridge.Conflicting, "changed by somebody else at the same time", "try again"
	case sqliteTooBig:
		out.Kind, out.Msg, out.Hint = idbridge.Invalid, "a value is too long for the database", "shorten it"
	default:
		out.Kind = idbridge.Internal
	}
	return out
}

// again tells that a transaction lost a race, or trusted in vain, and may simply be run again.
func again(err error) bool {
	var server *pq.Error
	if errors.As(err, &server) {
		return server.Code == "40001" || server.Code == "40P01" || server.Code == "23505"
	}
	var lite *sqlite.Error
	if !errors.As(err, &lite) {
		return false
	}
	switch lite.Code() {
	case sqliteUnique, sqlitePrimary:
		return true
	}
	return lite.Code()&0xff == sqliteBusy
}

func invalid(msg, hint string) error {
	return &idbridge.Error{Kind: idbridge.Invalid, Msg: msg, Hint: hint}
}

func notFound(what string) error {
	return &idbridge.Error{Kind: idbridge.NotFound, Msg: "there is no such " + what}
}
