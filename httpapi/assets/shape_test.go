package assets_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
	"testing"

	"github.com/idbridge/idbridge"
)

const (
	addXML    = `<?xml version="1.0" encoding="UTF-8"?><addUser_request><user><name>carol</name><fullName>Carol C.</fullName><password>geheim: ü</password><superuser>{true}</superuser><roles><role><name>QUALITY_MANAGER</name><organization><name>Dream Team</name></organization></role></roles></user></addUser_request>`
	addJSON   = `{"user":{"name":"dave","fullName":"Dave D.","password":"x","superuser":false,"roles":[{"name":"QUALITY_MANAGER","organization":{"name":"Dream Team"}},{"name":"SUPER_CONSUMER"}],"unknown":[1]}}`
	asXML     = "application/xml"
	asJSON    = "application/json"
	changeXML = `<updateUser_request><user>%</user></updateUser_request>`
)

func update(inner string) string { return strings.Replace(changeXML, "%", inner, 1) }

// populated is a bed with a superuser, an ordinary user of a directory, and a local one who may make his key.
func populated(t *testing.T, b *bed) {
	t.Helper()
	b.local("root", full("Root"), idbridge.Admin)
	b.person("Bob", full("Bob B."))
	b.local("eve", full("Eve E."), idbridge.APIKeyGeneration)
	if err := b.store.PutApplication(context.Background(), idbridge.Application{Name: "Dream Team", Href: "AAD/applications/3", DBType: idbridge.DatabaseAAD}, "test"); err != nil {
		t.Fatal(err)
	}
}

// TestScenario is the story of a client, from the first user to the last key, on both databases.
func TestScenario(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		populated(t, b)
		b.as("root", "GET", base+"/users", "").want(200).golden("users-json")
		b.as("root", "GET", base+"/users?fmt=xml", "").want(200).golden("users-xml")
		b.as("root", "GET", base+"/users?fmt=json;pretty", "").want(200).golden("users-json-pretty")
		b.as("root", "GET", base+"/users?fmt=xml;pretty", "").want(200).golden("users-xml-pretty")
		b.pw("Bob", "GET", base+"/user/bob", "").want(200).golden("user-json")
		b.pw("bob", "GET", base+"/user/BOB?fmt=xml%3Bpretty", "").want(200).golden("user-xml-pretty")
		b.as("root", "POST", base+"/user/add?fmt=xml", addXML, "Content-Type", "text/xml; charset=UTF-8").want(201).golden("add-xml")
		b.do("GET", base+"/user/carol", "", "Authorization", basic("carol", "geheim: ü")).want(200) // superuser in her own right
		b.do("GET", base+"/users", "", "Authorization", basic("CAROL", "geheim: ü")).want(200)
		b.do("GET", base+"/user/carol", "", "Authorization", basic("carol", "geheim")).want(401)
		b.as("root", "POST", base+"/user/add", addJSON, "Content-Type", asJSON).want(201).golden("add-json")
		b.as("root", "POST", base+"/user/add", addJSON, "Content-Type", asJSON).want(409).golden("add-duplicate")
		b.as("root", "POST", base+"/user/update", update(`<name>DAVE</name><fullName>David &amp; D.</fullName><superuser>1</superuser>`), "Content-Type", asXML).
			want(200).golden("update-json")

		b.as("root", "GET", base+"/user/dave/apikey", "").want(404).golden("no-key-json")
		b.as("root", "GET", base+"/user/dave/apikey?enable=true&fmt=xml", "").want(404).golden("no-key-xml")
		made := b.as("root", "GET", base+"/user/dave/apikey?create=true", "").want(200).golden("create-json")
		var first struct{ APIKey string }
		if err := json.Unmarshal([]byte(made.body), &first); err != nil {
			t.Fatal(err)
		}
		b.do("GET", base+"/user/dave", "", "Authorization", "Bearer "+first.APIKey).want(200)
		made = b.as("root", "GET", base+"/user/dave/apikey?fmt=xml&create=true", "").want(200).golden("create-xml")
		var second struct {
			APIKey string `xml:"apikey"`
		}
		if err := xml.Unmarshal([]byte(made.body), &second); err != nil {
			t.Fatal(err)
		}
		b.do("GET", base+"/user/dave", "", "Authorization", "Bearer "+first.APIKey).want(401)
		b.do("GET", base+"/user/dave", "", "Authorization", "Bearer "+second.APIKey).want(200)
		b.as("root", "GET", base+"/user/dave/apikey?enable=false", "").want(200).golden("disable-json")
		b.do("GET", base+"/user/dave", "", "Authorization", "Bearer "+second.APIKey).want(401).golden("unauthorized")
		b.as("root", "GET", base+"/user/dave/apikey?enable=false&fmt=xml;pretty", "").want(200).golden("disable-xml-pretty")
		b.as("root", "GET", base+"/user/dave/apikey?enable=true", "").want(200).golden("enable-json")
		b.do("GET", base+"/user/dave", "", "Authorization", basic("dave", second.APIKey)).want(200)

		b.as("root", "DELETE", base+"/user/dave?apikey", "").want(204).golden("delete-key")
		if !b.exists("dave") || b.key("dave") != nil {
			t.Fatal("DELETE /user/dave?apikey deletes the key, and dave lives")
		}
		b.as("root", "DELETE", base+"/user/dave/apikey", "").want(404)
		b.as("root", "GET", base+"/user/dave?apikey", "").want(200)
		b.as("root", "DELETE", base+"/user/dave", "").want(204).golden("delete-user")
		b.as("root", "GET", base+"/user/dave", "").want(404).golden("not-found-json")
		b.as("root", "GET", base+"/user/dave?fmt=xml", "").want(404).golden("not-found-xml")
	})
}

// TestErrors has one golden file for every error that the scenario does not meet.
func TestErrors(t *testing.T) {
	b := newBed(t)
	populated(t, b)
	b.person("poor", idbridge.Profile{idbridge.DisplayName: {"Poor"}, idbridge.GivenName: {" "}}, idbridge.APIKeyGeneration)
	long := strings.Repeat("a", 70<<10)
	for _, c := range []struct {
		name, as, method, path, body, kind string
		status                             int
	}{
		{"unknown-path", "root", "GET", "/nothing", "", "", 404},
		{"unknown-path-xml", "", "GET", "/nothing?fmt=xml", "", "", 404},
		{"method", "root", "PUT", "/user/bob", "", "", 405},
		{"method-key", "root", "POST", "/user/bob/apikey?create=true", "", "", 405},
		{"options", "root", "OPTIONS", "/user/add", "", "", 405},
		{"nobody", "", "GET", "/users", "", "", 401},
		{"nobody-xml", "", "GET", "/users?fmt=xml", "", "", 401},
		{"fmt", "root", "GET", "/users?fmt=yaml", "", "", 400},
		{"other", "bob", "GET", "/user/root", "", "", 403},
		{"other-unknown", "bob", "GET", "/user/nobody-at-all", "", "", 403},
		{"list", "bob", "GET", "/users", "", "", 403},
		{"create-maybe", "root", "GET", "/user/bob/apikey?create=maybe", "", "", 400},
		{"profile", "poor", "GET", "/user/poor/apikey?create=true", "", "", 409},
		{"owned", "root", "POST", "/user/update", update("<name>bob</name><fullName>Other</fullName>"), asXML, 409},
		{"last-superuser", "root", "POST", "/user/update", update("<name>root</name><superuser>false</superuser>"), asXML, 409},
		{"last-superuser-deleted", "root", "DELETE", "/user/root", "", "", 409},
		{"media-type", "root", "POST", "/user/add", "name=x", "application/x-www-form-urlencoded", 415},
		{"too-large", "root", "POST", "/user/add", `{"user":{"name":"` + long + `"}}`, asJSON, 413},
		{"doctype", "root", "POST", "/user/add?fmt=xml", `<!DOCTYPE x [<!ENTITY a "b">]><addUser_request/>`, asXML, 400},
		{"json", "root", "POST", "/user/add", `{"user":{"name":"a","NAME":"b"}}`, asJSON, 400},
		{"long-name", "root", "POST", "/user/add", `{"user":{"name":"` + strings.Repeat("n", 41) + `"}}`, asJSON, 400},
		{"role", "root", "POST", "/user/add", `{"user":{"name":"a","roles":[{"name":"NONE"}]}}`, asJSON, 400},
		{"organization", "root", "POST", "/user/add", `{"user":{"name":"a","roles":[{"name":"QUALITY_MANAGER","organization":{"name":"NONE"}}]}}`, asJSON, 400},
		{"superuser", "root", "POST", "/user/add", `{"user":{"name":"a","superuser":"maybe"}}`, asJSON, 400},
		{"password", "root", "POST", "/user/update", update("<name>eve</name><password/>"), asXML, 400},
		{"delete-variable", "root", "DELETE", "/user/eve?apikeys", "", "", 400},
	} {
		headers := []string{}
		if c.kind != "" {
			headers = append(headers, "Content-Type", c.kind)
		}
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			if c.as == "" {
				b.do(c.method, base+c.path, c.body, headers...).want(c.status).golden("error-" + c.name)
				return
			}
			name := c.as
			if name == "bob" {
				name = "Bob"
			}
			b.as(name, c.method, base+c.path, c.body, headers...).want(c.status).golden("error-" + c.name)
		})
	}
	b.t = t
	if b.exists("a") || !b.exists("eve") || !b.exists("root") {
		t.Error("an error did something")
	}
	b.as("root", "GET", base+"/users", "", "Accept", "text/html").want(http.StatusNotAcceptable).golden("error-accept")
	b.as("root", "GET", base+"/user/bob/apikey?create=true", "", "Sec-Fetch-Site", "cross-site").want(403).golden("error-cross-site")
	b.as("root", "GET", base+"/user/bob/apikey?create=true", "", "Sec-Purpose", "prefetch;anonymous-client-ip").want(400).golden("error-prefetch")
	b.do("GET", base+"/user/bob", "", "Cookie", "idbridge_rest=x; idbridge_console=x", "X-API-KEY", b.keys["root"].Native()).want(401).golden("error-cookie-only")
	b.as("root", "HEAD", base+"/user/bob/apikey?create=true", "").want(405).golden("error-head-key")
	if b.key("bob").ID != b.keys["Bob"].ID() {
		t.Error("a refused request made a key")
	}
}
