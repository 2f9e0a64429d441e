package notify

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/order"
	"assay/review"
)

// maxFindings is how many findings a letter spells out.
const maxFindings = 10

// A Letter is what a notice says, before it is put into words.
type Letter struct {
	ID    string
	Event Event
	At    time.Time
	// Role is whom it speaks to.
	Role string
	// The order, as it is when the letter is written; "": the certificate has none.
	Tenant, Account, Order, Product, State string
	// Name is the first of Names names.
	Name     string
	Names    int
	Deadline time.Time
	// Certificate is the one that it is about, Ends when that ends; "": it is about none.
	Certificate string
	Ends        time.Time
	// Findings are what is in its way, in any language.
	Findings []review.Finding
	// Note is what a person wrote.
	Note string
	// Link leads to the order; "": nowhere.
	Link string
	// Data is what the event's audit entry says.
	Data json.RawMessage
}

// payload is the body of a webhook. Fields are added, never changed.
type payload struct {
	Type      Event     `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		Tenant  string `json:"tenant,omitempty"`
		Account string `json:"account,omitempty"`
		Order   string `json:"order,omitempty"`
		// Certificate is that of an event of a certificate; one that was uploaded has
		// no order.
		Certificate string          `json:"certificate,omitempty"`
		Name        string          `json:"name,omitempty"`
		Names       int             `json:"names,omitempty"`
		Product     string          `json:"product,omitempty"`
		State       string          `json:"state,omitempty"`
		Deadline    *time.Time      `json:"deadline,omitempty"`
		Ends        *time.Time      `json:"ends,omitempty"`
		Subject     string          `json:"subject"`
		Note        string          `json:"note,omitempty"`
		Link        string          `json:"link,omitempty"`
		Findings    []finding       `json:"findings"`
		Event       json.RawMessage `json:"event,omitempty"`
	} `json:"data"`
}

type finding struct {
	ID       string      `json:"id"`
	Cause    cause.ID    `json:"cause"`
	Level    cause.Level `json:"level"`
	Subject  string      `json:"subject"`
	Title    string      `json:"title"`
	Text     string      `json:"text"`
	Handling []string    `json:"handling"`
	Who      cause.Who   `json:"who"`
	RetryAt  *time.Time  `json:"retry_at,omitempty"`
}

//go:embed letter.html
var letterHTML string

// parsed anew for every letter: a letter is rare, and package state is none.
func page() (*template.Template, error) { return template.New("letter").Parse(letterHTML) }

// Write puts a letter into words of the printer's language.
func (l *Letter) Write(p *message.Printer) (*Message, error) {
	w := l.words(p)
	html := &strings.Builder{}
	t, err := page()
	if err == nil {
		err = t.Execute(html, w)
	}
	if err != nil {
		return nil, fmt.Errorf("writing a notice: %w", err)
	}
	body := payload{Type: l.Event, Timestamp: l.At.UTC()}
	d := &body.Data
	d.Tenant, d.Account, d.Order, d.Name, d.Names, d.Product, d.State = l.Tenant, l.Account, l.Order, l.Name, l.Names, l.Product, l.State
	d.Subject, d.Note, d.Link, d.Event = w.Subject, l.Note, l.Link, l.Data
	d.Certificate, d.Deadline, d.Ends = l.Certificate, given(l.Deadline), given(l.Ends)
	d.Findings = []finding{}
	for i := range w.found {
		f := &w.found[i]
		d.Findings = append(d.Findings, finding{f.ID, f.Cause, f.Level, f.Subject, f.Title, f.Explanation, f.Handling, f.Who, f.RetryAt})
	}
	raw, err := json.Marshal(&body)
	if err != nil {
		return nil, fmt.Errorf("writing a notice: %w", err)
	}
	return &Message{ID: l.ID, Event: l.Event, At: l.At, Subject: w.Subject, Text: w.text(), HTML: html.String(), Payload: raw}, nil
}

// given is a time in UTC; nil: there is none.
func given(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

// words is a letter in one language, for either form.
type words struct {
	Lang, Subject, Lead      string
	Facts                    []fact
	TodoHead                 string
	Todo                     []item
	More, NoteHead, Note     string
	Link, LinkText, Footnote string

	found []review.Finding
}

type fact struct{ Head, Text string }

// An item is one finding: what is wrong, what to do, who.
type item struct {
	Title, Subject, Text string
	Handling             []string
	Who, Retry           string
}

// words are every text of a letter. Each is one line of text, whatever it is made of.
func (l *Letter) words(p *message.Printer) *words {
	t := func(id string, pairs ...any) string { return oneLine(p.Text(id, pairs...)) }
	event := "notice." + string(l.Event)
	pairs := []any{"Name", Clip(l.Name, 100), "Order", l.Order, "Certificate", l.Certificate, "Account", Clip(l.Account, 64)}
	w := &words{
		Lang: string(p.Lang()), Subject: t(event+".subject", pairs...), Lead: t(l.lead(p), pairs...),
		Note: Clip(l.Note, 2000), Link: l.Link, LinkText: t("notice.link"), Footnote: t("notice.footer", pairs...),
	}
	if l.Certificate != "" {
		w.Footnote = t("notice.footer-certificate", pairs...)
	}
	if w.Note != "" {
		w.NoteHead = t("notice.note")
		if l.Event == ReviewAnswered {
			w.NoteHead = t("notice.note-applicant")
		}
	}
	add := func(id, text string) {
		if text != "" {
			w.Facts = append(w.Facts, fact{t(id), oneLine(text)})
		}
	}
	add("notice.order", l.Order)
	if l.Order == "" {
		add("notice.certificate", l.Certificate)
	}
	if l.Names > 1 {
		add("notice.names", t("notice.and-more", "Name", Clip(l.Name, 100), "More", l.Names-1))
	} else {
		add("notice.names", Clip(l.Name, 260))
	}
	add("notice.account", Clip(l.Account, 64))
	if !l.Deadline.IsZero() {
		add("notice.deadline", l.Deadline.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if !l.Ends.IsZero() {
		add("notice.ends", l.Ends.UTC().Format("2006-01-02 15:04 UTC"))
	}
	w.findings(l, p)
	return w
}

// lead is the text that a letter begins with. Of a certificate that was made elsewhere
// it does not say how to have it renewed here, nor to a reviewer what an owner does, and of
// an order that cannot be submitted again yet not to do so.
func (l *Letter) lead(p *message.Printer) string {
	id := "notice." + string(l.Event) + ".lead"
	switch {
	case l.Order == "" && l.Certificate != "" && p.Has(id+"-uploaded"):
		return id + "-uploaded"
	case l.State == string(order.StateCancelling) && p.Has(id+"-cancelling"):
		return id + "-cancelling"
	case l.Role != "applicant" && p.Has(id+"-staff"):
		return id + "-staff"
	}
	return id
}

// findings puts what is in the order's way into words, the gravest first, without
// consequences of others.
func (w *words) findings(l *Letter, p *message.Printer) {
	r := &review.Report{}
	for i := range l.Findings {
		// Nothing that is wrong where a certificate is used stops an order.
		if f := l.Findings[i]; (f.Level.Blocks() || l.Event == CertificateDeployed) && f.ExplainedBy == "" {
			r.Findings = append(r.Findings, f)
		}
	}
	more := len(r.Findings) - maxFindings
	if more > 0 {
		r.Findings = r.Findings[:maxFindings]
		id := "notice.more"
		if l.Certificate != "" {
			id = "notice.more-certificate"
		}
		w.More = oneLine(p.Text(id, "More", more))
	}
	r.Localize(p.Lang())
	w.found = r.Findings
	if len(w.found) > 0 {
		w.TodoHead = oneLine(p.Text("notice.todo"))
	}
	for i := range w.found {
		f := &w.found[i]
		it := item{Title: oneLine(f.Title), Subject: Clip(f.Subject, 260), Text: oneLine(f.Explanation)}
		for _, h := range f.Handling {
			it.Handling = append(it.Handling, oneLine(h))
		}
		it.Who = oneLine(p.Text("notice.who", "Who", p.Text("who."+string(f.Who))))
		if f.RetryAt != nil {
			it.Retry = oneLine(p.Text("notice.retry", "At", f.RetryAt.UTC().Format("2006-01-02 15:04 UTC")))
		}
		w.Todo = append(w.Todo, it)
	}
}

// text is the letter as plain text.
func (w *words) text() string {
	var b strings.Builder
	line := func(parts ...string) { b.WriteString(strings.Join(parts, "") + "\n") }
	line(w.Lead)
	line()
	for _, f := range w.Facts {
		line(f.Head, ": ", f.Text)
	}
	if w.Note != "" {
		line()
		line(w.NoteHead)
		line("  ", w.Note)
	}
	if w.TodoHead != "" {
		line()
		line(w.TodoHead)
	}
	for i, it := range w.Todo {
		line()
		line(fmt.Sprint(i+1), ". ", it.Title, " (", it.Subject, ")")
		line("   ", it.Text)
		for _, h := range it.Handling {
			line("   - ", h)
		}
		line("   ", it.Who)
		if it.Retry != "" {
			line("   ", it.Retry)
		}
	}
	if w.More != "" {
		line()
		line(w.More)
	}
	line()
	if w.Link != "" {
		line(w.LinkText, ": ", w.Link)
	}
	line("-- ")
	line(w.Footnote)
	return b.String()
}
