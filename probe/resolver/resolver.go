// Package resolver asks DNS questions as a CA must: from the root down, every
// server itself, validating as it goes, keeping nothing of the target's zone.
package resolver
