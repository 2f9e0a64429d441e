package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"assay/internal/render"
	"assay/profile"
)

func (a *app) profileCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "profile",
		Short: a.text.Text("profile.short"),
		Long:  a.text.Text("profile.long"),
		Args:  a.subcommandNeeded,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var asJSON bool
	c.PersistentFlags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	c.AddCommand(
		a.profileTryCommand(),
		&cobra.Command{
			Use: "list", Short: a.text.Text("profile.list.short"), Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return a.listProfiles(asJSON) },
		},
		&cobra.Command{
			Use: "show NAME|FILE", Short: a.text.Text("profile.show.short"), Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return a.showProfile(args[0], asJSON) },
		},
		&cobra.Command{
			Use: "diff A B", Short: a.text.Text("profile.diff.short"), Args: cobra.ExactArgs(2),
			RunE: func(_ *cobra.Command, args []string) error { return a.diffProfiles(args[0], args[1], asJSON) },
		},
	)
	return c
}

func (a *app) listProfiles(asJSON bool) error {
	type view struct {
		Name    string `json:"name"`
		Title   string `json:"title"`
		Version string `json:"version"`
		Digest  string `json:"digest"`
	}
	var views []view
	for _, name := range profile.Embedded() {
		p, err := profile.Named(name)
		if err != nil {
			return err
		}
		views = append(views, view{p.Name, p.Title, p.Version, p.Digest()})
	}
	if asJSON {
		return a.writeJSON(views)
	}
	p := a.page()
	var rows [][]render.Cell
	for _, v := range views {
		rows = append(rows, []render.Cell{render.BoldCell(v.Name), render.Plain(v.Title), render.FaintCell(v.Version + "  " + v.Digest[:min(len(v.Digest), 19)])})
	}
	p.Table(0, 1, rows)
	p.Blank()
	p.Paragraph(0, a.text.Text("profile.more"))
	return a.print(p)
}

// showProfile prints a profile as a profile file would say it without
// inheriting anything.
func (a *app) showProfile(name string, asJSON bool) error {
	p, err := a.profile(name)
	if err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(p)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n# %s\n\n", render.Safe(p.Name+" "+p.Version), p.Digest())
	enc := toml.NewEncoder(&b)
	enc.SetIndentTables(false)
	if err := enc.Encode(p); err != nil {
		return err
	}
	_, err = a.out.Write([]byte(render.SafeLines(b.String())))
	return err
}

// A difference is one field that two profiles set differently.
type difference struct {
	Field string `json:"field"`
	A     string `json:"a"`
	B     string `json:"b"`
}

func (a *app) diffProfiles(nameA, nameB string, asJSON bool) error {
	pa, err := a.profile(nameA)
	if err != nil {
		return err
	}
	pb, err := a.profile(nameB)
	if err != nil {
		return err
	}
	differences, err := differ(pa, pb)
	if err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(differences)
	}
	p := a.page()
	if len(differences) == 0 {
		p.Paragraph(0, a.text.Text("profile.same"))
		return a.print(p)
	}
	p.Line(p.Bold(render.Safe(pa.Name)) + " → " + p.Bold(render.Safe(pb.Name)))
	section := "-"
	for _, d := range differences {
		head, rest, found := strings.Cut(d.Field, ".")
		if !found {
			head, rest = "", d.Field
		}
		if head != section {
			section = head
			p.Blank()
			if head != "" {
				p.Line(p.Bold("[" + head + "]"))
			}
		}
		p.Item(1, render.Safe(rest)+":", render.Safe(empty(d.A))+" → "+render.Safe(empty(d.B)))
	}
	return a.print(p)
}

func empty(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func differ(a, b *profile.Profile) ([]difference, error) {
	fa, err := fields(a)
	if err != nil {
		return nil, err
	}
	fb, err := fields(b)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(fa))
	for n := range fa {
		names = append(names, n)
	}
	for n := range fb {
		if _, ok := fa[n]; !ok {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(x, y string) int {
		// Fields of the profile itself stand before those of its tables.
		if cx, cy := strings.Contains(x, "."), strings.Contains(y, "."); cx != cy {
			if cy {
				return -1
			}
			return 1
		}
		return strings.Compare(x, y)
	})
	differences := []difference{}
	for _, n := range names {
		if fa[n] != fb[n] {
			differences = append(differences, difference{n, fa[n], fb[n]})
		}
	}
	return differences, nil
}

// fields flattens a profile: "names.max_length" → "64". Lists of tables are
// keyed by what names their entries.
func fields(p *profile.Profile) (map[string]string, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	out := map[string]string{}
	flatten(out, "", tree)
	return out, nil
}

func flatten(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			next := k
			if path != "" {
				next = path + "." + k
			}
			flatten(out, next, item)
		}
	case []any:
		var words []string
		for _, item := range v {
			table, ok := item.(map[string]any)
			if !ok {
				words = append(words, fmt.Sprint(item))
				continue
			}
			flatten(out, path+"."+entryName(table), table)
		}
		if words != nil {
			out[path] = strings.Join(words, ", ")
		}
	case nil:
	default:
		out[path] = fmt.Sprint(v)
	}
}

// entryName is what tells an entry of a list of tables from the others.
func entryName(table map[string]any) string {
	if name, ok := table["name"].(string); ok {
		delete(table, "name")
		return name
	}
	from, _ := table["from"].(string)
	name, _, _ := strings.Cut(from, "T")
	if plan, _ := table["plan"].(string); plan != "" {
		name += "/" + plan
	}
	source, _ := table["source"].(string)
	delete(table, "from")
	delete(table, "plan")
	delete(table, "source")
	if source != "" {
		name += " (" + source + ")"
	}
	return name
}
