package configs

import _ "embed"

//go:embed example.yaml
var example string

// Example returns a commented file with every key; it loads without a fault. Keys that exclude others, or name files, are
// commented out.
func Example() string { return example }
