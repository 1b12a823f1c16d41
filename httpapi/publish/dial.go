package publish

import (
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/idbridge/idbridge"
)

// guard decides which addresses may be dialled. It is asked with the address itself, after names were resolved, so that a
// name cannot lead where its owner likes.
type guard struct{ loopback bool }

// control is a net.Dialer's last look before it connects.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return refusedAddress("no address")
	}
	if why := g.refuses(to.Addr()); why != "" {
		return refusedAddress(why)
	}
	return nil
}

func refusedAddress(why string) error {
	return &idbridge.Error{Kind: idbridge.Forbidden, Msg: "the address may not be dialled: " + why}
}

// metadata are addresses at which clouds tell their machines secrets, beside 169.254.169.254.
func metadata() []netip.Addr {
	return []netip.Addr{
		netip.MustParseAddr("100.100.100.200"), // Alibaba
		netip.MustParseAddr("168.63.129.16"),   // Azure
		netip.MustParseAddr("192.0.0.192"),     // Oracle
		netip.MustParseAddr("fd00:ec2::254"),   // Amazon
		netip.MustParseAddr("fd20:ce::254"),    // Google
	}
}

// refuses says why an address may not be dialled, "" when it may.
func (g guard) refuses(a netip.Addr) string {
	a = embedded(a.WithZone("").Unmap())
	switch {
	case !a.IsValid() || a.IsUnspecified() || a.Is4() && a.As4()[0] == 0:
		return "unspecified"
	case a.IsLoopback():
		if g.loopback {
			return ""
		}
		return "loopback"
	case a.IsLinkLocalUnicast():
		return "link-local"
	case a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "not one host"
	}
	for _, m := range metadata() {
		if a == m {
			return "metadata"
		}
	}
	return ""
}

// embedded returns the IPv4 address that an IPv6 address leads to through a translator: NAT64 (RFC 6052), 6to4 (RFC 3056)
// and the deprecated IPv4-compatible form. Others are returned as they are.
func embedded(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a), netip.MustParsePrefix("::/96").Contains(a) && b[12] != 0:
		return netip.AddrFrom4([4]byte(b[12:16]))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

const dialLimit = 5 * time.Second

func (g guard) dialer(names *net.Resolver) *net.Dialer {
	return &net.Dialer{Timeout: dialLimit, Control: g.control, Resolver: names, KeepAlive: -1}
}
