package authstore

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"golang.org/x/sys/unix"

	"github.com/idbridge/idbridge"
)

const (
	postgresConns     = 16
	postgresLifetime  = 5 * time.Minute // so that a moved primary is found
	keepAlive         = 15 * time.Second
	tcpTimeoutMillis  = 15_000 // an unanswered segment ends the connection: a black hole must not hang a query past its context
	postgresDriver    = "postgres"
	postgresMinServer = 140000
)

// openPostgres opens the pool. It touches the network only to see that the server answers and is new enough.
func (s *Store) openPostgres(c Config) error {
	dsn, err := postgresDSN(c)
	if err != nil {
		return err
	}
	connector, err := pq.NewConnector(dsn)
	if err != nil { // the parser's error may quote the password
		return invalid("store url cannot be used", "write postgres://user@host/database?sslmode=verify-full")
	}
	connector.Dialer(dialer{s.patience})
	s.write = sqlx.NewDb(sql.OpenDB(connector), postgresDriver)
	s.write.SetMaxOpenConns(postgresConns)
	s.write.SetMaxIdleConns(postgresConns)
	s.write.SetConnMaxLifetime(postgresLifetime)
	s.read = s.write
	return nil
}

// postgresDSN adds the password and every setting that must not be left to a default.
func postgresDSN(c Config) (string, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return "", invalid("store url cannot be parsed", "write postgres://user@host/database?sslmode=verify-full")
	}
	if !c.Password.IsEmpty() {
		u.User = url.UserPassword(u.User.Username(), c.Password.Reveal())
	}
	q := u.Query()
	if strings.Contains(u.Host, ",") { // lib/pq reads the ports of several hosts from a list of their own
		hosts, ports := hostList(u.Host)
		q.Set("host", hosts)
		q.Set("port", ports)
		u.Host = ""
	}
	for key, value := range map[string]string{
		"connect_timeout": "5", "application_name": "idbridge", "target_session_attrs": "read-write", "statement_timeout": "60000",
		"lock_timeout": "10000", "random_page_cost": "1.1", // lists of ids are looked up, not scanned for
		"idle_in_transaction_session_timeout": "60000",
	} {
		if q.Get(key) == "" {
			q.Set(key, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// hostList splits a,b:5433 into the lists a,b and 5432,5433.
func hostList(list string) (hosts, ports string) {
	var h, p []string
	for one := range strings.SplitSeq(list, ",") {
		host, port, err := net.SplitHostPort(one)
		if err != nil {
			host, port = strings.Trim(one, "[]"), "5432"
		}
		h, p = append(h, host), append(p, port)
	}
	return strings.Join(h, ","), strings.Join(p, ",")
}

// checkServer refuses a server older than PostgreSQL 14.
func (s *Store) checkServer(ctx context.Context) error {
	var version int
	if err := s.write.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return fmt.Errorf("ask server version: %w", err)
	}
	if version < postgresMinServer {
		return &idbridge.Error{
			Kind: idbridge.Invalid, Msg: fmt.Sprintf("PostgreSQL %d is too old", version/10000),
			Hint: "use PostgreSQL 14 or newer",
		}
	}
	return nil
}

// dialer sets what lib/pq has no settings for.
type dialer struct{ patience *patience }

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	plain := net.Dialer{KeepAlive: keepAlive, Control: userTimeout}
	conn, err := plain.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return d.patience.take(conn), nil
}

// userTimeout sets TCP_USER_TIMEOUT on a TCP socket; a Unix socket needs none.
func userTimeout(network, _ string, raw syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	var inner error
	err := raw.Control(func(fd uintptr) {
		inner = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, tcpTimeoutMillis)
	})
	if err != nil {
		return fmt.Errorf("set TCP_USER_TIMEOUT: %w", err)
	}
	return inner
}
