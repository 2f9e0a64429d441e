package profile

import "fmt"

// File are the rules for validation by a file that a web server gives: of the
// methods "file" and "file-proxy" (BR 3.2.2.4.18) and "http-01" (BR 3.2.2.4.19).
type File struct {
	// Schemes says which of HTTP and HTTPS decide for the file methods: "both"
	// (one gives the file, and the other gives it too where it answers at all), or
	// "either" (one that gives it is enough). http-01 begins at port 80 and sees
	// HTTPS only through a redirect (RFC 8555 8.3), whatever this says.
	Schemes string `toml:"schemes" json:"schemes"`
	// RedirectCodes are the status codes whose Location is followed.
	RedirectCodes []int `toml:"redirect_codes" json:"redirect_codes"`
	// MaxRedirects is how many are followed in a row, at most 11; 0: none.
	MaxRedirects int `toml:"max_redirects" json:"max_redirects"`
	// SameDomain is set where a redirect has to stay within the registrable
	// domain of the name.
	SameDomain bool `toml:"same_domain" json:"same_domain"`
	// DefaultPorts is set where a redirect has to lead to the port of its scheme;
	// otherwise 80 and 443 are allowed for either.
	DefaultPorts bool `toml:"default_ports" json:"default_ports"`
	// Status are the status codes that count as success; empty: any from 200 to 299.
	Status []int `toml:"status" json:"status"`
	// Contains is set where the body of a file method has to contain the content;
	// otherwise, and for http-01 always, it has to equal it but for white space at
	// its end.
	Contains bool `toml:"contains" json:"contains"`
	// MaxBytes is the length from which a body is too long to be read; 0: 64 KiB.
	MaxBytes int `toml:"max_bytes" json:"max_bytes"`
	// ImpliedNames is set where an order for a registrable domain also covers its
	// www name, and one for a www name the name without it: the file methods then
	// have to find the file at both.
	ImpliedNames bool `toml:"implied_names" json:"implied_names"`
	// ProxyTarget is where the reverse proxy of the method "file-proxy" has to
	// lead: shown to whoever has to restore it. Empty: not said.
	ProxyTarget string `toml:"proxy_target" json:"proxy_target"`
}

// MostRedirects is how many redirects are followed at most by any profile: more
// are never looked at.
const MostRedirects = 11

func (f *File) check() error {
	if f.MaxRedirects < 0 || f.MaxRedirects > MostRedirects {
		return fmt.Errorf("file.max_redirects: %d must be 0 to %d", f.MaxRedirects, MostRedirects)
	}
	return firstError(
		known("file.schemes", []string{f.Schemes}, []string{"both", "either", ""}),
		known("file.redirect_codes", words(f.RedirectCodes), words([]int{301, 302, 307, 308})),
	)
}

func words(numbers []int) []string {
	list := make([]string, 0, len(numbers))
	for _, n := range numbers {
		list = append(list, fmt.Sprint(n))
	}
	return list
}
