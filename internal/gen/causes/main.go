// Command causes writes docs/causes.md and docs/causes.zh.md: the catalogue as
// a person reads it. A test keeps them current.
//
//	go run ./internal/gen/causes docs
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"assay/cause"
	"assay/profile"
	"assay/review"
)

//go:generate go run . ../../../docs

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: causes DIRECTORY")
		os.Exit(64)
	}
	for _, lang := range cause.Languages() {
		if err := os.WriteFile(filepath.Join(os.Args[1], fileName(lang)), []byte(document(lang)), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "causes:", err)
			os.Exit(1)
		}
	}
}

func fileName(lang cause.Language) string {
	if lang == cause.English {
		return "causes.md"
	}
	return "causes." + string(lang) + ".md"
}

// words of the document itself.
type words struct {
	title, intro, who, why, handling, seed, references, replaces, leadsTo, rule, yes, no, variants, before string
	whoNames                                                                                               map[cause.Who]string
}

var wording = map[cause.Language]words{
	cause.English: {
		title: "Causes for which a certificate order fails",
		intro: "Generated from the catalogue (`cause/`) and the profiles (`profile/`) by `go generate ./...`; do not edit.\n" +
			"`assay causes ID` shows one of them; values in ‹angle quotes› are filled in for a finding.\n" +
			"A level `a/b` is for DV / for OV and EV; `[word:level]` holds instead where the word's condition does.\n",
		who: "Who acts", why: "Why", handling: "What to do", seed: "Founding document", references: "From",
		replaces: "Narrower than", leadsTo: "Leads to", rule: "Rule", yes: "yes", no: "not in this release",
		variants: "‹rule› is one of:", before: ", `wait` before its one attempt",
		whoNames: map[cause.Who]string{
			cause.Applicant: "applicant", cause.DNSProvider: "DNS provider", cause.Hosting: "hosting", cause.Operator: "operator", cause.CA: "CA",
		},
	},
	cause.Chinese: {
		title: "证书订单审核失败的原因",
		intro: "由 `go generate ./...` 根据原因目录（`cause/`）和规则配置（`profile/`）生成，请勿手工修改。\n" +
			"`assay causes ID --lang zh` 可查看单个原因；‹尖括号›中的内容会在报告中替换为实际值。\n" +
			"级别 `a/b` 分别对应 DV 与 OV、EV；`[词:级别]` 表示该条件成立时改用此级别。\n",
		who: "由谁处理", why: "原因说明", handling: "处理方法", seed: "对应原始文档", references: "依据",
		replaces: "优先于", leadsTo: "会引起", rule: "规则", yes: "已实现", no: "本版本尚未实现",
		variants: "‹rule› 为以下之一：", before: "，在其唯一一次验证之前为 `wait`",
		whoNames: map[cause.Who]string{
			cause.Applicant: "申请人", cause.DNSProvider: "域名解析服务商", cause.Hosting: "网站托管方", cause.Operator: "系统运维人员", cause.CA: "CA 机构",
		},
	},
}

func document(lang cause.Language) string {
	w := wording[lang]
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s", w.title, w.intro)
	implemented := review.Implemented()
	stage := cause.Stage("")
	for _, e := range cause.All() {
		if e.Stage() != stage {
			stage = e.Stage()
			fmt.Fprintf(&b, "\n## %s\n", stage)
		}
		entry(&b, e, lang, slices.Contains(implemented, e.ID))
	}
	return b.String()
}

func entry(b *strings.Builder, e *cause.Entry, lang cause.Language, hasRule bool) {
	w, t := wording[lang], cause.TextsOf(e.ID, lang)
	fmt.Fprintf(b, "\n### %s\n\n**%s.** %s\n\n", e.ID, strings.TrimRight(t.Title, ".。"), t.Entry(t.Found, lang))
	if variants := t.Variants(lang); len(variants) > 0 {
		fmt.Fprintf(b, "%s\n\n", w.variants)
		for _, text := range variants {
			fmt.Fprintf(b, "- %s\n", text)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "%s: %s\n\n%s:\n\n", w.why, t.Why, w.handling)
	for i, step := range t.Handling {
		fmt.Fprintf(b, "%d. %s\n", i+1, t.Entry(step, lang))
	}
	fmt.Fprintf(b, "\n| | |\n|---|---|\n| %s | %s |\n", w.who, w.whoNames[e.Who])
	for _, name := range profile.Embedded() {
		p, err := profile.Named(name)
		if err != nil {
			panic(err)
		}
		before := ""
		if p.WaitsBefore(e.ID) {
			before = w.before
		}
		fmt.Fprintf(b, "| %s | `%s`%s |\n", name, p.Levels[e.ID], before)
	}
	row := func(key string, values []string) {
		if len(values) > 0 {
			fmt.Fprintf(b, "| %s | %s |\n", key, strings.Join(values, ", "))
		}
	}
	row(w.seed, e.Seed)
	row(w.references, e.References)
	row(w.replaces, links(e.Replaces))
	row(w.leadsTo, links(e.LeadsTo))
	state := w.yes
	if !hasRule {
		state = w.no
	}
	row(w.rule, []string{state})
}

func links(ids []cause.ID) []string {
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprintf("[%s](#%s)", id, strings.ReplaceAll(string(id), ".", "")))
	}
	return list
}
