package review

// csrFacts are the CSR and its public key, read once.
type csrFacts struct{}

func (c *Case) prepareCSR() {}

// csrReadable reports whether the CSR could be parsed, keyReadable whether it
// holds a public key of a type that has rules.
func (c *Case) csrReadable() bool { return false }
func (c *Case) keyReadable() bool { return false }
