package facade

import "net/http"

// Mux takes the routes of a facade. *http.ServeMux is one.
type Mux = interface {
	// HandleFunc registers a route. The pattern is that of http.ServeMux, with a method and without a host.
	HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request))
}

// Facade is the API of another system as this one speaks it. Safe for concurrent use.
type Facade interface {
	// Name is what config and document call it: imaging, dashboards, assets, controlroom, publish.
	Name() string
	// Mount registers every route on the mux. A pattern that an earlier facade has registered already stays that one's.
	Mount(mux Mux)
	// Owns tells whether a path is below the facade: what is not there is then told by Refuse.
	Owns(path string) bool
	// Refuse writes an error in the facade's own shape: 404, 405 (the Allow header is set already) or 500.
	Refuse(w http.ResponseWriter, r *http.Request, status int)
	// Changing tells whether a GET of a pattern changes something. It is deprecated in the document, and its HEAD is a 405.
	Changing(pattern string) bool
}
