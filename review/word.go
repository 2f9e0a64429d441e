package review

var wordRules = []rule{}
