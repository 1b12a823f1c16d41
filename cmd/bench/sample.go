package main

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// sample is one reading of one child process.
type sample struct {
	seconds   float64
	mebibytes float64 // peak resident memory
}

// child runs a program to its end and measures it.
func child(ctx context.Context, name string, args ...string) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr tail
	cmd.Stderr = &stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return sample{}, fmt.Errorf("%s: %w\n%s", name, err, stderr)
	}
	s := sample{seconds: time.Since(start).Seconds()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.mebibytes = float64(usage.Maxrss) / 1024
	}
	return s, nil
}

// tail keeps the end of what a child complains about.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if len(*t) > 4096 {
		*t = (*t)[len(*t)-4096:]
	}
	return len(p), nil
}

func (t tail) String() string { return string(t) }

// series are several readings of one thing.
type series []sample

// median returns the middle reading by time, with the largest memory of all.
func (all series) median() sample {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b sample) int { return cmp.Compare(a.seconds, b.seconds) })
	middle := all[len(all)/2]
	for _, s := range all {
		middle.mebibytes = max(middle.mebibytes, s.mebibytes)
	}
	return middle
}

// ldapsearch reads the same entries and attributes with OpenLDAP's own tool.
func (b *bench) ldapsearch(ctx context.Context) (sample, error) {
	return child(ctx, "ldapsearch", "-x", "-LLL", "-H", b.slapd.URL, "-D", b.slapd.SyncDN, "-w", b.slapd.SyncPassword, "-b", b.slapd.BaseDN,
		"-E", "pr=1000/noprompt", "(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))", "uid", "givenName", "sn", "displayName", "mail", "telephoneNumber", "title",
		"employeeNumber", "l", "departmentNumber", "entryUUID", "entryCSN", "cn", "member")
}

func (b *bench) sync(ctx context.Context, config string) (sample, error) {
	return child(ctx, b.binary, "sync", "--once", "-c", config)
}
