package wire

import "crypto/sha256"

// The tree of RFC 9162 2.1: leaves and nodes are hashed with different prefixes,
// and a tree that is not full is split at the largest power of two.

type hash = [sha256.Size]byte

func leafHash(data []byte) hash { return sha256.Sum256(append([]byte{0}, data...)) }

func nodeHash(left, right hash) hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// tree returns the root over leaves, of which there is at least one, and appends
// to each path the hashes beside it on the way up.
func tree(leaves []hash, paths [][]hash) hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	left, right := tree(leaves[:k], paths[:k]), tree(leaves[k:], paths[k:])
	for i := range paths {
		if i < k {
			paths[i] = append(paths[i], right)
		} else {
			paths[i] = append(paths[i], left)
		}
	}
	return nodeHash(left, right)
}

// climb returns the root that a leaf and its path lead to (RFC 9162 2.1.3.2).
// ok is false where a path of that length cannot belong to that leaf.
func climb(leaf hash, index, leaves int, path []hash) (root hash, ok bool) {
	if index < 0 || index >= leaves {
		return root, false
	}
	fn, sn, r := index, leaves-1, leaf
	for _, p := range path {
		if sn == 0 {
			return root, false
		}
		if fn&1 == 1 || fn == sn {
			r = nodeHash(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = nodeHash(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return r, sn == 0
}
