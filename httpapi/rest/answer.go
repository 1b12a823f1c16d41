package rest

import (
	"encoding/json"
	"net/http"
)

// Challenge is what every 401 offers.
const Challenge = `Basic realm="idbridge", charset="UTF-8"`

// fault is the body of every error.
type fault struct {
	Error string `json:"error"`
}

// word is what clients know a status by.
func word(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "unauthorized"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusNotFound:
		return "not_found"
	case http.StatusMethodNotAllowed:
		return "method_not_allowed"
	case http.StatusConflict:
		return "conflict"
	case http.StatusTooManyRequests:
		return "too_many_requests"
	}
	if status >= http.StatusInternalServerError {
		return "unavailable"
	}
	return "bad_request"
}

// Refuse writes {"error":WORD} with the status. A 401 offers Basic.
func Refuse(w http.ResponseWriter, status int) {
	if status == http.StatusUnauthorized {
		w.Header()["WWW-Authenticate"] = []string{Challenge} // spelt as RFC 9110 prints it
	}
	Answer(w, status, fault{word(status)})
}

// Answer writes v as the whole answer: JSON, whatever the client accepts, without a newline at its end.
func Answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // not with the types of the facades
		status, body = http.StatusInternalServerError, []byte(`{"error":"unavailable"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away
}
