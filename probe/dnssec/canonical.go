package dnssec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/miekg/dns"
)

// A canonical set is the part of the signed data that all signatures of a set
// share (RFC 4034 6): its owner, and its RDATAs in canonical form and order
// without duplicates.
type canonicalSet struct {
	owner       name
	typ, class  uint16
	rdata       [][]byte
	rdataLength int
}

// headerBytes is how long the header of a message is (RFC 1035 4.1.1).
const headerBytes = 12

var errRecord = errors.New("a record has no wire form")

func canonicalize(owner name, rrs []dns.RR) (*canonicalSet, error) {
	h := rrs[0].Header()
	c := &canonicalSet{owner: owner, typ: h.Rrtype, class: h.Class, rdata: make([][]byte, 0, len(rrs))}
	for i := range rrs {
		// PackRR would write to the record, which others may read at the same time.
		msg := dns.Msg{Answer: rrs[i : i+1]}
		// Len is an estimate for some types; a record never needs more than its
		// length and the largest name again.
		buf, err := msg.PackBuffer(make([]byte, headerBytes+dns.Len(rrs[i])+256))
		if err != nil {
			return nil, err
		}
		at := skipName(buf, headerBytes) + 10
		if at > len(buf) {
			return nil, errRecord
		}
		rdata := buf[at:]
		lowerNames(c.typ, rdata)
		c.rdata = append(c.rdata, rdata)
	}
	slices.SortFunc(c.rdata, bytes.Compare)
	c.rdata = slices.CompactFunc(c.rdata, bytes.Equal)
	for _, rdata := range c.rdata {
		c.rdataLength += len(rdata)
	}
	return c, nil
}

// signedData is what the signature covers (RFC 4034 3.1.8.1, RFC 4035 5.3.2).
// The caller has checked that sig.Labels is not more than the owner has.
func (c *canonicalSet) signedData(sig *dns.RRSIG, signer name) []byte {
	owner := c.owner
	if int(sig.Labels) < owner.signedLabels() {
		owner = owner.last(int(sig.Labels)).wildcard()
	}
	data := make([]byte, 0, 18+len(signer.wire)+len(c.rdata)*(len(owner.wire)+10)+c.rdataLength)
	data = binary.BigEndian.AppendUint16(data, sig.TypeCovered)
	data = append(data, sig.Algorithm, sig.Labels)
	data = binary.BigEndian.AppendUint32(data, sig.OrigTtl)
	data = binary.BigEndian.AppendUint32(data, sig.Expiration)
	data = binary.BigEndian.AppendUint32(data, sig.Inception)
	data = binary.BigEndian.AppendUint16(data, sig.KeyTag)
	data = append(data, signer.wire...)
	for _, rdata := range c.rdata {
		data = append(data, owner.wire...)
		data = binary.BigEndian.AppendUint16(data, c.typ)
		data = binary.BigEndian.AppendUint16(data, c.class)
		data = binary.BigEndian.AppendUint32(data, sig.OrigTtl)
		data = binary.BigEndian.AppendUint16(data, uint16(len(rdata)))
		data = append(data, rdata...)
	}
	return data
}

// lowerNames makes the names in RDATA small, for the types whose canonical form
// wants it: those of RFC 4034 6.2, of which RFC 6840 5.1 takes away HINFO (it
// holds no name) and NSEC, and in which RRSIG never is signed itself.
func lowerNames(typ uint16, rdata []byte) {
	off, names := 0, 1
	switch typ {
	case dns.TypeNS, dns.TypeMD, dns.TypeMF, dns.TypeCNAME, dns.TypeMB, dns.TypeMG, dns.TypeMR,
		dns.TypePTR, dns.TypeDNAME, dns.TypeNXT:
	case dns.TypeSOA, dns.TypeMINFO, dns.TypeRP:
		names = 2
	case dns.TypeMX, dns.TypeAFSDB, dns.TypeRT, dns.TypeKX:
		off = 2
	case dns.TypePX:
		off, names = 2, 2
	case dns.TypeSRV:
		off = 6
	case dns.TypeSIG:
		off = 18
	case dns.TypeNAPTR:
		off = 4
		for range 3 {
			if off < len(rdata) {
				off += int(rdata[off]) + 1
			}
		}
	default:
		return
	}
	for range names {
		end := skipName(rdata, off)
		if end > len(rdata) {
			return
		}
		lower(rdata[off:end])
		off = end
	}
}

// skipName returns where the uncompressed name at off ends, beyond the end of b
// if it does not.
func skipName(b []byte, off int) int {
	for off < len(b) && b[off] != 0 {
		off += int(b[off]) + 1
	}
	return off + 1
}
