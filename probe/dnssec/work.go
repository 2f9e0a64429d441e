package dnssec

// The budget of [NewWork]. BIND stops after 16 validations of a fetch, unbound
// after 8 signatures of a set; well-run zones stay below a fifth of these.
const (
	// MaxFailures is how many signatures may fail a cryptographic verification.
	MaxFailures = 16
	// MaxVerifications is how many verifications are made in all.
	MaxVerifications = 64
	// MaxDigests is how many keys are digested to find those that a DS names.
	MaxDigests = 32
	// MaxHashes is how many names are hashed to read NSEC3 records.
	MaxHashes = 64
	// MaxCollisions is how many keys of a zone with the same tag and algorithm
	// are tried for one signature.
	MaxCollisions = 4
	// MaxIterations is the highest NSEC3 iteration count that is computed. What
	// only NSEC3 records above it would prove is insecure, as in unbound and
	// BIND (RFC 9276 3.2).
	MaxIterations = 150
)

// Work is a budget of cryptography, for one message: what a hostile zone can
// make us compute. It is not safe for concurrent use.
type Work struct {
	// Failures, Verifications, Digests and Hashes are what is left.
	Failures, Verifications, Digests, Hashes int
	// SHA1 lets signatures of the algorithms 5 and 7 count. Without it they are
	// unsupported, and zones that have no others insecure: RFC 9905 2 makes
	// operators treat them so, and implementations keep them.
	SHA1 bool
}

// NewWork returns a full budget.
func NewWork() *Work {
	return &Work{Failures: MaxFailures, Verifications: MaxVerifications, Digests: MaxDigests, Hashes: MaxHashes}
}

func (w *Work) orNew() *Work {
	if w == nil {
		return NewWork()
	}
	return w
}
