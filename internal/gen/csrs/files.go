package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
)

var f4 = big.NewInt(65537)

// Files returns the content of every file by its name.
func Files() map[string][]byte {
	files := map[string][]byte{}
	for name, text := range weakKeys() {
		files[name+".csr"] = []byte(text)
	}
	for name, text := range wrongEncodings() {
		files[name+".csr"] = []byte(text)
	}
	for name, text := range damaged() {
		files[name+".csr"] = []byte(text)
	}
	return files
}

// weakKeys are requests that are right but for the RSA key.
func weakKeys() map[string]string {
	made := map[string]string{}
	add := func(name string, make func(d *draw) rsaKey) {
		made[name] = signedRSA(make(newDraw(name)), standardNames())
	}
	two, one := big.NewInt(2), big.NewInt(1)
	add("close-primes", func(d *draw) rsaKey {
		p := d.prime(1024)
		return rsaKey{p: p, q: next(p), e: f4}
	})
	add("close-primes-round-105", func(d *draw) rsaKey { return d.fermatRound(105) })
	add("far-primes", func(d *draw) rsaKey { return d.fermatRound(150) })
	add("roca", func(d *draw) rsaKey { return rsaKey{p: d.roca(), q: d.roca(), e: f4} })
	add("factor-751", func(d *draw) rsaKey { return rsaKey{p: big.NewInt(751), q: d.primeFor(2048, 751), e: f4} })
	add("factor-757", func(d *draw) rsaKey { return rsaKey{p: big.NewInt(757), q: d.primeFor(2048, 757), e: f4} })
	add("square", func(d *draw) rsaKey { p := d.prime(1024); return rsaKey{p: p, q: p, e: f4} })
	add("cube", func(d *draw) rsaKey { p := d.primeOfCube(); return rsaKey{p: p, q: mul(p, p), powers: 3, e: f4} })
	add("prime-modulus", func(d *draw) rsaKey { return rsaKey{p: d.prime(2048), q: one, e: f4} })
	add("sparse-primes", func(*draw) rsaKey {
		p := next(new(big.Int).Lsh(one, 1023))
		return rsaKey{p: p, q: next(new(big.Int).Lsh(big.NewInt(3), 1023)), e: f4}
	})
	add("small-private-exponent", func(d *draw) rsaKey {
		k := rsaKey{p: d.prime(1024), q: d.prime(1024)}
		for k.e == nil {
			k.e = new(big.Int).ModInverse(d.prime(400), k.phi())
		}
		return k
	})
	add("huge-exponent", func(d *draw) rsaKey {
		return rsaKey{p: d.prime(1024), q: d.prime(1024), e: next(new(big.Int).Lsh(one, 300))}
	})
	add("exponent-1", func(d *draw) rsaKey { return rsaKey{p: d.prime(1024), q: d.prime(1024), e: one} })
	made["exponent-65536"] = unsignedRSA(newDraw("exponent-65536"), big.NewInt(65536), nil)
	made["even-modulus"] = unsignedRSA(newDraw("even-modulus"), f4, two)
	add("exponent-above-modulus", func(d *draw) rsaKey {
		k := rsaKey{p: d.prime(1024), q: d.prime(1024)}
		k.e = new(big.Int).Add(k.phi(), k.phi())
		k.e.Add(k.e, f4)
		return k
	})
	return made
}

// wrongEncodings are requests whose key is right and encoded wrongly.
func wrongEncodings() map[string]string {
	made := map[string]string{}
	rsa := rsaKey{p: newDraw("encoding p").prime(1024), q: newDraw("encoding q").prime(1024), e: f4}
	made["rsa-without-null"] = rsa.request(sequence(sequence(raw("06092a864886f70d010101")), bits(rsa.public())), standardNames())
	made["rsa-negative-modulus"] = rsa.request(sequence(sequence(raw("06092a864886f70d010101"), raw("0500")),
		bits(sequence(tlv(2, rsa.n().Bytes()), integer(rsa.e)))), standardNames())
	ec := newECKey("encoding ec")
	x, y := ec.point()
	onCurve := append(append([]byte{4}, x...), y...)
	points := map[string][]byte{
		"point-off-curve":    append(append([]byte{4}, x...), flipped(y)...),
		"point-infinity":     {0},
		"point-out-of-range": append(append([]byte{4}, bytes.Repeat([]byte{0xff}, 32)...), y...),
		"point-short":        onCurve[:64],
		"point-hybrid":       append([]byte{6 + y[31]&1}, onCurve[1:]...),
	}
	for name, point := range points {
		made[name] = ec.request(sequence(raw("301306072a8648ce3d020106082a8648ce3d030107"), bits(point)), standardNames())
	}
	made["curve-implicit"] = ec.request(sequence(sequence(raw("06072a8648ce3d0201"), raw("0500")), bits(onCurve)), standardNames())
	made["curve-unknown"] = ec.request(sequence(sequence(raw("06072a8648ce3d0201"), raw("06032a0304")), bits(onCurve)), standardNames())
	made["ml-dsa"] = ec.request(sequence(sequence(raw("0609608648016503040312")), bits(bytes.Repeat([]byte{7}, 1952))), standardNames())
	return made
}

// damaged are requests that are wrong as a whole.
func damaged() map[string]string {
	made := map[string]string{}
	ec := newECKey("damaged")
	good := ec.request(ec.spki(), standardNames())
	whole := unpem(good)
	made["bad-signature"] = pemText("CERTIFICATE REQUEST", changed(whole))
	made["renamed"] = pemText("CERTIFICATE REQUEST", bytes.Replace(whole, []byte("www.orchard.net"), []byte("www.orchart.net"), 1))
	made["signed-as-rsa"] = ec.requestWith(ec.spki(), standardNames(), "300d06092a864886f70d01010b0500")
	made["unknown-signature"] = ec.requestWith(ec.spki(), standardNames(), "300506032a0304")
	san := names("www.orchard.net", "orchard.net")
	made["duplicate-extension"] = ec.request(ec.spki(), subject{cn: "www.orchard.net", extensions: [][]byte{san, san}})
	made["cn-65"] = ec.request(ec.spki(), subject{cn: strings.Repeat("a", 53) + ".orchard.net"})
	made["cn-65-listed"] = ec.request(ec.spki(), subject{
		cn:         strings.Repeat("a", 53) + ".orchard.net",
		extensions: [][]byte{names(strings.Repeat("a", 53)+".orchard.net", "orchard.net")},
	})
	made["no-attributes"] = ec.request(ec.spki(), subject{cn: "www.orchard.net", noAttributes: true})
	made["trailing-data"] = pemText("CERTIFICATE REQUEST", append(bytes.Clone(whole), 0, 0))
	made["truncated"] = truncated(good)
	made["changed-character"] = good[:150] + "*" + good[151:]
	made["two-requests"] = good + good
	made["no-end"] = good[:strings.Index(good, "-----END")]
	made["crlf"] = "\ufeff" + strings.ReplaceAll(good, "\n", "\r\n")
	made["escaped"] = `"` + strings.ReplaceAll(good, "\n", `\n`) + `"`
	made["old-label"] = strings.ReplaceAll(good, "CERTIFICATE", "NEW CERTIFICATE")
	made["labelled-certificate"] = strings.ReplaceAll(good, "CERTIFICATE REQUEST", "CERTIFICATE")
	made["with-private-key"] = ec.private() + good
	made["with-other-private-key"] = good + newECKey("another").private()
	made["private-key-only"] = ec.private()
	made["path"] = "shop.csr\n"
	return made
}

func truncated(text string) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(append(lines[:len(lines)-4:len(lines)-4], lines[len(lines)-2]), "")
}

func unpem(text string) []byte {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		panic(fmt.Sprintf("not PEM: %q", text))
	}
	return block.Bytes
}

// changed flips a bit of the signature.
func changed(whole []byte) []byte {
	c := bytes.Clone(whole)
	c[len(c)-1] ^= 1
	return c
}

func flipped(b []byte) []byte {
	c := bytes.Clone(b)
	c[len(c)-1] ^= 1
	return c
}
