package evidence

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// TestCanonical: the generated functions write what encoding/json does, whatever an
// observation holds.
func TestCanonical(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var o Observation
		fill(r, reflect.ValueOf(&o).Elem())
		want, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendObservation(nil, &o); string(got) != string(want) {
			t.Fatalf("go generate ./evidence\ngot  %s\nwant %s", got, want)
		}
	}
}

// texts are what encoding/json treats in different ways.
var texts = []string{
	"", "orchard.net", `"quoted" \ `, "<a href='x'>&amp;</a>", "ümläut 日本", "\u2028\u2029", "\x00\x1f\x7f\t\n", "\xff\xfe broken", "\U0001F512", "/+",
}

// fill puts anything into a value: each part is left empty now and then.
func fill(r *rand.Rand, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		at := []time.Time{{}, time.Unix(1764000000, 0).UTC(), time.Unix(1764000000, 123456000).UTC(), time.Unix(1764000000, 5).In(time.FixedZone("", 3600))}
		v.Set(reflect.ValueOf(at[r.IntN(len(at))]))
		return
	}
	if v.Kind() != reflect.Struct && r.IntN(4) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts[r.IntN(len(texts))])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(r.IntN(2_000_000) - 1_000_000))
	case reflect.Float64:
		v.SetFloat(float64(r.IntN(1_000_000)) / 1000)
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(256)))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.Slice:
		n := r.IntN(3)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key)
			fill(r, value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	}
}
