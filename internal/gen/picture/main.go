// Command picture draws docs/report.svg, the picture in the README: what the
// first command there prints on a terminal. A test keeps it current.
//
//	go run ./internal/gen/picture docs
package main

import (
	"context"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"time"

	"assay"
	"assay/internal/message"
	"assay/internal/render"
	"assay/order"
	"assay/profile"
)

//go:generate go run . ../../../docs

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: picture DIRECTORY")
		os.Exit(64)
	}
	svg, err := picture()
	if err == nil {
		err = os.WriteFile(filepath.Join(os.Args[1], "report.svg"), []byte(svg), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// command is what was typed; names are its arguments.
const command = "assay check --offline www.qq.pw pay.orchard.net"

var names = []string{"www.qq.pw", "pay.orchard.net"}

func picture() (string, error) {
	at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	r := &assay.Reviewer{Now: func() time.Time { return at }}
	for _, name := range profile.Embedded()[1:] {
		p, err := profile.Named(name)
		if err != nil {
			return "", err
		}
		r.Also = append(r.Also, p)
	}
	report, err := r.Review(context.Background(), (&order.File{Order: order.Order{Names: names}}).Resolve())
	if err != nil {
		return "", err
	}
	text := render.Report(report, message.New("en"), render.Options{
		Style: render.Style{Color: true}, Width: columns, Zone: time.UTC,
		Next: []string{"assay causes " + string(render.Gravest(report))},
	})
	return draw("\x1b[2m$\x1b[0m " + command + "\n\n" + text), nil
}

// Measures of the picture, in pixels but for columns.
const (
	columns    = 80
	cell       = 8.4 // of a letter of 14 pixels
	lineHeight = 20
	margin     = 20
	bar        = 32 // the window's title bar
)

// draw makes a picture of a terminal's text with SGR codes.
func draw(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	width, height := int(columns*cell)+2*margin, len(lines)*lineHeight+2*margin+bar
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="%[3]s">`+"\n",
		width, height, html.EscapeString(command))
	b.WriteString("<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}</style>\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#1b1e26"/>`+"\n", width, height)
	for i, colour := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="18" r="6" fill="%s"/>`+"\n", margin+2+20*i, colour)
	}
	// As an attribute: a colour in the style sheet would outweigh each run's.
	b.WriteString(`<g fill="#d6dbe5" xml:space="preserve">` + "\n")
	for i, line := range lines {
		drawLine(&b, line, margin+bar+i*lineHeight)
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

// drawLine writes the runs of one line. Each run says where it begins and how
// long it is, so that columns stay columns in any font.
func drawLine(b *strings.Builder, line string, top int) {
	column := 0
	for i, run := range strings.Split("\x1b[0m"+line, "\x1b[") {
		if i == 0 {
			continue // before the first code there is nothing
		}
		codes, text, _ := strings.Cut(run, "m")
		length := render.Width(text)
		x, w := float64(margin)+float64(column)*cell, float64(length)*cell
		column += length
		style, reversed := styleOf(codes)
		if reversed != "" {
			fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="3" fill="%s"/>`+"\n", x, top, w, lineHeight, reversed)
		}
		if trimmed := strings.Trim(text, " "); trimmed != "" {
			x += float64(len(text)-len(strings.TrimLeft(text, " "))) * cell
			text, w = trimmed, float64(render.Width(trimmed))*cell
			fmt.Fprintf(b, `<text x="%.1f" y="%d" textLength="%.1f"%s>%s</text>`+"\n", x, top+15, w, style, html.EscapeString(text))
		}
	}
}

var colours = map[string]string{
	"31": "#ff6b6b", "32": "#5fd38d", "33": "#f5c451", "34": "#6cb2ff", "35": "#d38df5", "36": "#56d4dd",
}

// styleOf returns the attributes of a run and, for reversed text, the colour
// behind it.
func styleOf(codes string) (attributes, reversed string) {
	fill := ""
	for code := range strings.SplitSeq(codes, ";") {
		switch code {
		case "1":
			attributes += ` font-weight="bold"`
		case "2":
			fill = "#8b93a5"
		case "7":
			reversed = "#d6dbe5"
		default:
			if c := colours[code]; c != "" {
				fill = c
			}
		}
	}
	if reversed != "" {
		reversed, fill = fill, "#1b1e26"
	}
	if fill != "" {
		attributes += ` fill="` + fill + `"`
	}
	return attributes, reversed
}
