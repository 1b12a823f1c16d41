package idbridge

// AuditReport is what a check of the sealed audit found.
type AuditReport struct {
	Blocks   int      `json:"blocks"`   // that are there
	Rows     int      `json:"rows"`     // in them
	Unsealed int      `json:"unsealed"` // rows that wait for their block
	Erased   int      `json:"erased"`   // rows in blocks whose personal texts were erased; they are verified all the same
	Head     string   `json:"head"`     // NUMBER:DIGEST of the newest block; keep it elsewhere, it proves all before it. "" before the first block
	Anchor   string   `json:"anchor"`   // NUMBER:DIGEST of the last block that was pruned, "" for none
	Faults   []string `json:"faults"`   // plain sentences, at most 100; none when everything is as it was sealed
}
