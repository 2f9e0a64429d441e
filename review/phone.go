package review

var phoneRules = []rule{}
