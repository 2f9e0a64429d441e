package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"strings"

	"assay/internal/message"
	"assay/internal/server/rest"
)

//go:embed page.html
var source string

// page is the document for people: one page without scripts.
func page(raw []byte) ([]byte, error) {
	var doc struct {
		Info struct{ Title, Version, Description string }
		Tags []struct{ Name, Description string }
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	var all struct {
		Components struct {
			Schemas map[string]map[string]any
		}
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	type problem struct {
		Kind, Title, Means string
		Status             int
	}
	var problems []problem
	words := message.New("en")
	for _, k := range kinds() {
		problems = append(problems, problem{string(k), title(k), words.Text("problem." + string(k) + ".means"), rest.Kinds()[k]})
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"json": pretty, "base": func() string { return rest.Base }, "paragraphs": func(s string) []string { return strings.Split(s, "\n\n") },
		"typed": typed,
	}).Parse(source)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Info": doc.Info, "Tags": doc.Tags, "Operations": rest.Operations(), "Problems": problems, "Schemas": all.Components.Schemas,
	})
	return b.Bytes(), err
}

func pretty(v any) (string, error) {
	if text, ok := v.(string); ok {
		return text, nil
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	return string(raw), err
}

// typed says in a few words what a schema takes.
func typed(schema map[string]any) string {
	ref := func(s any) string {
		text, _ := s.(string)
		return strings.TrimPrefix(text, "#/components/schemas/")
	}
	switch {
	case schema["$ref"] != nil:
		return ref(schema["$ref"])
	case schema["type"] == "array":
		if items, ok := schema["items"].(map[string]any); ok {
			return "list of " + typed(items)
		}
	case schema["enum"] != nil:
		var words []string
		for _, w := range schema["enum"].([]any) {
			words = append(words, w.(string))
		}
		return strings.Join(words, " | ")
	case schema["format"] != nil:
		return schema["format"].(string)
	}
	text, _ := schema["type"].(string)
	return text
}
