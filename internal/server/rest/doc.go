// Package rest is the order service's own API: JSON over HTTP under /api/v1,
// described by an OpenAPI 3.1 document. It translates to and from the types of
// package service and holds no rules.
//
// Every route is one [Operation] in a table: what is documented, what is
// checked and what is run are the same entry. Errors are problem documents
// (RFC 9457) with the findings inside, in the language of the request.
package rest

//go:generate sh -c "cd ../../gen/openapi && go run . ../../.."
