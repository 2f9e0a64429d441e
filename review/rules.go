package review

import "slices"

// rules lists every rule. Their order does not matter: findings are sorted.
var rules = slices.Concat(
	requestRules,
	nameRules,
	wordRules,
	policyRules,
	keyRules,
	csrRules,
	organizationRules,
	phoneRules,
	limitRules,
)
