package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi/password"
)

const (
	passwordLeast = 12   // characters
	passwordMost  = 1000 // octets
)

func (w *world) userPassword() *cobra.Command {
	return &cobra.Command{
		Use: "password USER", Args: cobra.ExactArgs(1),
		Short:   "Set the password of a user who is in no directory; it is asked for, or read from stdin, and ends his sessions",
		Example: "  idbridge user password jdoe\n  pass show jdoe | idbridge user password jdoe",
		RunE: does(func(cmd *cobra.Command, args []string) error {
			if err := w.askPassword(cmd.Context(), args[0]); err != nil {
				return err
			}
			return w.inHouse(w.setPassword)(cmd, args)
		}),
	}
}

// setPassword reads the password from stdin, judges it, and keeps its hash.
func (w *world) setPassword(ctx context.Context, h *house, args []string) error {
	user, err := h.find(ctx, args[0])
	if err != nil {
		return err
	}
	if user.Kind == idbridge.Service {
		return invalid("a service has no password", "make it a key: idbridge key new "+user.UserName())
	}
	text, err := firstLine(w.stdin)
	if err != nil {
		return err
	}
	if err := judgePassword(&user, text); err != nil {
		return err
	}
	hash, err := password.New().Hash(ctx, text)
	if err == nil {
		err = h.store.SetPassword(ctx, user.ID, hash, w.who())
	}
	if err != nil {
		return fmt.Errorf("set password of %q: %w", args[0], err)
	}
	return w.print(map[string]any{"id": user.ID, "passwordSet": true}, func(out io.Writer) {
		fmt.Fprintf(out, "%s has a new password, and is signed in nowhere\n", user.UserName())
	})
}

// judgePassword refuses what somebody would guess first. Its errors do not quote the password.
func judgePassword(u *idbridge.User, text idbridge.Secret) error {
	p := text.Reveal()
	switch {
	case utf8.RuneCountInString(p) < passwordLeast:
		return invalid(fmt.Sprintf("the password has fewer than %d characters", passwordLeast), "take a few words")
	case len(p) > passwordMost || !utf8.ValidString(p):
		return invalid("the password is too long, or is no UTF-8", "")
	}
	for _, a := range [...]idbridge.Attribute{idbridge.UserName, idbridge.DisplayName, idbridge.Email} {
		for _, name := range u.Profile[a] {
			if idbridge.CaseIgnore.Normal(p) == idbridge.CaseIgnore.Normal(name) {
				return invalid("the password is the user's own name", "take a few words")
			}
		}
	}
	return nil
}

// firstLine reads the first line without its end, octet by octet: what follows is not for us.
func firstLine(in io.Reader) (idbridge.Secret, error) {
	if in == nil {
		return idbridge.Secret{}, invalid("there is no password on stdin", "")
	}
	var line []byte
	one := make([]byte, 1)
	for len(line) <= passwordMost+1 {
		n, err := in.Read(one)
		if n > 0 && one[0] == '\n' || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return idbridge.Secret{}, fmt.Errorf("read password: %w", err)
		}
		line = append(line, one[:n]...)
	}
	return idbridge.NewSecret(strings.TrimSuffix(string(line), "\r")), nil
}

// askPassword asks for the password twice, without showing it, when stdin is a terminal; what was typed becomes stdin, here
// or for the daemon that does the command.
func (w *world) askPassword(ctx context.Context, name string) error {
	terminal, ok := w.stdin.(*os.File)
	if !ok || w.house != nil {
		return nil
	}
	shown, err := hideTyping(terminal)
	if err != nil || shown == nil {
		return err
	}
	defer shown()
	var typed [2]idbridge.Secret
	for i, prompt := range [...]string{"New password of " + name + ": ", "Once more: "} {
		fmt.Fprint(w.stderr, prompt)
		typed[i], err = typedLine(ctx, terminal)
		fmt.Fprintln(w.stderr)
		if err != nil {
			return err
		}
	}
	if typed[0].Reveal() != typed[1].Reveal() {
		return invalid("the two passwords differ", "nothing was changed")
	}
	w.stdin = strings.NewReader(typed[0].Reveal() + "\n")
	return nil
}

// hideTyping stops the echo of a terminal and returns how to have it back; nil for what is no terminal.
func hideTyping(terminal *os.File) (shown func(), err error) {
	fd := int(terminal.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // no terminal: there is nothing to hide
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return nil, fmt.Errorf("stop the terminal's echo: %w", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }, nil
}

// typedLine reads a line, or ends with the context; the read then ends with the process: a terminal's cannot be called back.
func typedLine(ctx context.Context, terminal io.Reader) (line idbridge.Secret, err error) {
	read := make(chan struct{})
	var text idbridge.Secret
	var bad error
	go func() {
		defer close(read)
		text, bad = firstLine(terminal)
	}()
	select {
	case <-read:
		return text, bad
	case <-ctx.Done():
		return idbridge.Secret{}, ctx.Err()
	}
}
