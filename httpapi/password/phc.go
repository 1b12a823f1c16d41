package password

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// cost is what a hash costs.
type cost struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8
}

// today returns the cost of new hashes: the second choice of OWASP's list, 19 MiB.
func today() cost { return cost{memory: 19 << 10, time: 2, threads: 1} }

// What a hash that comes from elsewhere may cost at most: it must not become a weapon against this process.
const (
	maxMemory  = 64 << 10 // KiB
	maxTime    = 10
	maxThreads = 4
	minLen     = 16
	maxLen     = 64
)

// phc is a hash with what it was made of.
type phc struct {
	cost      cost
	salt, sum []byte
}

// String writes $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH.
func (p *phc) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", p.cost.memory, p.cost.time, p.cost.threads,
		enc.EncodeToString(p.salt), enc.EncodeToString(p.sum))
}

// parse reads a PHC string of Argon2id, version 19, within the bounds above.
func parse(text string) (phc, bool) {
	parts := strings.Split(text, "$")
	if len(text) > 512 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return phc{}, false
	}
	params := strings.Split(parts[3], ",")
	if len(params) != 3 {
		return phc{}, false
	}
	m, ok1 := number(params[0], "m=", maxMemory)
	t, ok2 := number(params[1], "t=", maxTime)
	p, ok3 := number(params[2], "p=", maxThreads)
	salt, err1 := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	sum, err2 := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if !ok1 || !ok2 || !ok3 || m < 8*p || err1 != nil || err2 != nil || len(salt) < 8 || len(salt) > maxLen || len(sum) < minLen || len(sum) > maxLen {
		return phc{}, false
	}
	return phc{cost{memory: uint32(m), time: uint32(t), threads: uint8(p)}, salt, sum}, true //nolint:gosec // bounded above
}

// number reads a parameter from 1 to most, in its one spelling.
func number(text, name string, most uint64) (uint64, bool) {
	digits, ok := strings.CutPrefix(text, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	return n, ok && err == nil && n >= 1 && n <= most && strconv.FormatUint(n, 10) == digits
}
