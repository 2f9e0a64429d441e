package key

import "crypto/elliptic"

// Contents of object identifiers.
const (
	oidRSA     = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
	oidEC      = "\x2a\x86\x48\xce\x3d\x02\x01"
	oidEd25519 = "\x2b\x65\x70"
)

// AlgorithmIdentifiers allowed by BR 7.1.3.1.1 and 7.1.3.1.2, byte for byte.
const (
	algorithmRSA  = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
	algorithmP256 = "\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
	algorithmP384 = "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"
	algorithmP521 = "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23"
)

// curve is a named curve: its name, the length of a coordinate, and what the
// standard library has of it.
type curve struct {
	name      string
	bytes     int
	curve     elliptic.Curve
	algorithm string
}

// curves by OID: those of BR 6.1.5 first, then those people ask for in vain.
var curves = map[string]curve{
	"1.2.840.10045.3.1.7":   {"P-256", 32, elliptic.P256(), algorithmP256},
	"1.3.132.0.34":          {"P-384", 48, elliptic.P384(), algorithmP384},
	"1.3.132.0.35":          {"P-521", 66, elliptic.P521(), algorithmP521},
	"1.3.132.0.33":          {"P-224", 28, elliptic.P224(), ""},
	"1.2.840.10045.3.1.1":   {"P-192", 24, nil, ""},
	"1.3.132.0.10":          {"secp256k1", 32, nil, ""},
	"1.2.156.10197.1.301":   {"SM2", 32, nil, ""},
	"1.3.36.3.3.2.8.1.1.7":  {"brainpoolP256r1", 32, nil, ""},
	"1.3.36.3.3.2.8.1.1.11": {"brainpoolP384r1", 48, nil, ""},
	"1.3.36.3.3.2.8.1.1.13": {"brainpoolP512r1", 64, nil, ""},
	"1.3.132.0.1":           {"sect163k1", 21, nil, ""},
	"1.3.132.0.15":          {"sect163r2", 21, nil, ""},
	"1.3.132.0.26":          {"sect233k1", 30, nil, ""},
	"1.3.132.0.27":          {"sect233r1", 30, nil, ""},
	"1.3.132.0.16":          {"sect283k1", 36, nil, ""},
	"1.3.132.0.17":          {"sect283r1", 36, nil, ""},
}

// otherTypes are names of algorithms without rules.
var otherTypes = map[string]Type{
	"1.2.840.113549.1.1.10":   "RSASSA-PSS",
	"1.2.840.113549.1.1.7":    "RSAES-OAEP",
	"1.2.840.10040.4.1":       "DSA",
	"1.3.14.3.2.12":           "DSA",
	"1.2.840.10046.2.1":       "DH",
	"1.3.132.1.12":            "ECDH",
	"1.3.132.1.13":            "ECMQV",
	"1.3.101.110":             "X25519",
	"1.3.101.111":             "X448",
	"1.3.101.113":             "Ed448",
	"1.2.643.7.1.1.1.1":       "GOST R 34.10-2012 (256)",
	"1.2.643.7.1.1.1.2":       "GOST R 34.10-2012 (512)",
	"1.2.643.2.2.19":          "GOST R 34.10-2001",
	"1.2.156.10197.1.301":     "SM2",
	"2.16.840.1.101.3.4.3.17": "ML-DSA-44",
	"2.16.840.1.101.3.4.3.18": "ML-DSA-65",
	"2.16.840.1.101.3.4.3.19": "ML-DSA-87",
	"2.16.840.1.101.3.4.3.20": "SLH-DSA-SHA2-128s",
	"2.16.840.1.101.3.4.3.21": "SLH-DSA-SHA2-128f",
}
