// Package dashboards speaks as the REST API of the CAST dashboards does about users: who is signed in, what he may see,
// login, logout, ping, and the bootstrap of the first administrator. Its clients call any route with Basic once, keep the
// cookie, and drop the header.
package dashboards
