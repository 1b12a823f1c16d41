package engine

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/idbridge/idbridge"
)

// fill sets every exported field to something drawn, by reflection, so that a field that is added to the dictionary and
// forgotten in the codec fails here.
func fill(rt *rapid.T, v reflect.Value, depth int) {
	switch v.Interface().(type) {
	case time.Time:
		if rapid.Bool().Draw(rt, "time") {
			v.Set(reflect.ValueOf(time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(rt, "s"), rapid.Int64Range(0, 999_999_999).Draw(rt, "ns")).UTC()))
		}
		return
	case idbridge.Profile:
		v.Set(reflect.ValueOf(drawProfile(rt)))
		return
	case idbridge.Values:
		v.Set(reflect.ValueOf(drawValues(rt)))
		return
	case idbridge.Digest:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rapid.Byte().Draw(rt, "b")))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rt, v.Field(i), depth+1)
		}
	case reflect.String:
		v.SetString(string(rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(rt, "text")))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(rt, "n"))
	case reflect.Uint8:
		v.SetUint(uint64(rapid.Byte().Draw(rt, "n")))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(rt, "is"))
	case reflect.Pointer:
		if rapid.Bool().Draw(rt, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rt, v.Elem(), depth+1)
		}
	case reflect.Slice:
		if n := rapid.IntRange(0, 2).Draw(rt, "len"); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(rt, v.Index(i), depth+1)
			}
		}
	default:
		panic(fmt.Sprintf("a kind that the codec does not know: %s", v.Type()))
	}
}

func drawProfile(rt *rapid.T) idbridge.Profile {
	n := rapid.IntRange(-1, 2).Draw(rt, "attributes")
	if n < 0 {
		return nil
	}
	out := idbridge.Profile{}
	for i := range n {
		out[idbridge.Attribute("a"+strconv.Itoa(i))] = drawValues(rt)
	}
	return out
}

// drawValues tells nil from empty: absent is not empty.
func drawValues(rt *rapid.T) idbridge.Values {
	n := rapid.IntRange(-1, 2).Draw(rt, "values")
	if n < 0 {
		return nil
	}
	out := idbridge.Values{}
	for range n {
		out = append(out, string(rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(rt, "value")))
	}
	return out
}

func TestCodecReturnsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var d idbridge.Decision
		fill(rt, reflect.ValueOf(&d).Elem(), 0)
		got, err := readDecision(&reader{b: appendDecision(nil, &d)})
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(d, got); diff != "" {
			rt.Fatalf("decision (-written +read):\n%s", diff)
		}
		var s staged
		fill(rt, reflect.ValueOf(&s).Elem(), 0)
		back, err := readStaged(&reader{b: appendStaged(nil, &s)})
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(s, back); diff != "" {
			rt.Fatalf("staged (-written +read):\n%s", diff)
		}
		var m idbridge.Members
		fill(rt, reflect.ValueOf(&m).Elem(), 0)
		whole, digest, err := readMembers(&reader{b: appendMembers(nil, &m, s.Digest)})
		if err != nil || digest != s.Digest {
			rt.Fatal(err, digest)
		}
		if diff := cmp.Diff(m, whole); diff != "" {
			rt.Fatalf("members (-written +read):\n%s", diff)
		}
	})
}

// FuzzDecision reads broken frames: an error, never a panic and never much memory; and what can be read is written again.
func FuzzDecision(f *testing.F) {
	f.Add(appendDecision(nil, &idbridge.Decision{}))
	f.Add(appendDecision(nil, &idbridge.Decision{
		ID: idbridge.ExternalID{Directory: "corp", ID: "x"}, Steps: []idbridge.Step{{After: idbridge.Profile{"a": {"b"}}}},
		Proof: &idbridge.Proof{Canary: []idbridge.Attribute{"mail"}}, Group: &idbridge.GroupSeen{Name: "g"},
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := readDecision(&reader{b: bytes.Clone(b)})
		if err != nil {
			return
		}
		again, err := readDecision(&reader{b: appendDecision(nil, &d)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, again); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}

func FuzzStaged(f *testing.F) {
	f.Add(appendStaged(nil, &staged{Record: idbridge.Record{Profile: idbridge.Profile{"a": {"b", "c"}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := readStaged(&reader{b: bytes.Clone(b)})
		if err != nil {
			return
		}
		again, err := readStaged(&reader{b: appendStaged(nil, &s)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}

func TestSpool(t *testing.T) {
	for _, limit := range []int{0, 100, 1 << 20} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			s := spool{dir: t.TempDir(), limit: limit}
			defer s.close()
			var want []string
			for i := range 500 {
				frame := bytes.Repeat([]byte{byte(i)}, i%97)
				want = append(want, string(frame))
				if err := s.append(frame); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // it can be read twice
				var got []string
				for frame, err := range s.frames() {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, string(frame))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatal(diff)
				}
			}
			for range s.frames() {
				break // leaving early is no trouble
			}
		})
	}
}

func TestSpoolLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	s := spool{dir: dir}
	if err := s.append([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if names := filesIn(t, dir); len(names) != 0 {
		t.Errorf("while it is used the folder shows %v", names)
	}
	s.close()
	missing := spool{dir: dir + "/missing"}
	if err := missing.append([]byte("x")); err == nil {
		t.Error("a folder that is not there gave no error")
	}
}
