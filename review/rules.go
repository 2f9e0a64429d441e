package review

import "slices"

// rules lists every rule. Their order does not matter: findings are sorted.
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
	caaRules,
	perspectiveRules,
))

func numbered(list []rule) []rule {
	for i := range list {
		list[i].index = i
	}
	return list
}
