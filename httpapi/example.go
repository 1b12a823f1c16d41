package httpapi

import (
	"embed"
	"encoding/json"
	"fmt"

	"github.com/danielgtaylor/huma/v2"
)

// exampleFiles are answers that the tests got, by operation.
//
//go:embed examples/*.json
var exampleFiles embed.FS

// addExamples shows in the document what operations answered in the tests, and fails for a file without an operation.
func addExamples(api huma.API) error {
	files, err := exampleFiles.ReadDir("examples")
	if err != nil {
		return fmt.Errorf("read examples: %w", err)
	}
	answers := map[string]any{}
	for _, f := range files {
		raw, err := exampleFiles.ReadFile("examples/" + f.Name())
		if err != nil {
			return fmt.Errorf("read examples: %w", err)
		}
		var body any
		if err := json.Unmarshal(raw, &body); err != nil {
			return fmt.Errorf("read example %s: %w", f.Name(), err)
		}
		answers[f.Name()] = body
	}
	for _, item := range api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			name := op.OperationID + ".json"
			body, ok := answers[name]
			for _, status := range []string{"200", "201", "202"} {
				if r := op.Responses[status]; ok && r != nil && r.Content["application/json"] != nil {
					r.Content["application/json"].Example = body
					delete(answers, name)
				}
			}
		}
	}
	for name := range answers {
		return fmt.Errorf("example %s belongs to no operation", name) //nolint:err113 // ours alone, at the start
	}
	return nil
}
