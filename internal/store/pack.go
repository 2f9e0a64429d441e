package store

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	deflate "github.com/klauspost/compress/flate"

	"assay/evidence"
)

const (
	// maxUnpacked bounds what a stored body may grow to: nothing written here is larger.
	maxUnpacked = 64 << 20
	// short is what is not compressed: the tables of the compressor cost more
	// time than they save room.
	short = 1024
	// The first byte of a packed body.
	plain, deflated = 0, 1
)

// inflaters are readers to be used again: their window is much larger than a body.
var inflaters sync.Pool

var errDamaged = errors.New("it is damaged")

// Pack compresses a body, unless it is short. The bodies are a few kilobytes: what
// builds its tables anew for each is twice as fast here as the standard library's
// writer, whose form (RFC 1951) it writes, and keeps nothing between two.
func Pack(raw []byte) []byte {
	if len(raw) < short {
		return append([]byte{plain}, raw...)
	}
	out := bytes.NewBuffer(make([]byte, 0, len(raw)*2/3))
	out.WriteByte(deflated)
	// Writing to memory does not fail.
	_ = deflate.StatelessDeflate(out, raw, true, nil)
	return out.Bytes()
}

// Unpack is the inverse of [Pack]. It reads at most 64 MiB.
func Unpack(packed []byte) ([]byte, error) {
	switch {
	case len(packed) == 0:
		return nil, fmt.Errorf("%w: it is empty", errDamaged)
	case packed[0] == plain:
		return bytes.Clone(packed[1:]), nil
	case packed[0] != deflated:
		return nil, fmt.Errorf("%w: it is in form %d, which this program does not know", errDamaged, packed[0])
	}
	r, _ := inflaters.Get().(io.ReadCloser)
	from := bytes.NewReader(packed[1:])
	if again, ok := r.(flate.Resetter); !ok {
		r = flate.NewReader(from)
	} else if err := again.Reset(from, nil); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	defer inflaters.Put(r)
	raw, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if len(raw) > maxUnpacked {
		return nil, fmt.Errorf("%w: too large", errDamaged)
	}
	return raw, nil
}

// A PackedReview is a review in the form in which it is kept. Packing takes
// longer than writing and needs no database: it is done before the unit, which
// others wait for.
type PackedReview struct {
	ReviewRow
	Report, Seen []byte
	// Fresh are the observations that the review before did not see; nil: none.
	Fresh []byte
}

// PackReview packs a review with the observations that it saw. had are the ids of
// those that are kept with the order already: most checks see what the one before saw.
func PackReview(r *Review, seen []evidence.Observation, had []string) (*PackedReview, error) {
	ids, err := json.Marshal(r.Seen)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(had)+len(seen))
	for _, id := range had {
		known[id] = true
	}
	fresh := make([]*evidence.Observation, 0, len(seen))
	for i := range seen {
		if o := &seen[i]; !known[o.ID] {
			known[o.ID] = true
			fresh = append(fresh, o)
		}
	}
	p := &PackedReview{ReviewRow: r.ReviewRow, Report: Pack(r.Report), Seen: Pack(ids)}
	if len(fresh) > 0 {
		p.Fresh, err = PackObservations(fresh)
	}
	return p, err
}

// PackObservations packs observations together: one of them alone has little to
// compress.
func PackObservations(list []*evidence.Observation) ([]byte, error) {
	raw, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("packing observations: %w", err)
	}
	return Pack(raw), nil
}

// UnpackObservations reads what [PackObservations] wrote, or one observation alone,
// as earlier versions kept them.
func UnpackObservations(packed []byte) (list []evidence.Observation, err error) {
	raw, err := Unpack(packed)
	if err != nil {
		return nil, err
	}
	if len(raw) > 0 && raw[0] == '{' {
		list = make([]evidence.Observation, 1)
		return list, json.Unmarshal(raw, &list[0])
	}
	return list, json.Unmarshal(raw, &list)
}
