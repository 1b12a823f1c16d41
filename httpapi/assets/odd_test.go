package assets_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/authstore"
	"github.com/idbridge/idbridge/httpapi/assets"
	"github.com/idbridge/idbridge/httpapi/credential"
)

// raw sends octets as they stand and returns the status line: what net/http's client would not send.
func (b *bed) raw(request string) string {
	b.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		b.t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil {
		b.t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(all), "\r\n")
	return line
}

// TestKeyVariables walks every value of create and enable: what is not documented changes nothing.
func TestKeyVariables(t *testing.T) {
	b := newBed(t)
	populated(t, b)
	before := *b.key("bob")
	same := func(why string) {
		t.Helper()
		if now := b.key("bob"); now == nil || now.ID != before.ID || now.Enabled != before.Enabled || now.Version != before.Version {
			t.Fatalf("%s changed the key: %+v", why, now)
		}
	}
	for _, q := range []string{
		"create=false", "create=TRUE", "create=1", "create=", "create", "create=maybe", "create={true}", "create=true&create=true", "create=true&create=false",
		"enable=TRUE", "enable=1", "enable=", "enable", "enable=maybe", "enable=true&enable=true", "enable=true&enable=false", "create=maybe&enable=true", "create=true&enable=maybe",
		"create=true&fmt=yaml", "create=true&fmt=JSON", "create=true&fmt=json|xml", "create=true&fmt=../", "create=true&fmt=", "create=true&fmt=json&fmt=xml", "create=true&fmt=json;",
		"create=true&%zz", "create=%74rue%", "create=true&fmt=json%7Cxml", "create=true&fmt=xml;pretty;pretty", strings.Repeat("a&", 100) + "create=true",
	} {
		if a := b.as("root", "GET", base+"/user/bob/apikey?"+q, ""); a.status != 400 {
			t.Errorf("%s: %d %s", q, a.status, a.body)
		}
		same(q)
	}
	for _, q := range []string{"Create=true", "x=1", "", "query.create=true", "createx=true"} {
		b.as("root", "GET", base+"/user/bob/apikey?"+q, "").want(200)
		same(q)
	}
	for _, method := range []string{"HEAD", "OPTIONS", "POST", "PUT", "PATCH"} {
		b.as("root", method, base+"/user/bob/apikey?create=true", "").want(405)
		same(method)
	}
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "Same-Site"}} {
		b.as("root", "GET", base+"/user/bob/apikey?enable=false", "", header[0], header[1]).want(403)
		same(header[1])
	}
	for _, header := range [][2]string{{"Sec-Purpose", "prefetch"}, {"Purpose", "prefetch"}, {"Sec-Purpose", "prefetch;prerender"}} {
		b.as("root", "GET", base+"/user/bob/apikey?enable=false", "", header[0], header[1]).want(400)
		same(header[0])
	}
	b.as("root", "GET", base+"/user/bob/apikey?enable=true", "", "Sec-Fetch-Site", "none").want(200)
	same("an enabled key enabled")
	b.as("root", "GET", base+"/user/bob/apikey", "", "Sec-Fetch-Site", "cross-site").want(200)

	b.as("root", "GET", base+"/user/bob/apikey?create=true&enable=false", "").want(200).golden("create-disabled")
	if k := b.key("bob"); k.Enabled || k.ID == before.ID {
		t.Errorf("%+v", k)
	}
	b.as("root", "GET", base+"/user/bob/apikey?create=true&fmt=json;pretty", "").want(200).golden("create-json-pretty")
	if k := b.key("bob"); !k.Enabled {
		t.Errorf("%+v", k)
	}
}

func TestStrictReading(t *testing.T) {
	b := newBed(t, func(c *assets.Config) { c.NewKeyDisabled = true })
	populated(t, b)
	b.as("root", "GET", base+"/user/bob/apikey?create=true", "").want(200).golden("create-strict")
	b.as("root", "GET", base+"/user/bob/apikey?enable=true", "").want(200)
	if !b.key("bob").Enabled {
		t.Error("not enabled")
	}
	b.as("root", "GET", base+"/user/bob/apikey?create=true&enable=true", "").want(200)
	if !b.key("bob").Enabled {
		t.Error("not enabled at once")
	}
}

func TestDeletesKeyNotUser(t *testing.T) {
	b := newBed(t)
	populated(t, b)
	for _, q := range []string{"?apikey", "?apikey=", "?apikey=true", "?APIKEY", "?fmt=xml&apikey", "?apikey&apikey"} {
		b.newKey("Bob")
		b.as("root", "DELETE", base+"/user/bob"+q, "").want(204)
		if !b.exists("bob") || b.key("bob") != nil {
			t.Fatalf("%s: bob must live, without a key", q)
		}
		b.as("root", "DELETE", base+"/user/bob"+q, "").want(404)
	}
	for _, q := range []string{"?api-key", "?key", "?fmt=yaml", "?apikey%", "?x"} {
		b.as("root", "DELETE", base+"/user/bob"+q, "").want(400)
		if !b.exists("bob") {
			t.Fatalf("%s deleted bob", q)
		}
	}
}

func TestNames(t *testing.T) {
	b := newBed(t)
	populated(t, b)
	add := func(name string) *answer {
		t.Helper()
		body, err := json.Marshal(map[string]any{"user": map[string]any{"name": name}})
		if err != nil {
			t.Fatal(err)
		}
		return b.as("root", "POST", base+"/user/add", string(body), "Content-Type", asJSON)
	}
	for name, path := range map[string]string{
		"add": "add", "update": "update", `CORP\bob`: "CORP%5Cbob", strings.Repeat("n", 40): strings.Repeat("n", 40), "юзер": "%D1%8E%D0%B7%D0%B5%D1%80",
		"אבג": "%D7%90%D7%91%D7%92", "a+b@c": "a+b@c", "…": "", "a%2Fb": "a%252Fb", "...": "...",
	} {
		if path == "" {
			continue
		}
		a := add(name).want(201)
		if want := base + "/user/" + path; a.header.Get("Location") != want {
			t.Errorf("%s lies at %s, want %s", name, a.header.Get("Location"), want)
		}
		if got := b.as("root", "GET", base+"/user/"+path, "").want(200).body; !strings.Contains(got, `"fullName":""`) {
			t.Error(got)
		}
		b.as("root", "DELETE", base+"/user/"+path, "").want(204)
	}
	for _, name := range []string{
		"", " ", "a b", "a/b", ".", "..", strings.Repeat("n", 41), "\x00", "a\nb", "a\x1bb", "\u0085", "\ufffe", "😀", "a\u202eb", "\u200b", "bob", "BOB",
	} {
		want := 400
		if strings.EqualFold(name, "bob") {
			want = 409
		}
		if a := add(name); a.status != want {
			t.Errorf("%q: %d %s", name, a.status, a.body)
		}
	}
	for path, want := range map[string]int{
		"a%2Fb": 400, "%00": 404, "a%0Ab": 400, "%C2%85": 400, "%EF%BF%BE": 400, "%ff": 400, strings.Repeat("n", 41): 400, "nobody": 404, "%2e%2e": 404, "😀": 404,
		"..%2F..%2Fx": 404, "bob/": 404, "bob/apikey/": 404, "bob/x": 404, "": 404,
	} {
		if a := b.as("root", "GET", base+"/user/"+path, ""); a.status != want && (want != 404 || a.status != 400) {
			t.Errorf("%s: %d %s, want %d", path, a.status, a.body, want)
		}
	}
	for _, path := range []string{"/user/../users", "//users", "/user/%zz"} {
		if got := b.raw("GET " + base + path + " HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer " + b.keys["root"].Native() + "\r\n\r\n"); strings.Contains(got, " 200 ") {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestFormats(t *testing.T) {
	b := newBed(t)
	populated(t, b)
	for _, c := range []struct{ q, accept, want string }{
		{"", "", asJSON}, {"", "*/*", asJSON}, {"", "application/*", asJSON}, {"", "text/*", "text/xml; charset=utf-8"}, {"", "application/xml", "application/xml; charset=utf-8"},
		{"", "text/xml", "text/xml; charset=utf-8"}, {"", "application/xml;q=0.5, application/json;q=0.4", "application/xml; charset=utf-8"},
		{"", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/xml; charset=utf-8"}, {"", "application/json, application/xml", asJSON},
		{"", "application/json;q=0, */*", "application/xml; charset=utf-8"}, {"", "text/html", "406"}, {"", "application/json;q=0", "406"}, {"", "*/*;q=x", "406"}, {"", "nonsense", "406"},
		{"?fmt=xml", "application/json", "application/xml; charset=utf-8"}, {"?fmt=json", "application/xml", asJSON}, {"?fmt=json", "text/html", asJSON},
		{"?fmt=json;pretty", "", asJSON}, {"?fmt=%78ml;pretty", "", "application/xml; charset=utf-8"}, {"?fmt=JSON", "", "400"}, {"?fmt=yaml", "application/xml", "400"}, {"?fmt", "", "400"},
	} {
		var headers []string
		if c.accept != "" {
			headers = []string{"Accept", c.accept}
		}
		a := b.as("root", "GET", base+"/user/bob"+c.q, "", headers...)
		got := a.header.Get("Content-Type")
		if a.status != 200 {
			got = fmt.Sprint(a.status)
		}
		if got != c.want {
			t.Errorf("%s with Accept %q: %s, want %s", c.q, c.accept, got, c.want)
		}
	}
}

// TestEqualData holds that both formats carry the same.
func TestEqualData(t *testing.T) {
	b := newBed(t)
	populated(t, b)
	b.local("odd", idbridge.Profile{idbridge.DisplayName: {`<O'dd> & "Co" é`}})
	type user struct {
		ID        int    `json:"id"        xml:"id"`
		Name      string `json:"name"      xml:"name"`
		FullName  string `json:"fullName"  xml:"fullName"`
		Superuser bool   `json:"superuser" xml:"superuser"`
	}
	var fromJSON []user
	if err := json.Unmarshal([]byte(b.as("root", "GET", base+"/users?fmt=json;pretty", "").want(200).body), &fromJSON); err != nil {
		t.Fatal(err)
	}
	var fromXML struct {
		Users []user `xml:"user"`
	}
	if err := xml.Unmarshal([]byte(b.as("root", "GET", base+"/users?fmt=xml;pretty", "").want(200).body), &fromXML); err != nil {
		t.Fatal(err)
	}
	if len(fromJSON) != 4 || !slices.Equal(fromJSON, fromXML.Users) || fromJSON[3].FullName != `<O'dd> & "Co" é` {
		t.Errorf("%+v\n%+v", fromJSON, fromXML)
	}
}

func TestPaging(t *testing.T) {
	b := newBed(t)
	populated(t, b)
	for i := range 1100 {
		_, err := b.store.AddUser(context.Background(), idbridge.NewUser{Profile: idbridge.Profile{idbridge.UserName: {fmt.Sprintf("u%04d", i)}}, By: "test"})
		if err != nil {
			t.Fatal(err)
		}
	}
	ids := func(q string) []int {
		t.Helper()
		var list []struct{ ID int }
		if err := json.Unmarshal([]byte(b.as("root", "GET", base+"/users?"+q, "").want(200).body), &list); err != nil {
			t.Fatal(err)
		}
		out := make([]int, 0, len(list))
		for _, u := range list {
			out = append(out, u.ID)
		}
		return out
	}
	all := ids("")
	if len(all) != 1103 || !slices.IsSorted(all) {
		t.Fatalf("%d users", len(all))
	}
	for q, want := range map[string][]int{
		"query.pagesize=500": all[:500], "query.pagesize=500&query.page=0": all[:500], "query.pagesize=500&query.page=1": all[500:1000], "query.pagesize=500&query.page=2": all[1000:],
		"query.pagesize=7&query.page=71": all[497:504], "query.pagesize=3&query.offset=499": all[499:502], "query.pagesize=1&query.offset=1102": all[1102:],
		"query.pagesize=1&query.offset=1103": {}, "query.pagesize=500&query.page=2147483647": {}, "query.pagesize=500&query.offset=0": all[:500],
	} {
		if got := ids(q); !slices.Equal(got, want) {
			t.Errorf("%s: %d users, want %d", q, len(got), len(want))
		}
	}
	if got := b.as("root", "GET", base+"/users?fmt=xml&query.pagesize=1&query.offset=5000", "").want(200).body; !strings.HasSuffix(got, "<users></users>\n") {
		t.Error(got)
	}
	b.as("root", "GET", base+"/users?fmt=json;pretty&query.pagesize=1&query.offset=5000", "").want(200).golden("users-empty-pretty")
	for _, q := range []string{
		"query.pagesize=0", "query.pagesize=501", "query.pagesize=x", "query.pagesize=-1", "query.pagesize=", "query.page=1", "query.offset=1", "query.pagesize=1&query.page=1&query.offset=1",
		"query.pagesize=1&query.page=-1", "query.pagesize=1&query.offset=1.5", "query.pagesize=1&query.pagesize=1", "query.pagesize=1&query.offset=99999999999999999999", "query.pagesize=+1",
	} {
		b.as("root", "GET", base+"/users?"+q, "").want(400)
	}
	if a := b.as("root", "HEAD", base+"/users", ""); a.status != 200 || a.body != "" {
		t.Errorf("%d %q", a.status, a.body)
	}
}

func TestWho(t *testing.T) {
	b := newBed(t)
	populated(t, b)
	b.local("admin2", full("Admin"), idbridge.Admin)
	xmlType := []string{"Content-Type", asXML}
	// himself
	b.as("eve", "GET", base+"/user/EVE", "").want(200)
	b.as("eve", "GET", base+"/user/eve/apikey", "").want(200).golden("key-json")
	b.as("eve", "POST", base+"/user/update", update("<name>eve</name><fullName>E</fullName><password>neu</password>"), xmlType...).want(200)
	b.as("eve", "DELETE", base+"/user/eve", "").want(403)
	b.as("Bob", "GET", base+"/user/bob/apikey?create=true", "").want(403) // no permission to make keys
	b.as("Bob", "GET", base+"/user/bob/apikey?enable=true", "").want(200)
	b.as("Bob", "POST", base+"/user/update", update("<name>bob</name><password>x</password>"), xmlType...).want(409)
	b.as("eve", "POST", base+"/user/update", update("<name>eve</name><superuser>false</superuser>"), xmlType...).want(403)
	b.as("eve", "POST", base+"/user/update", update("<name>eve</name><roles/>"), xmlType...).want(403)
	b.as("eve", "POST", base+"/user/add", addXML, xmlType...).want(403)
	// another, who exists or not
	for _, name := range []string{"bob", "nobody"} {
		for _, c := range [][2]string{{"GET", ""}, {"DELETE", ""}, {"GET", "/apikey"}, {"GET", "/apikey?create=true"}, {"GET", "/apikey?enable=true"}, {"DELETE", "/apikey"}, {"DELETE", "?apikey"}} {
			b.as("eve", c[0], base+"/user/"+name+c[1], "").want(403)
		}
		b.as("eve", "POST", base+"/user/update", update("<name>"+name+"</name><fullName>x</fullName>"), xmlType...).want(403)
	}
	made := b.as("eve", "GET", base+"/user/eve/apikey?create=true", "").want(200)
	b.as("eve", "GET", base+"/user/eve", "").want(401)
	if !strings.Contains(made.body, `"enabled":true`) {
		t.Error(made.body)
	}
	// a key with fewer scopes is no superuser, and what it makes has no more than it
	b.newKey("admin2", "users.read")
	b.as("admin2", "GET", base+"/users", "").want(200)
	b.as("admin2", "DELETE", base+"/user/bob", "").want(403)
	b.as("admin2", "GET", base+"/user/bob/apikey?create=true", "").want(403)
	b.as("admin2", "GET", base+"/user/admin2/apikey?create=true", "").want(403)
	b.as("admin2", "GET", base+"/user/admin2/apikey?enable=false", "").want(403)
	b.as("admin2", "POST", base+"/user/update", update("<name>admin2</name><password>x</password>"), xmlType...).want(403)
	b.newKey("admin2", "keys.admin")
	b.as("admin2", "GET", base+"/user/bob/apikey?create=true", "").want(200)
	if k := b.key("bob"); !slices.Equal(k.Scopes, []string{"keys.admin"}) {
		t.Errorf("%v", k.Scopes)
	}
	// suspended: refused with everything
	if err := b.store.SetSuspended(context.Background(), b.ids["admin2"], true, "test", ""); err != nil {
		t.Fatal(err)
	}
	b.as("admin2", "GET", base+"/users", "").want(401)
	rows, err := b.store.Audit(context.Background(), idbridge.AuditFilter{Limit: 1})
	if err != nil || len(rows) != 1 || rows[0].Result != "refused" || !strings.Contains(rows[0].Reason, "suspended") || rows[0].Target != "assets" {
		t.Errorf("%+v %v", rows, err)
	}
}

func TestRoles(t *testing.T) {
	b := newBed(t)
	populated(t, b)
	set := func(roles string) {
		t.Helper()
		b.as("root", "POST", base+"/user/update", update("<name>bob</name>"+roles), "Content-Type", asXML).want(200)
	}
	held := func() string {
		t.Helper()
		all, err := b.store.Grants(context.Background(), b.ids["Bob"])
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, g := range all {
			out = append(out, string(g.Role)+"/"+g.Application)
		}
		return strings.Join(out, " ")
	}
	const one, two = `<role><name>SUPER_CONSUMER</name></role>`, `<role><name>QUALITY_MANAGER</name><organization><name>Dream Team</name></organization></role>`
	set("<roles>" + one + two + one + "</roles><superuser>TRUE</superuser>")
	if got := held(); got != "ADMIN/ QUALITY_MANAGER/Dream Team SUPER_CONSUMER/" {
		t.Error(got)
	}
	set("<roles>" + two + "</roles>")
	if got := held(); got != "ADMIN/ QUALITY_MANAGER/Dream Team" {
		t.Error(got)
	}
	set("")
	set("<fullName>Bob B.</fullName>") // as it is: nothing that the directory owns is changed
	if got := held(); got != "ADMIN/ QUALITY_MANAGER/Dream Team" {
		t.Error(got)
	}
	set("<roles/><superuser>{0}</superuser>")
	if got := held(); got != "" {
		t.Error(got)
	}
	for _, bad := range []string{
		"<roles><role/></roles>", "<roles><role><name>ADMIN</name></role></roles>", "<roles>x</roles>", "<roles><rule/></roles>", "<roles/><roles/>", "<superuser/>", "<superuser>{true</superuser>",
		"<superuser>true}</superuser>", "<superuser>{{true}}</superuser>", "<superuser>yes</superuser>", "<superuser><a/></superuser>", "<name>bob</name>", "<fullName>" + strings.Repeat("x", 41) + "</fullName>",
		"<roles><role><name>SUPER_CONSUMER</name><organization/></role></roles>", "<password/>", "<fullName>a<!-- b -->c</fullName>", "<password>" + strings.Repeat("x", 513) + "</password>",
	} {
		if a := b.as("root", "POST", base+"/user/update", update("<name>bob</name>"+bad), "Content-Type", asXML); a.status != 400 {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
	for _, good := range []string{"<superuser>{True}</superuser>", "<superuser> 1 </superuser>", "<superuser>{false}</superuser>", "<fullName><![CDATA[Bob B.]]></fullName>", "<unknown><a/></unknown>"} {
		set(good)
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/xml; charset=utf-16", "application/json; charset=latin1", "multipart/form-data", "application/"} {
		b.as("root", "POST", base+"/user/update", update("<name>bob</name>"), "Content-Type", kind).want(415)
	}
	b.as("root", "POST", base+"/user/add", update("<name>zoe</name>"), "Content-Type", asXML).want(400) // the other root
	for _, body := range []string{`{}`, `[]`, `{"user":null}`, `{"user":{}}`, `{"user":{"name":1}}`, `{"user":{"name":"bob","roles":{}}}`, `{"user":{"name":"bob","roles":[{}]}}`, `{"user":{"name":"bob","superuser":2}}`, `{"user":{"name":"bob"}} x`} {
		b.as("root", "POST", base+"/user/update", body, "Content-Type", asJSON).want(400)
	}
	for _, body := range []string{`{"user":{"name":"bob","superuser":null,"roles":null,"password":null}}`, `{"user":{"name":"bob","superuser":"{false}"}}`, `{"user":{"name":"bob","superuser":0}}`} {
		b.as("root", "POST", base+"/user/update", body, "Content-Type", asJSON).want(200)
	}
}

// TestNobodyLeft holds that an add that fails half-way leaves nobody behind.
func TestNobodyLeft(t *testing.T) {
	var broken broken
	b := newBed(t, func(c *assets.Config) { broken.Store = c.Store; c.Store = &broken })
	populated(t, b)
	broken.on = true
	b.as("root", "POST", base+"/user/add", addXML, "Content-Type", asXML).want(503).golden("error-unavailable")
	if b.exists("carol") {
		t.Error("carol is there, without password and roles")
	}
}

// broken is a store that keeps no password.
type broken struct {
	assets.Store

	on     bool
	fault  error
	panics bool
}

func (s *broken) UserByName(ctx context.Context, name string) (idbridge.User, error) {
	if s.panics {
		panic("on purpose")
	}
	if s.fault != nil {
		return idbridge.User{}, s.fault
	}
	return s.Store.UserByName(ctx, name)
}

func (s *broken) SetPassword(ctx context.Context, id idbridge.UserID, phc idbridge.Secret, by string) error {
	if s.on {
		return &idbridge.Error{Kind: idbridge.Unavailable, Msg: "no disk"}
	}
	return s.Store.SetPassword(ctx, id, phc, by)
}

func (s *broken) SetKeyEnabled(ctx context.Context, id idbridge.KeyID, on bool, by string) error {
	if s.on {
		return &idbridge.Error{Kind: idbridge.Unavailable, Msg: "no disk"}
	}
	return s.Store.SetKeyEnabled(ctx, id, on, by)
}

// TestTrouble holds the shapes of what is our own fault, and of an address that has to wait.
func TestTrouble(t *testing.T) {
	var broken broken
	b := newBed(t, func(c *assets.Config) { broken.Store = c.Store; c.Store = &broken })
	populated(t, b)
	broken.fault = io.ErrUnexpectedEOF
	b.as("root", "GET", base+"/user/bob", "").want(500).golden("error-internal")
	b.as("root", "GET", base+"/user/bob?fmt=xml", "").want(500).golden("error-internal-xml")
	broken.fault = nil
	broken.panics = true
	b.as("root", "GET", base+"/user/bob?fmt=xml", "").want(500).golden("error-internal-xml")
	broken.panics = false

	b = newBed(t, func(c *assets.Config) {
		c.Resolver = credential.New(credential.Config{Store: c.Store.(*authstore.Store)})
	})
	populated(t, b)
	for range 100 {
		a := b.do("GET", base+"/users", "", "Authorization", "Bearer x")
		if a.status == 401 {
			continue
		}
		if a.want(429).header.Get("Retry-After") == "" {
			t.Error("for how long?")
		}
		a.header.Del("Retry-After") // in seconds, which pass
		a.golden("error-rate-limited")
		b.as("root", "GET", base+"/users", "").want(200) // a good key is always let in
		return
	}
	t.Error("nobody has to wait")
}

// TestNotDisabled holds that a key that could not be made disabled is nobody's.
func TestNotDisabled(t *testing.T) {
	var broken broken
	b := newBed(t, func(c *assets.Config) { broken.Store = c.Store; c.Store = &broken })
	populated(t, b)
	broken.on = true
	b.as("root", "GET", base+"/user/bob/apikey?create=true&enable=false", "").want(503)
	if b.key("bob") != nil {
		t.Error("a key is left that was answered to nobody")
	}
}

func TestNew(t *testing.T) {
	if _, err := assets.New(assets.Config{}); err == nil || idbridge.KindOf(err) != idbridge.Invalid {
		t.Errorf("%v", err)
	}
	b := newBed(t, func(c *assets.Config) { c.Random = io.MultiReader(rand.Reader); c.Log = nil })
	populated(t, b)
	b.as("root", "GET", base+"/user/bob/apikey?create=true", "").want(http.StatusOK)
}
