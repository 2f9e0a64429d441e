package lab

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// MaxPlaces is how many perspectives a world can have.
const MaxPlaces = 32

// sourceBase is the last octet of the loopback address that P0 dials from: Pi
// dials from 127.0.0.(10+i), and servers tell places apart by that.
const sourceBase = 10

// Source is the loopback address from which perspective i dials.
func Source(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, byte(sourceBase + i)}) }

// placeOf returns the perspective that dials from an address, -1: none.
func placeOf(a netip.Addr) int {
	b := a.Unmap()
	if !b.Is4() {
		return -1
	}
	four := b.As4()
	i := int(four[3]) - sourceBase
	if four[0] != 127 || four[1] != 0 || four[2] != 0 || i < 0 || i >= MaxPlaces {
		return -1
	}
	return i
}

// places is a set of perspectives; the empty set stands for everybody.
type places uint32

func (p places) has(i int) bool { return p == 0 || i >= 0 && p&(1<<i) != 0 }

const (
	home   places = 1<<0 | 1<<1
	abroad places = 1<<2 | 1<<3 | 1<<4 | 1<<5
)

// parsePlaces reads perspective ids and groups.
func parsePlaces(words []string) (places, error) {
	var set places
	for _, w := range words {
		switch w {
		case "home":
			set |= home
		case "abroad":
			set |= abroad
		case "all":
			set |= 1<<MaxPlaces - 1
		default:
			i, err := placeIndex(w)
			if err != nil {
				return 0, err
			}
			set |= 1 << i
		}
	}
	return set, nil
}

func placeIndex(id string) (int, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(id, "P"))
	if err != nil || !strings.HasPrefix(id, "P") || i < 0 || i >= MaxPlaces {
		return 0, fmt.Errorf("%q is no perspective: write P0 to P%d, home, abroad or all", id, MaxPlaces-1)
	}
	return i, nil
}
