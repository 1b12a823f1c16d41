package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// document is the OpenAPI document in both spellings, made once.
type document struct {
	json, yaml       []byte
	jsonTag, yamlTag string
}

func newDocument(api huma.API) (document, error) {
	j, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return document{}, fmt.Errorf("make the OpenAPI document: %w", err)
	}
	y, err := api.OpenAPI().YAML()
	if err != nil {
		return document{}, fmt.Errorf("make the OpenAPI document: %w", err)
	}
	return document{json: j, yaml: y, jsonTag: digestTag(j), yamlTag: digestTag(y)}, nil
}

func digestTag(b []byte) string {
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

func (s *Server) openapi() {
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) {
		sendDocument(w, r, "application/openapi+json", s.document.jsonTag, s.document.json)
	})
	s.mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, r *http.Request) {
		sendDocument(w, r, "application/openapi+yaml; charset=utf-8", s.document.yamlTag, s.document.yaml)
	})
}

func sendDocument(w http.ResponseWriter, r *http.Request, contentType, tag string, body []byte) {
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "no-cache")
	if matches(r.Header.Get("If-None-Match"), tag, true) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", contentType)
	_, _ = w.Write(body) // a client that went away
}
