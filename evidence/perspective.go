package evidence

import (
	"math"
	"strings"
)

// A Perspective is a place that was looked from, as it was when it looked.
type Perspective struct {
	// ID is "P0" for the primary, "P1" … for remotes.
	ID string `json:"id"`
	// Region is the RIR region of its network: "ARIN", "RIPE", "APNIC",
	// "LACNIC", "AFRINIC"; empty where it is not known.
	Region string `json:"region,omitempty"`
	// Resolver is the recursive resolver that decides here (address:port or
	// https URL); empty: this place resolves from the root itself.
	Resolver string `json:"resolver,omitempty"`
	// Public lists resolvers that are asked only to explain.
	Public []string `json:"public_resolvers,omitempty"`
	// Own are public addresses of this machine: a name that points to one of them
	// cannot be seen from here as the internet sees it. At most 32; private
	// addresses are nobody's business, and no name may point to them anyway.
	Own []string `json:"own,omitempty"`
	// Missing is what the self-test found not to work here.
	Missing []Missing `json:"missing,omitempty"`
	// Network holds the settings that are not the public internet's; nil there.
	Network *NetworkOptions `json:"network,omitempty"`
	// Remote is set for an agent elsewhere: its observations carry an
	// [Attestation] made with Key, its public key ("ed25519:" and 43 characters
	// of base64url).
	Remote bool   `json:"remote,omitempty"`
	Key    string `json:"key,omitempty"`
	// Location is where its network is; nil where the operator did not say.
	Location *Location `json:"location,omitempty"`
}

// Location is a point on the earth in degrees: latitude north, longitude east.
type Location struct {
	Lat float64 `json:"lat"`
	Lon float64 `json:"lon"`
}

// earthRadius is the mean radius of the earth in kilometres (IUGG R1).
const earthRadius = 6371.0088

// Distance is the great-circle distance to another point in kilometres, by the
// haversine formula: the straight line of BR 3.2.2.9, of which two perspectives
// need 500 km between them. The earth is no sphere, so it may be wrong by half a
// percent.
func (l Location) Distance(other Location) float64 {
	radians := func(degrees float64) float64 { return degrees * math.Pi / 180 }
	half := func(angle float64) float64 { s := math.Sin(angle / 2); return s * s }
	h := half(radians(other.Lat-l.Lat)) +
		math.Cos(radians(l.Lat))*math.Cos(radians(other.Lat))*half(radians(other.Lon-l.Lon))
	return 2 * earthRadius * math.Asin(math.Sqrt(min(1, h)))
}

// Valid reports whether there is such a point.
func (l Location) Valid() bool { return math.Abs(l.Lat) <= 90 && math.Abs(l.Lon) <= 180 } // NaN is not

// Missing is one thing a place cannot do.
type Missing struct {
	// What is "ipv4", "ipv6", "udp" or "tcp" (port 53), "dns" (nothing on port
	// 53 answers), "resolver" (the resolver that decides does not answer).
	What   string `json:"what"`
	Detail string `json:"detail,omitempty"` // the error, for the operator
}

// Lacks reports whether the self-test found something missing.
func (p *Perspective) Lacks(what string) bool {
	for _, m := range p.Missing {
		if m.What == what {
			return true
		}
	}
	return false
}

// Why a remote place gave no observation, or one that does not count:
// [Observation.Unknown] is one of these words, or begins with one, a colon and
// the detail.
const (
	UnknownUnreachable = "perspective-unreachable" // no connection to the agent, or it broke
	UnknownTimeout     = "perspective-timeout"     // no complete answer from the agent in time
	UnknownIdentity    = "perspective-identity"    // whoever answered has not the key of this perspective
	UnknownRefused     = "perspective-refused"     // the agent refuses: it does not know us, our clock, too much at once
	UnknownInvalid     = "perspective-invalid"     // the answer is not to what was asked, or its signature is not good
	UnknownDefect      = "defect"                  // of this program, at this place: a panic that was contained
	UnknownTooLarge    = "perspective-too-large"   // more was seen than an agent sends
)

// PerspectiveFault is the word of the list above, "" where the place itself is
// not at fault.
func (o *Observation) PerspectiveFault() string {
	word, _, _ := strings.Cut(o.Unknown, ":")
	switch word {
	case UnknownUnreachable, UnknownTimeout, UnknownIdentity, UnknownRefused, UnknownInvalid, UnknownTooLarge:
		return word
	}
	return ""
}
