package review

var requestRules = []rule{}
