package review

import "slices"

// rules lists every rule. Their order does not matter, for findings are sorted;
// but those of the quorum come last, for they count what the others found.
var rules = numbered(slices.Concat(
	requestRules,
	nameRules,
	wordRules,
	policyRules,
	keyRules,
	csrRules,
	organizationRules,
	phoneRules,
	limitRules,
	delegationRules,
	serverRules,
	dnssecRules,
	missingRules,
	valueRules,
	regionRules,
	cacheRules,
	addressRules,
	tlsRules,
	readyRules,
	fileRules,
	fileRegionRules,
	impliedRules,
	caaRules,
	perspectiveRules,
	placeRules,
	quorumRules,
))

// besideRules are about no order; each is run for its scope alone.
var besideRules = slices.Concat(
	uploadRules,
	deployRules,
)

func numbered(list []rule) []rule {
	for i := range list {
		list[i].index = i
	}
	return list
}
