package main

import (
	"encoding/xml"
	"io"
	"os"
	"strings"
	"testing"
)

// TestCurrent: the picture in docs/ shows what the program prints now, and the
// README shows the picture and names the same command.
func TestCurrent(t *testing.T) {
	t.Parallel()
	want, err := picture()
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../../docs/report.svg")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("docs/report.svg is out of date: run go generate ./internal/gen/picture")
	}
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"(docs/report.svg)", strings.TrimPrefix(command, "assay ")} {
		if !strings.Contains(string(readme), text) {
			t.Errorf("the README does not hold %q", text)
		}
	}
}

// TestPicture: it is well-formed and shows the report's words, no codes.
func TestPicture(t *testing.T) {
	t.Parallel()
	svg, err := picture()
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			shown.Write(text)
		}
	}
	for _, text := range []string{"REFUSE", "policy.rare-root-domain", "policy.sensitive-word", "www.qq.pw", "assay causes"} {
		if !strings.Contains(shown.String(), text) {
			t.Errorf("the picture does not show %q", text)
		}
	}
	if strings.Contains(svg, "\x1b") {
		t.Error("the picture holds terminal codes")
	}
}
