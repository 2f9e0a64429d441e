// Package harness kills the order service over and over, while clients use it,
// and proves after each kill that what it acknowledged is there, once, and that
// what it owes is still due. All of it are tests.
//
// The number of kills is ASSAY_KILLS (300 where it is not set); a run prints the
// seed of its delays and choices, and ASSAY_SEED repeats them.
package harness
