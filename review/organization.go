package review

var organizationRules = []rule{}
