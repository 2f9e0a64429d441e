package sqlstore

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxUnpacked bounds what a stored body may grow to: nothing written here is larger.
const maxUnpacked = 64 << 20

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic("flate refuses its own level: " + err.Error())
	}
	return w
}}

// pack compresses a body.
func pack(raw []byte) []byte {
	var out bytes.Buffer
	w, _ := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&out)
	// Writing to memory does not fail.
	_, _ = w.Write(raw)
	_ = w.Close()
	return out.Bytes()
}

func unpack(packed []byte) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if len(raw) > maxUnpacked {
		return nil, errors.New("it is damaged: too large")
	}
	return raw, nil
}
