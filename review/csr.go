package review

var csrRules = []rule{}
