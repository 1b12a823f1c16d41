package configs

import _ "embed"

//go:embed example.yaml
var example string

// Example returns a commented file with every key. It loads without a fault once its bind password is there: in the
// environment as IDBRIDGE_CORP_PASSWORD, or in the file.
func Example() string { return example }
