//go:build failpoints

package failpoint

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrInjected is what a point with the action error returns.
var ErrInjected = errors.New("injected by a failpoint")

type plan struct {
	name   string
	nth    int
	action string
}

var (
	mu    sync.Mutex
	hits  = map[string]int{}
	wants = sync.OnceValue(parse)
)

// parse reads FP=name:nth:kill9|error|sleep, several separated by commas. nth counts from 1.
func parse() []plan {
	var out []plan
	for one := range strings.SplitSeq(os.Getenv("FP"), ",") {
		part := strings.Split(one, ":")
		if len(part) != 3 {
			continue
		}
		if n, err := strconv.Atoi(part[1]); err == nil {
			out = append(out, plan{part[0], n, part[2]})
		}
	}
	return out
}

// Hit marks a point by name. With FPLIST=FILE each hit appends its name to the file, so that a test can enumerate them.
func Hit(name string) error {
	mu.Lock()
	hits[name]++
	n := hits[name]
	mu.Unlock()
	if file := os.Getenv("FPLIST"); file != "" {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			fmt.Fprintln(f, name)
			f.Close()
		}
	}
	for _, p := range wants() {
		if p.name != name || p.nth != n {
			continue
		}
		switch p.action {
		case "kill9":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		case "error":
			return fmt.Errorf("%s: %w", name, ErrInjected)
		case "sleep":
			time.Sleep(time.Second)
		}
	}
	return nil
}
