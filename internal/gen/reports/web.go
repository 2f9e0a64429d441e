package main

// webDocument is about validation by a file.
func webDocument() document {
	return document{name: "web", introduction: both(`# When validation by a file fails: the reports

<!-- Made by go generate ./internal/gen/reports; do not edit. -->

Each way in which validation by a file on the web server fails, with the report an
applicant gets. Every report here comes from a review that really ran, in the
laboratory: `+"`assay lab run SCENARIO`"+` shows it on your machine, without a network,
and `+"`assay lab serve SCENARIO`"+` runs the same world for assay, dig and curl. The same
causes are tested with nginx, BIND and agents in network namespaces. Validation by
DNS is in [dns.md](dns.md), all causes in [causes.md](causes.md), the places to look
from in [perspectives.md](perspectives.md).
`, `# 文件验证失败的原因与报告

<!-- 由 go generate ./internal/gen/reports 生成，请勿手工修改。 -->

以下是 Web 服务器文件验证失败的各种情形及其报告。每份报告都来自实验环境中真实运行的审查，用
`+"`assay lab run 场景`"+` 即可在本机重现，无需联网；`+"`assay lab serve 场景`"+` 可运行同一环境，
供 assay、dig、curl 查看。这些原因另以网络命名空间中的 nginx、BIND 和代理程序测试。DNS 验证见
[dns.zh.md](dns.zh.md)，全部原因见 [causes.zh.md](causes.zh.md)，多地观测见 [perspectives.md](perspectives.md)。
`), sections: []section{
		{both("S1: HTTPS is on for a part of the site, and the file is there under HTTP only", "S1：站点部分启用 HTTPS，文件只在 HTTP 下存在"), []string{
			"file.missing-on-https", "file.https-handshake-fails",
		}},
		{both("S2: the site answers with an error code, or with something else", "S2：站点返回错误码或其他内容"), []string{
			"file.missing", "file.error-status", "file.wrong-path", "file.content-mismatch", "file.content-is-web-page",
		}},
		{both("S3: the file is not seen everywhere", "S3：并非各地都能看到文件"), []string{
			"file.cdn-edge-missing", "file.cdn-edge-missing/2", "file.cdn-stale", "file.blocked-by-region",
		}},
		{both("S4: the file is reached through a redirect", "S4：文件需经跳转才能访问"), []string{
			"file.redirected", "file.redirect-too-many", "file.redirect-other-domain", "file.redirect-not-followed",
		}},
	}}
}
