package evidence

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
	// Missing is what the self-test found not to work here.
	Missing []Missing `json:"missing,omitempty"`
	// Network holds the settings that are not the public internet's; nil there.
	Network *NetworkOptions `json:"network,omitempty"`
}

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
