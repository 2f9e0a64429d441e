// Package dnssec decides whether DNS data hangs on a trust anchor: signatures
// (RFC 4034, 4035, 6840), delegation signers, and denial of existence by NSEC
// and NSEC3 (RFC 5155, 9276). It is pure: no I/O, no clock, no package state.
//
// The work an answer can cause is bounded ([Work]): a zone built to exhaust a
// validator (KeyTrap, CVE-2023-50387; NSEC3 iterations, CVE-2023-50868) ends
// with the reason "too-much-work", not with a busy processor.
package dnssec
