// Command dns writes docs/dns.md and docs/dns.zh.md: the report for each way in
// which validation by DNS fails according to the founding document (S5 to S9),
// made by running its scenario in the laboratory. A test keeps them current.
//
//	go run ./internal/gen/dns docs
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/render"
	"assay/lab"
	"assay/lab/trial"
	"assay/review"
)

//go:generate go run . ../../../docs

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dns DIRECTORY")
		os.Exit(64)
	}
	documents, err := documents(context.Background())
	for name, text := range documents {
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], name), []byte(text), 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dns:", err)
		os.Exit(1)
	}
}

// A section is one cause of the founding document.
type section struct {
	title     map[cause.Language]string
	scenarios []string
}

func sections() []section {
	text := func(en, zh string) map[cause.Language]string {
		return map[cause.Language]string{cause.English: en, cause.Chinese: zh}
	}
	return []section{
		{text("S5: the record is not what it should be", "S5：记录与要求不符"), []string{
			"dns.record-missing", "dns.value-mismatch", "dns.value-altered", "dns.value-of-other-order",
			"dns.doubled-zone", "dns.wrong-name", "dns.wrong-type", "dns.wrong-provider",
		}},
		{text("S6: names that do not exist are answered all the same", "S6：不存在的主机记录也有应答"), []string{
			"dns.wildcard-answers", "dns.resolver-rewrites",
		}},
		{text("S7: the record was not added in time", "S7：未在期限内添加记录"), []string{"dns.record-missing/late"}},
		{text("S8: the record is not seen everywhere", "S8：并非各地都能看到记录"), []string{
			"dns.servers-disagree", "dns.differs-by-region",
		}},
		{text("S9: caches still hold what was there before", "S9：缓存中仍是旧内容"), []string{
			"dns.stale-cache", "dns.negative-cache",
		}},
	}
}

func introduction(lang cause.Language) string {
	if lang == cause.Chinese {
		return `# DNS 验证失败的原因与报告

<!-- 由 go generate ./internal/gen/dns 生成，请勿手工修改。 -->

以下是 DNS 验证失败的各种情形及其报告。每份报告都来自实验环境中真实运行的审查，用
` + "`assay lab run 场景`" + ` 即可在本机重现，无需联网；` + "`assay lab serve 场景`" + ` 可运行同一环境，
供 assay、dig、curl 查看。全部原因见 [causes.zh.md](causes.zh.md)，网络设置见 [network.md](network.md)。
`
	}
	return `# When validation by DNS fails: the reports

<!-- Made by go generate ./internal/gen/dns; do not edit. -->

Each way in which validation by DNS fails, with the report an applicant gets.
Every report here comes from a review that really ran, in the laboratory:
` + "`assay lab run SCENARIO`" + ` shows it on your machine, without a network, and
` + "`assay lab serve SCENARIO`" + ` runs the same world for assay, dig and curl. All causes
are in [causes.md](causes.md), the network settings in [network.md](network.md).
`
}

func fileName(lang cause.Language) string {
	if lang == cause.English {
		return "dns.md"
	}
	return "dns." + string(lang) + ".md"
}

// documents runs the scenarios and returns the documents by file name.
func documents(ctx context.Context) (map[string]string, error) {
	texts := map[cause.Language]*strings.Builder{}
	for _, lang := range cause.Languages() {
		texts[lang] = &strings.Builder{}
		texts[lang].WriteString(introduction(lang))
	}
	for _, s := range sections() {
		for lang, b := range texts {
			fmt.Fprintf(b, "\n## %s\n", s.title[lang])
		}
		for _, id := range s.scenarios {
			scenario, err := find(id)
			if err != nil {
				return nil, err
			}
			report, diff, err := trial.Run(ctx, scenario)
			if err == nil && diff != "" {
				err = fmt.Errorf("%s: the report is not what the scenario wants:\n%s", id, diff)
			}
			if err != nil {
				return nil, err
			}
			steady(report)
			for lang, b := range texts {
				b.WriteString(entry(scenario, report, lang))
			}
		}
	}
	documents := map[string]string{}
	for lang, b := range texts {
		documents[fileName(lang)] = b.String()
	}
	return documents, nil
}

// find returns a scenario; "/late" is a missing record when the deadline is over.
func find(id string) (*lab.Scenario, error) {
	base, late := strings.CutSuffix(id, "/late")
	s, err := lab.Find(base)
	if err != nil || !late {
		return s, err
	}
	o := *s.Order
	o.SubmittedAt = s.At.Add(-73 * time.Hour)
	s.Order = &o
	s.Name = "the same, 73 hours after the order"
	s.Want = append(s.Want, lab.Wanted{Cause: cause.LimitDeadlinePassed, Level: cause.Refuse, Subject: "order"})
	return s, nil
}

// width is that of the reports in the documents.
const width = 84

func entry(s *lab.Scenario, r *review.Report, lang cause.Language) string {
	r.Localize(lang)
	text := render.Report(r, message.New(lang), render.Options{Width: width})
	for _, o := range r.Observations {
		if o.DNS != nil && o.Question.DNS != nil && o.Question.DNS.Random && o.DNS.Asked != "" {
			// A random label, new each time.
			label, _, _ := strings.Cut(o.DNS.Asked, ".")
			text = strings.ReplaceAll(text, label, "q7x2m9k4w8e3r6t1")
		}
	}
	title := string(s.Cause)
	if t := cause.TextsOf(s.Cause, lang); t != nil {
		title = t.Title
	}
	return fmt.Sprintf("\n### %s\n\n`%s`: %s\n\n```text\n%s\n```\n", title, s.ID, s.Name, strings.Trim(text, "\n"))
}

// steady takes out of a report what differs from run to run: how long it took,
// and which server was the fastest, which the ids of observations cover. Each
// observation gets the id of its question instead.
func steady(r *review.Report) {
	r.Timing = nil
	ids := map[string]string{}
	for i := range r.Observations {
		o := &r.Observations[i]
		ids[o.ID] = "o-" + strings.TrimPrefix(o.Question.ID(), "q-")
		o.ID = ids[o.ID]
	}
	for i := range r.Findings {
		for j, id := range r.Findings[i].Evidence {
			if ids[id] != "" {
				r.Findings[i].Evidence[j] = ids[id]
			}
		}
	}
}
