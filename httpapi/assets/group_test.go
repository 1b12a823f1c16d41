package assets_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/idbridge/idbridge"
)

// TestGroupGrants holds that what a directory's group gives is not taken here: roles replace the others, and superuser stays.
func TestGroupGrants(t *testing.T) {
	b := newBed(t)
	populated(t, b)
	group := idbridge.ExternalID{Directory: "corp", ID: "admins-uuid"}
	_, err := b.store.Commit(context.Background(), b.lead, []idbridge.Decision{{ID: group, Name: "admins", Steps: []idbridge.Step{{
		ID: corpID("bob"), Side: idbridge.StoreSide, Verb: idbridge.Join, Group: group, Grants: []idbridge.Grant{{Role: idbridge.Admin}, {Role: "VIEWER"}},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.as("root", "GET", base+"/user/bob", "").want(200).body; !strings.Contains(got, `"superuser":true`) {
		t.Fatal(got)
	}
	b.as("root", "POST", base+"/user/update", update("<name>bob</name><superuser>false</superuser>"), "Content-Type", asXML).want(409).golden("error-owned-superuser")
	b.as("root", "POST", base+"/user/update", update("<name>bob</name><roles><role><name>SUPER_CONSUMER</name></role></roles>"), "Content-Type", asXML).want(200)
	b.as("root", "POST", base+"/user/update", update("<name>bob</name><roles/>"), "Content-Type", asXML).want(200)
	held, err := b.store.Grants(context.Background(), b.ids["Bob"])
	if err != nil || len(held) != 2 || held[0].Role != idbridge.Admin || held[1].Role != "VIEWER" {
		t.Errorf("%+v %v", held, err)
	}
	b.as("Bob", "GET", base+"/users", "").want(200) // on the next request, with the key he has
}

// TestOneKey holds that of many keys made at once one is good, and the one before is not.
func TestOneKey(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		populated(t, b)
		var mu sync.Mutex
		var made []string
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, b.url+base+"/user/bob/apikey?create=true", nil)
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+b.keys["root"].Native())
				res, err := b.client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				var v struct{ APIKey string }
				if err := json.NewDecoder(res.Body).Decode(&v); err != nil || res.StatusCode != 200 {
					t.Errorf("%d %v", res.StatusCode, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				made = append(made, v.APIKey)
			})
		}
		all.Wait()
		b.as("Bob", "GET", base+"/user/bob", "").want(401)
		good := 0
		for _, key := range made {
			if b.do("GET", base+"/user/bob", "", "Authorization", "Bearer "+key).status == 200 {
				good++
			}
		}
		if len(made) != 20 || good != 1 {
			t.Errorf("%d made, %d good", len(made), good)
		}
	})
}
