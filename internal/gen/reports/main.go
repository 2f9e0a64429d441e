// Command reports writes docs/dns.md and docs/web.md, in each language: the report
// for each way in which validation by DNS (S5 to S9 of the founding document) and
// by a file (S1 to S4) fails, made by running its scenario in the laboratory. A
// test keeps them current.
//
//	go run ./internal/gen/reports docs
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
		fmt.Fprintln(os.Stderr, "usage: reports DIRECTORY")
		os.Exit(64)
	}
	documents, err := documents(context.Background())
	for name, text := range documents {
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], name), []byte(text), 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "reports:", err)
		os.Exit(1)
	}
}

// A document is what one file shows.
type document struct {
	name         string
	introduction map[cause.Language]string
	sections     []section
}

// A section is one cause of the founding document.
type section struct {
	title     map[cause.Language]string
	scenarios []string
}

func both(en, zh string) map[cause.Language]string {
	return map[cause.Language]string{cause.English: en, cause.Chinese: zh}
}

func (d *document) fileName(lang cause.Language) string {
	if lang == cause.English {
		return d.name + ".md"
	}
	return d.name + "." + string(lang) + ".md"
}

// documents runs the scenarios and returns the documents by file name.
func documents(ctx context.Context) (map[string]string, error) {
	files := map[string]string{}
	for _, d := range []document{dnsDocument(), webDocument()} {
		texts, err := d.write(ctx)
		if err != nil {
			return nil, err
		}
		for lang, text := range texts {
			files[d.fileName(lang)] = text
		}
	}
	return files, nil
}

func (d *document) write(ctx context.Context) (map[cause.Language]string, error) {
	texts := map[cause.Language]string{}
	for _, lang := range cause.Languages() {
		texts[lang] = d.introduction[lang]
	}
	for _, s := range d.sections {
		for lang := range texts {
			texts[lang] += fmt.Sprintf("\n## %s\n", s.title[lang])
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
			for lang := range texts {
				texts[lang] += entry(scenario, report, lang)
			}
		}
	}
	return texts, nil
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
		if o.HTTP != nil && o.HTTP.Random != "" {
			text = strings.ReplaceAll(text, o.HTTP.Random, "q7x2m9k4w8e3r6t1")
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
