package credential

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Address returns the client's address: the peer's, or, when the peer is a trusted proxy, the rightmost address of
// X-Forwarded-For that is not trusted. Other peers' forwarding headers are ignored.
func Address(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap().WithZone("")
	if !trusts(trusted, addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return addr
		}
		addr = next.Unmap().WithZone("")
		if !trusts(trusted, addr) {
			return addr
		}
	}
	return addr
}

func trusts(trusted []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// network is what failures are counted under: an IPv4 address, or the /64 that one IPv6 client owns.
func network(addr netip.Addr) string {
	if !addr.IsValid() {
		return "?"
	}
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}
