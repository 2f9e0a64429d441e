package letter

import (
	_ "embed"
	"html/template"
	"io"
	"time"

	"assay/internal/message"
)

// A Form is what a confirmation letter says.
type Form struct {
	// Order is the number of the order, Profile the title of the CA's rules.
	Order, Profile string
	Product        string
	Names          []string
	Organization   string
	Number         string
	Address        []string
	Phone          string
	Administrator  string
	Title          string
	At             time.Time
}

//go:embed form.html
var formText string

// Write writes the letter to print, sign and seal: one page of HTML that loads
// nothing. Whatever stands in a Form is text: it is escaped for where it stands.
func (f *Form) Write(w io.Writer, p *message.Printer) error {
	t, err := template.New("letter").Funcs(template.FuncMap{
		"text": func(id string, pairs ...any) string { return p.Text("letter.form."+id, pairs...) },
		"lang": func() string { return string(p.Lang()) },
		"date": func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
	}).Parse(formText)
	if err != nil {
		return err
	}
	return t.Execute(w, f)
}
