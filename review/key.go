package review

var keyRules = []rule{}
