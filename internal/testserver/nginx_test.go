package testserver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/idbridge/idbridge/internal/testserver"
)

func TestNginxAsksFirst(t *testing.T) {
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.String() != "/ask?role=R" || r.Header.Get("X-Original-Uri") != "/some/page?q=1":
			w.WriteHeader(http.StatusTeapot)
		case r.Header.Get("X-Api-Key") == "good":
			w.Header().Set("X-Auth-User", "ann")
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(door.Close)
	s := testserver.Nginx(t, door.URL+"/ask?role=R")
	for key, want := range map[string]string{"good": "200 let through as ann", "bad": "403"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/some/page?q=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Status[:3] + " " + string(body); got[:len(want)] != want {
			t.Errorf("%s: %s", key, got)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	s.Kill()
	if res, err := http.Get(s.URL); err == nil {
		_ = res.Body.Close()
		t.Error("still there")
	}
}

func TestNginxRefusesWhatIsNoURL(t *testing.T) {
	testserver.Need(t, "nginx")
	for _, ask := range []string{"", "ftp://127.0.0.1/", "http://127.0.0.1/;}", "http://127.0.0.1/ $x"} {
		if s, err := testserver.StartNginx(t.TempDir(), ask); err == nil {
			s.Kill()
			t.Errorf("%q was taken", ask)
		}
	}
}
