package review

var nameRules = []rule{}
