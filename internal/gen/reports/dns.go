package main

// dnsDocument is about validation by DNS.
func dnsDocument() document {
	return document{name: "dns", introduction: both(`# When validation by DNS fails: the reports

<!-- Made by go generate ./internal/gen/reports; do not edit. -->

Each way in which validation by DNS fails, with the report an applicant gets.
Every report here comes from a review that really ran, in the laboratory:
`+"`assay lab run SCENARIO`"+` shows it on your machine, without a network, and
`+"`assay lab serve SCENARIO`"+` runs the same world for assay, dig and curl. Web servers
are in [web.md](web.md), all causes in [causes.md](causes.md), the network settings in
[network.md](network.md).
`, `# DNS 验证失败的原因与报告

<!-- 由 go generate ./internal/gen/reports 生成，请勿手工修改。 -->

以下是 DNS 验证失败的各种情形及其报告。每份报告都来自实验环境中真实运行的审查，用
`+"`assay lab run 场景`"+` 即可在本机重现，无需联网；`+"`assay lab serve 场景`"+` 可运行同一环境，
供 assay、dig、curl 查看。Web 服务器见 [web.zh.md](web.zh.md)，全部原因见 [causes.zh.md](causes.zh.md)，
网络设置见 [network.md](network.md)。
`), sections: []section{
		{both("S5: the record is not what it should be", "S5：记录与要求不符"), []string{
			"dns.record-missing", "dns.value-mismatch", "dns.value-altered", "dns.value-of-other-order",
			"dns.doubled-zone", "dns.wrong-name", "dns.wrong-type", "dns.wrong-provider",
		}},
		{both("S6: names that do not exist are answered all the same", "S6：不存在的主机记录也有应答"), []string{
			"dns.wildcard-answers", "dns.resolver-rewrites",
		}},
		{both("S7: the record was not added in time", "S7：未在期限内添加记录"), []string{"dns.record-missing/late"}},
		{both("S8: the record is not seen everywhere", "S8：并非各地都能看到记录"), []string{
			"dns.servers-disagree", "dns.differs-by-region",
		}},
		{both("S9: caches still hold what was there before", "S9：缓存中仍是旧内容"), []string{
			"dns.stale-cache", "dns.negative-cache",
		}},
	}}
}
