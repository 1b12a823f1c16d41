package httpapi_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/idbridge/idbridge"
	"github.com/idbridge/idbridge/httpapi"
)

// rule is an alert rule as Prometheus reads it.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func docs(name string) string { return filepath.Join("..", "docs", name) }

func rules(t *testing.T) []rule {
	t.Helper()
	raw, err := os.ReadFile(docs("alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	var out []rule
	for _, g := range file.Groups {
		out = append(out, g.Rules...)
	}
	if len(out) < 20 {
		t.Fatalf("%d rules", len(out))
	}
	return out
}

// exported gathers every metric, each with at least one series.
func exported(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewRegistry()
	h := &house{health: []idbridge.Health{{Colour: idbridge.Red, What: "corp", Name: "overdue"}}}
	b := h.movesInto(newBed(t, h.furnish, func(c *httpapi.Config) { c.Metrics = registry }))
	b.person("boss", idbridge.Admin)
	b.savePlan(heldHash, 1)
	b.end(idbridge.Run{ID: b.lead.Run, Kind: idbridge.FullRun, State: idbridge.RunHeld, Complete: true}, &idbridge.Source{Complete: time.Now()})
	b.do("GET", "/livez", "").want(200)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// series maps the names that an expression may use to their labels.
func series(families []*dto.MetricFamily) map[string][]string {
	out := map[string][]string{}
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		out[f.GetName()] = labels
		if f.GetType() == dto.MetricType_HISTOGRAM {
			for _, tail := range []string{"_count", "_sum", "_bucket"} {
				out[f.GetName()+tail] = labels
			}
		}
	}
	return out
}

var (
	selector = regexp.MustCompile(`(idbridge_[a-z_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`^([a-z_]+)(=|!=|=~|!~)"([^"]*)"$`)
	named    = regexp.MustCompile(`\$labels\.([a-z_]+)`)
)

// TestAlertRules holds that each rule asks for metrics and labels that are exported and says what to do, and that each
// finding that can be red has a rule of its own.
func TestAlertRules(t *testing.T) {
	known := series(exported(t))
	names := map[string]idbridge.Colour{}
	for _, n := range idbridge.HealthNames() {
		names[n.Name] = n.Worst
	}
	alerts, ruled := map[string]bool{}, map[string]string{}
	for _, r := range rules(t) {
		if alerts[r.Alert] || !strings.HasPrefix(r.Alert, "Idbridge") {
			t.Errorf("%s comes twice, or has a name that says nothing", r.Alert)
		}
		alerts[r.Alert] = true
		if strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") || strings.Count(r.Expr, "{") != strings.Count(r.Expr, "}") {
			t.Errorf("%s: %s", r.Alert, r.Expr)
		}
		severity := r.Labels["severity"]
		if !slices.Contains([]string{"critical", "warning", "info"}, severity) || r.Annotations["summary"] == "" || r.Annotations["action"] == "" || len(r.Annotations) != 2 {
			t.Errorf("%s: %v %v", r.Alert, r.Labels, r.Annotations)
		}
		found := selector.FindAllStringSubmatch(r.Expr, -1)
		if len(found) == 0 && r.Alert != "IdbridgeDown" {
			t.Errorf("%s is about nothing of ours: %s", r.Alert, r.Expr)
		}
		has := []string{"instance", "job"}
		for _, m := range found {
			labels, ok := known[m[1]]
			if !ok {
				t.Errorf("%s: %s is not exported", r.Alert, m[1])
			}
			has = append(has, labels...)
			for one := range strings.SplitSeq(m[2], ",") {
				if one == "" {
					continue
				}
				parts := matcher.FindStringSubmatch(one)
				if parts == nil || !slices.Contains(labels, parts[1]) {
					t.Errorf("%s: %s has no label like %s", r.Alert, m[1], one)
					continue
				}
				if m[1] == "idbridge_health" && parts[1] == "name" {
					for name := range strings.SplitSeq(parts[3], "|") {
						if _, ok := names[name]; !ok {
							t.Errorf("%s: no finding is called %s", r.Alert, name)
						}
					}
					if parts[2] == "=" {
						ruled[parts[3]] = severity + strings.TrimPrefix(r.Expr, m[0])
					} else if excluded := strings.Split(parts[3], "|"); parts[2] != "!~" || !sameSet(excluded, reds(names)) {
						t.Errorf("%s: what has a rule of its own is %v, not %v", r.Alert, reds(names), excluded)
					}
				}
			}
		}
		for _, text := range r.Annotations {
			for _, m := range named.FindAllStringSubmatch(text, -1) {
				if !slices.Contains(has, m[1]) {
					t.Errorf("%s: %q speaks of the label %s, which it does not have", r.Alert, text, m[1])
				}
			}
		}
	}
	for name, worst := range names {
		switch got := ruled[name]; {
		case worst == idbridge.Red && got != "critical == 2":
			t.Errorf("%s can be red and has no rule of its own: %q", name, got)
		case worst == idbridge.Yellow && !strings.HasSuffix(got, " >= 1"):
			t.Errorf("%s can be yellow and has no rule: %q", name, got)
		}
	}
}

func sameSet(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func reds(names map[string]idbridge.Colour) []string {
	var out []string
	for name, worst := range names {
		if worst == idbridge.Red {
			out = append(out, name)
		}
	}
	return out
}

// TestOperationsTables holds that the tables of docs/operations.md say what is exported and what can be found. With
// UPDATE_GOLDEN they are written anew.
func TestOperationsTables(t *testing.T) {
	var metrics, health strings.Builder
	metrics.WriteString("| metric | type | labels | what it says |\n|---|---|---|---|\n")
	families := exported(t)
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	labels := series(families)
	for _, f := range families {
		fmt.Fprintf(&metrics, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels[f.GetName()], ", "), f.GetHelp())
	}
	health.WriteString("| finding | at worst | means | alert |\n|---|---|---|---|\n")
	alert := map[string]string{}
	for _, r := range rules(t) {
		for _, m := range regexp.MustCompile(`idbridge_health\{name="([a-z]+)"\}`).FindAllStringSubmatch(r.Expr, -1) {
			alert[m[1]] = "`" + r.Alert + "`"
		}
	}
	for _, n := range idbridge.HealthNames() {
		fmt.Fprintf(&health, "| `%s` | %s | %s | %s |\n", n.Name, n.Worst, n.Means, alert[n.Name])
	}
	raw, err := os.ReadFile(docs("operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	tables := map[string]string{"metrics": metrics.String(), "health": health.String()}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		begin, end := "<!-- "+name+": kept by a test -->\n", "<!-- end of "+name+" -->"
		head, rest, ok := strings.Cut(page, begin)
		have, tail, whole := strings.Cut(rest, end)
		if !ok || !whole {
			t.Fatalf("operations.md has no place for the table of %s", name)
		}
		if have != tables[name] && os.Getenv("UPDATE_GOLDEN") == "" {
			t.Errorf("the table of %s is not up to date; UPDATE_GOLDEN=1 writes it:\n%s", name, tables[name])
		}
		page = head + begin + tables[name] + end + tail
	}
	if page != string(raw) && os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(docs("operations.md"), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
