package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/idbridge/idbridge"
)

// socketPath returns where the daemon that holds a SQLite store listens for commands: beside the store. PostgreSQL
// needs none, since every command can open it; then the path is "".
func socketPath(storeURL string) string {
	file, ok := strings.CutPrefix(storeURL, "sqlite:")
	if !ok {
		return ""
	}
	file, _, _ = strings.Cut(file, "?")
	return file + ".sock"
}

// dirSocket names a socket through an open folder, since the kernel takes at most 107 octets of path and a store may
// lie deeper than that.
func dirSocket(path string) (name string, folder *os.File, err error) {
	if len(path) < 100 {
		return path, nil, nil
	}
	folder, err = os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return "/proc/self/fd/" + strconv.Itoa(int(folder.Fd())) + "/" + filepath.Base(path), folder, nil
}

// dialSocket connects to a running daemon. A socket that nobody listens on is left from a crash and counts as none.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	name, folder, err := dirSocket(path)
	if err != nil {
		return nil, err
	}
	if folder != nil {
		defer folder.Close()
	}
	dialer := net.Dialer{Timeout: 3 * time.Second}
	return dialer.DialContext(ctx, "unix", name)
}

// listenSocket opens the control socket for this user alone. The caller holds the store's lock, so whatever lies there
// is a leftover.
func listenSocket(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	name, folder, err := dirSocket(path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if folder != nil {
		defer folder.Close()
	}
	// The socket is born in a folder of its own that nobody else may enter, and moved when its mode is right: between
	// listen and chmod it would be open to whom the umask lets.
	private, err := os.MkdirTemp(filepath.Dir(path), ".idb")
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer os.RemoveAll(private)
	inner, innerFolder, err := dirSocket(filepath.Join(private, "s"))
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if innerFolder != nil {
		defer innerFolder.Close()
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: inner, Net: "unix"})
	if err != nil {
		return nil, &idbridge.Error{
			Kind: idbridge.Unavailable, Msg: "control socket beside the store",
			Hint: "the folder of the store must allow sockets and be writable for this user", Err: err,
		}
	}
	listener.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(inner, 0o600), os.Rename(inner, name)); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), listener.Close())
	}
	return listener, nil
}
