package review

var limitRules = []rule{}
