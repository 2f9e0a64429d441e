package dnssec

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// A memory holds digests of signatures that a key verified, so that the same
// signature of the same data is not computed again: a registry's keys outlive a
// review, and what it says of its own apex is part of every review below it. It
// says nothing about time: whether a signature has expired is judged each time.
type memory struct {
	mu   sync.Mutex
	seen map[[sha256.Size]byte]struct{}
}

// maxMemory is how many digests a memory holds: 8 KB.
const maxMemory = 256

// digest stands for data with its signature.
func digest(data, sig []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(data)))
	h.Write(size[:])
	h.Write(data)
	h.Write(sig)
	h.Sum(sum[:0])
	return sum
}

func (m *memory) has(sum [sha256.Size]byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.seen[sum]
	return ok
}

// add remembers a digest, in place of any other where there are too many.
func (m *memory) add(sum [sha256.Size]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[[sha256.Size]byte]struct{}{}
	}
	if len(m.seen) >= maxMemory {
		for other := range m.seen {
			delete(m.seen, other)
			break
		}
	}
	m.seen[sum] = struct{}{}
}
