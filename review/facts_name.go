package review

import "assay/name"

// nameFacts are the order's names, read once.
type nameFacts struct {
	names []nameFact
}

// nameFact is what rules look at for one name.
type nameFact struct {
	name.Name
}

func (c *Case) prepareNames() {}
