package review

var policyRules = []rule{}
