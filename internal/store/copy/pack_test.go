package copy

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzUnpack: a row from outside is refused or reads back as it was written.
func FuzzUnpack(f *testing.F) {
	f.Add(pack(nil, []any{nil, int64(-1), "text", []byte{0, 255}, ""}))
	f.Add([]byte{2, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, row []byte) {
		values, ok := unpack(nil, row)
		if ok && !bytes.Equal(pack(nil, values), row) {
			t.Errorf("%q reads as %q", row, values)
		}
	})
}

func TestPack(t *testing.T) {
	t.Parallel()
	want := []any{nil, int64(7), "果园", []byte{}, []byte{0}, ""}
	got, ok := unpack(nil, pack(nil, want))
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, %v", got, ok)
	}
}
