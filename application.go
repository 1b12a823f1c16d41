package idbridge

// The types of databases that applications are in.
const (
	DatabaseAAD = "AAD"
	DatabaseADG = "ADG"
)

// Application is something that roles are granted on, as the dashboards show it.
type Application struct {
	Name        string `json:"name"`
	Href        string `json:"href"`
	DBType      string `json:"dbType"`                // AAD or ADG
	ADGDatabase string `json:"adgDatabase,omitempty"` // where it is known
	Snapshots   int    `json:"snapshots"`
	Latest      string `json:"latest,omitempty"` // date of the newest snapshot, YYYY-MM-DD
}
