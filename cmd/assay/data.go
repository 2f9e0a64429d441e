package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/data"
	"assay/internal/render"
	"assay/profile"
)

// dataDirectory is where imported snapshots are: $ASSAY_DATA, else "assay" in
// the user's data directory.
func (a *app) dataDirectory() string {
	if dir := a.getenv("ASSAY_DATA"); dir != "" {
		return dir
	}
	if dir := a.getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "assay")
	}
	if home := a.getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "share", "assay")
	}
	if dir := a.getenv("LocalAppData"); dir != "" {
		return filepath.Join(dir, "assay")
	}
	return ""
}

// dataSet is the snapshots to judge with: the built-in ones, and in their place
// those that were imported.
func (a *app) dataSet() (*data.Set, error) {
	dir := a.dataDirectory()
	if dir == "" {
		return data.Embedded(), nil
	}
	set, err := data.Open(dir)
	if err != nil {
		return nil, a.usage("assay data show", "error.open", "Path", dir, "Why", a.why(errors.Unwrap(err)))
	}
	return set, nil
}

func (a *app) dataCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: a.text.Text("data.short"),
		Long:  a.text.Text("data.long", "Directory", render.Safe(a.dataDirectory())),
		Args:  a.subcommandNeeded,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var profileName string
	var asJSON bool
	show := &cobra.Command{
		Use: "show", Short: a.text.Text("data.show.short"), Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.showData(profileName, asJSON) },
	}
	show.Flags().StringVar(&profileName, "profile", "cloud", a.text.Text("flag.profile"))
	show.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	update := &cobra.Command{
		Use: "update [NAME…]", Short: a.text.Text("data.update.short"), Long: a.text.Text("data.update.long"),
		ValidArgs: data.Updatable(),
		RunE:      func(c *cobra.Command, names []string) error { return a.updateData(c.Context(), names) },
	}
	read := &cobra.Command{
		Use: "import NAME FILE|-", Short: a.text.Text("data.import.short"), Long: a.text.Text("data.import.long"),
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return a.importData(args[0], args[1]) },
	}
	c.AddCommand(show, update, read)
	return c
}

// A snapshotView is a snapshot as it is shown.
type snapshotView struct {
	Name     string `json:"name"`
	Date     string `json:"date"`
	Days     int    `json:"age_days"`
	MostDays int    `json:"max_age_days,omitempty"`
	Entries  int    `json:"entries"`
	Imported bool   `json:"imported"`
	SHA256   string `json:"sha256"`
	Source   string `json:"source"`
	Error    string `json:"error,omitempty"`
}

func (a *app) showData(profileName string, asJSON bool) error {
	p, err := a.profile(profileName)
	if err != nil {
		return err
	}
	set, err := a.dataSet()
	if err != nil {
		return err
	}
	views := a.snapshots(p, set)
	if asJSON {
		return a.writeJSON(views)
	}
	page := a.page()
	var rows [][]render.Cell
	for _, v := range views {
		state := "ok"
		if v.Error != "" || v.MostDays > 0 && v.Days > v.MostDays {
			state = "bad"
		}
		origin := "data.embedded"
		if v.Imported {
			origin = "data.imported"
		}
		text := a.text.Count("doctor.list", v.Entries)
		if v.Error != "" {
			text = v.Error
		}
		rows = append(rows, []render.Cell{
			page.State(state), render.BoldCell(v.Name), render.Plain(v.Date), render.Plain(a.age(v)),
			render.Plain(render.Safe(text)), render.Plain(a.text.Text(origin)),
		})
	}
	page.Table(0, 4, rows)
	page.Blank()
	page.Paragraph(0, a.text.Text("data.more", "Directory", render.Safe(a.dataDirectory())))
	return a.print(page)
}

func (a *app) age(v snapshotView) string {
	if v.MostDays == 0 {
		return a.text.Count("data.age", v.Days)
	}
	return a.text.Count("data.age-of", v.Days, "Most", v.MostDays)
}

func (a *app) snapshots(p *profile.Profile, set *data.Set) []snapshotView {
	var views []snapshotView
	for _, s := range set.Snapshots() {
		views = append(views, snapshotView{
			Name: s.Name, Date: s.Date.Format("2006-01-02"), Days: max(0, int(a.now().Sub(s.Date).Hours()/24)),
			MostDays: p.MaxAge[s.Name], Entries: s.Entries, Imported: s.Imported, SHA256: s.SHA256,
			Source: s.Source, Error: s.Error,
		})
	}
	return views
}

// importData reads one snapshot from a file into the data directory.
func (a *app) importData(name, path string) error {
	if !slices.Contains(data.Names(), name) {
		return a.usage("assay data show", "error.snapshot-name", "Name", name, "Names", strings.Join(data.Names(), ", "))
	}
	dir := a.dataDirectory()
	if dir == "" {
		return a.usage("ASSAY_DATA=/var/lib/assay assay data import "+name+" "+path, "error.no-data-directory")
	}
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return a.usage("assay data import --help", "error.open", "Path", path, "Why", a.why(err))
		}
		defer f.Close()
		in = f
	}
	s, err := data.Import(dir, name, in, a.now())
	if err != nil {
		return &failure{code: exitData, what: path + ": " + err.Error(), next: "assay data import --help"}
	}
	_, err = fmt.Fprintln(a.out, a.text.Text("data.imported-now", "Name", s.Name, "Date", s.Date.Format("2006-01-02"), "Entries", s.Entries))
	return err
}

// updateData fetches snapshots from where they are published.
func (a *app) updateData(ctx context.Context, names []string) error {
	for _, n := range names {
		if !slices.Contains(data.Updatable(), n) {
			return a.usage("assay data update", "error.snapshot-name", "Name", n, "Names", strings.Join(data.Updatable(), ", "))
		}
	}
	dir := a.dataDirectory()
	if dir == "" {
		return a.usage("ASSAY_DATA=/var/lib/assay assay data update", "error.no-data-directory")
	}
	client := &http.Client{Timeout: 2 * time.Minute}
	done, err := data.Update(ctx, func(ctx context.Context, url string) (io.ReadCloser, error) { return fetch(ctx, client, url) }, dir, names, a.now())
	for _, s := range done {
		fmt.Fprintln(a.out, a.text.Text("data.imported-now", "Name", s.Name, "Date", s.Date.Format("2006-01-02"), "Entries", s.Entries))
	}
	if err != nil {
		return &failure{code: exitUnknown, what: err.Error(), next: "assay data import NAME FILE"}
	}
	return nil
}

// fetch opens a page of an authority. These addresses are constants of the
// program: nobody else chooses them.
func fetch(ctx context.Context, client *http.Client, url string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("%s: status %s", url, response.Status)
	}
	return response.Body, nil
}
