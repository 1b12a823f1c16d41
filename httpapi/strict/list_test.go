package strict_test

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/idbridge/idbridge/httpapi/strict"
)

func TestElements(t *testing.T) {
	for text, want := range map[string][]string{
		`[]`: nil, ` [ ] `: nil, `[1]`: {"1"}, ` [ 1 , "a,b" ,{"c":[2,3]}, [ ] ] `: {"1", `"a,b"`, `{"c":[2,3]}`, "[ ]"},
	} {
		var got []string
		err := strict.Elements([]byte(text), func(v []byte) error {
			got = append(got, string(v))
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q %v", text, got, err)
		}
	}
	for _, text := range []string{``, `{}`, `[`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1 2]`, `[1]x`, `[{"a":1,"A":2}]`, "[\"\xff\"]", `[[`} {
		var fault *strict.Fault
		if err := strict.Elements([]byte(text), func([]byte) error { return nil }); !errors.As(err, &fault) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := strict.Elements([]byte(`[1,2]`), func([]byte) error { return io.EOF }); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
