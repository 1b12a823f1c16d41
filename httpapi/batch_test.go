package httpapi_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
)

type batched struct {
	Results []struct {
		Allowed bool
		Reason  string
	}
	Revision int64
}

func (a *answer) batch() batched {
	a.t.Helper()
	var out batched
	if err := json.Unmarshal([]byte(a.want(200).body), &out); err != nil {
		a.t.Fatal(err)
	}
	return out
}

func TestBatch(t *testing.T) {
	b := newBed(t)
	ann := b.person("ann", "VIEWER")
	b.person("gone", "VIEWER")
	b.service("app", idbridge.SuperConsumer)
	b.suspendByRun("gone")
	body := fmt.Sprintf(`{"checks":[{"user":%d,"role":"VIEWER"},{"user":"nobody","role":"VIEWER"},{"user":"ANN","role":"X","application":"A"},
		{"key":%q,"role":"VIEWER"},{"key":"nonsense","role":"VIEWER"},{"user":99999,"role":"VIEWER"},{"user":"gone","role":"VIEWER"},{"key":%q,"role":"VIEWER"}]}`,
		ann, b.keys["ann"].Plain(), b.keys["gone"].Plain())
	got := b.as("app", "POST", "/api/v1/check/batch", body).batch()
	now, err := b.store.Revision(t.Context())
	if err != nil || got.Revision != now {
		t.Errorf("revision %d, the store is at %d (%v)", got.Revision, now, err)
	}
	want := []string{"granted", "no-user", "no-role", "granted", "no-key", "no-user", "missing", "missing"}
	if len(got.Results) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, r := range got.Results {
		if r.Reason != want[i] || r.Allowed != (want[i] == "granted") {
			t.Errorf("%d: %+v, want %s", i, r, want[i])
		}
	}
	// About oneself anybody may ask, and one question about another refuses all.
	b.as("ann", "POST", "/api/v1/check/batch", `{"checks":[{"user":"ann","role":"VIEWER"}]}`).want(200)
	b.as("ann", "POST", "/api/v1/check/batch", `{"checks":[{"user":"ann","role":"VIEWER"},{"user":"app","role":"VIEWER"}]}`).problem(403, "forbidden")
	for body, status := range map[string]int{
		`{}`: 422, `{"checks":[]}`: 422, `{"checks":7}`: 422, `{"checks":[7]}`: 400, `{"checks":[{"role":"R"}]}`: 422, `{"checks":[{"user":1,"role":"R","minRevision":1}]}`: 422,
		`{"checks":[{"user":1,"role":"R"}],"x":1}`: 422, `{"checks":[{"user":1,"role":"R"}],"minRevision":-1}`: 422, `{"checks":[{"user":1,"User":2,"role":"R"}]}`: 400,
		`{"checks":[` + strings.Repeat(`{"user":1,"role":"R"},`, 1000) + `{"user":1,"role":"R"}]}`: 422,
		`{"checks":[` + strings.Repeat(" ", 257<<10) + `]}`:                                        413,
	} {
		if a := b.as("app", "POST", "/api/v1/check/batch", body); a.status != status {
			t.Errorf("%.60s: %d %s", body, a.status, a.body)
		}
	}
	full := b.as("app", "POST", "/api/v1/check/batch", `{"checks":[`+strings.Repeat(`{"user":1,"role":"R"},`, 999)+`{"user":"ann","role":"VIEWER"}]}`).batch()
	if len(full.Results) != 1000 || !full.Results[999].Allowed || full.Results[998].Allowed {
		t.Error("a thousand checks")
	}
	b.as("app", "POST", "/api/v1/check/batch", fmt.Sprintf(`{"checks":[{"user":"ann","role":"VIEWER"}],"minRevision":%d}`, now+1000)).problem(409, "revision-not-reached")
}

// TestBatchAgainstPlainCounting holds check, batch and explain against lists of grants that nobody but this test keeps.
func TestBatchAgainstPlainCounting(t *testing.T) {
	b := newBed(t)
	b.service("app", idbridge.SuperConsumer)
	random := rand.New(rand.NewPCG(4, 2))
	roles, applications := []idbridge.Role{"A", "B", "C"}, []string{"", "one", "two"}
	type grant struct {
		user        int
		role        idbridge.Role
		application string
	}
	has := map[grant]bool{}
	var ids []idbridge.UserID
	for i := range 12 {
		ids = append(ids, b.person(fmt.Sprintf("u%d", i)))
		for range 3 {
			g := grant{i, roles[random.IntN(3)], applications[random.IntN(3)]}
			if err := b.store.GrantRole(t.Context(), ids[i], g.role, g.application, "test"); err == nil {
				has[g] = true
			}
		}
	}
	var checks []string
	var want []int // grants that give it
	for range 300 {
		i, role, application := random.IntN(len(ids)), roles[random.IntN(3)], applications[random.IntN(3)]
		n := 0
		for g := range has {
			if g.user == i && g.role == role && (g.application == "" || g.application == application) {
				n++
			}
		}
		want = append(want, n)
		checks = append(checks, fmt.Sprintf(`{"user":%d,"role":%q,"application":%q}`, ids[i], role, application))
	}
	got := b.as("app", "POST", "/api/v1/check/batch", `{"checks":[`+strings.Join(checks, ",")+`]}`).batch()
	for i, n := range want {
		if got.Results[i].Allowed != (n > 0) {
			t.Errorf("batch %s: %+v, %d grants", checks[i], got.Results[i], n)
		}
		one := b.as("app", "POST", "/api/v1/check?explain=true", checks[i]).want(200).json()
		paths, _ := one["paths"].([]any)
		if one["allowed"] != (n > 0) || len(paths) != n {
			t.Errorf("check %s: %v, %d grants", checks[i], one, n)
		}
	}
}

func TestCheckExplains(t *testing.T) {
	b := newBed(t)
	b.person("ann", "VIEWER")
	b.service("app", idbridge.SuperConsumer)
	group := idbridge.ExternalID{Directory: "corp", ID: "g1"}
	b.commit(idbridge.Decision{ID: group, Name: "viewers", Steps: []idbridge.Step{{
		ID: corpID("ann"), Side: idbridge.StoreSide, Verb: idbridge.Join, Group: group, Why: "rule",
		Grants: []idbridge.Grant{{Role: "VIEWER", Directory: "corp", Group: "g1", GroupName: "cn=viewers"}},
	}}})
	m := b.as("app", "POST", "/api/v1/check?explain=true", `{"user":"ann","role":"VIEWER"}`).want(200).json()
	paths, _ := m["paths"].([]any)
	if len(paths) != 2 {
		t.Fatalf("%v", m)
	}
	byGroup, run := 0, float64(b.lead.Run)
	for _, p := range paths {
		p, _ := p.(map[string]any)
		switch p["origin"] {
		case "corp":
			byGroup++
			if p["group"] != "cn=viewers" || p["run"] != run {
				t.Errorf("%v, run %v", p, run)
			}
		case "local":
			if p["run"] != nil || p["group"] != nil {
				t.Errorf("%v", p)
			}
		}
	}
	if byGroup != 1 {
		t.Errorf("%v", paths)
	}
	if m := b.as("app", "POST", "/api/v1/check?explain=true", `{"user":"ann","role":"X"}`).want(200).json(); len(m["paths"].([]any)) != 0 {
		t.Errorf("%v", m)
	}
	if m := b.as("app", "POST", "/api/v1/check?explain=false", `{"user":"ann","role":"X"}`).want(200).json(); len(m) != 6 {
		t.Errorf("%v", m)
	}
	b.as("app", "POST", "/api/v1/check?explain=yes", `{"user":"ann","role":"X"}`).problem(422, "invalid")
	b.as("app", "POST", "/api/v1/check?x=true", `{"user":"ann","role":"X"}`).problem(422, "invalid")
	b.as("app", "POST", "/api/v1/check?explain=true&explain=false", `{"user":"ann","role":"X"}`).problem(400, "malformed")
}
