// Package harness kills the order service over and over, while clients use it,
// and proves after each kill that what it acknowledged is there, once, and that
// what it owes is still due. Certificates are issued and revoked meanwhile: of each
// order there is one at most, whatever dies, none is handed out before it is stored,
// and no revocation that was acknowledged is lost, nor leaves the lists. All of it
// are tests.
//
// The number of kills is ASSAY_KILLS (300 where it is not set); a run prints the
// seed of its delays and choices, and ASSAY_SEED repeats them.
package harness
