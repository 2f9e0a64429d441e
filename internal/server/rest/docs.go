package rest

import (
	_ "embed"
	"net/http"
)

// document is the OpenAPI document; internal/gen/openapi makes it.
//
//go:embed openapi.json
var document []byte

// Document is the OpenAPI document of the API as it is served and published.
func Document() []byte { return document }

func (s *Server) serveDocs(w http.ResponseWriter, _ *http.Request) {
	// Nothing but what stands in the page: no script, no picture, nothing from
	// elsewhere.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	s.text(w, "text/html; charset=utf-8", page)
}

// page is the document for people; internal/gen/openapi makes it, too.
//
//go:embed docs.html
var page []byte
