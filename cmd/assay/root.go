package main

import (
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"assay/internal/message"
	"assay/internal/render"
)

// rootFlags are the flags every command has.
type rootFlags struct {
	lang  string
	color string
	width int
}

// language settles the language before the command line is parsed, so that
// help and errors are in it too.
func (a *app) language(args []string) error {
	asked := ""
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if value, ok := strings.CutPrefix(arg, "--lang="); ok {
			asked = value
		} else if arg == "--lang" && i+1 < len(args) {
			asked = args[i+1]
		}
	}
	lang, ok := message.Detect(asked, a.getenv)
	a.text = message.New(lang)
	if !ok {
		return a.usage("assay help", "error.language", "Lang", asked)
	}
	return nil
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "assay",
		Short:         a.text.Text("assay.short"),
		Long:          a.text.Text("assay.long"),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.unknownCommand(c, args[0])
			}
			return c.Help()
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetUsageTemplate(a.usageTemplate())
	f := root.PersistentFlags()
	f.StringVar(&a.flags.lang, "lang", "", a.text.Text("flag.lang"))
	f.StringVar(&a.flags.color, "color", "auto", a.text.Text("flag.color"))
	f.IntVar(&a.flags.width, "width", 0, a.text.Text("flag.width"))
	f.BoolP("help", "h", false, a.text.Text("flag.help"))
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains([]string{"auto", "always", "never"}, a.flags.color) {
			return a.usage("assay help", "error.one-of", "Flag", "--color", "Value", a.flags.color, "Allowed", "auto, always, never")
		}
		return nil
	}
	root.SetFlagErrorFunc(a.flagError)
	root.AddCommand(a.commands()...)
	for _, c := range root.Commands() {
		a.countArguments(c)
	}
	root.SetHelpCommand(a.helpCommand(root))
	return root
}

// commands lists the subcommands; help shows them in the order of their names.
// Where the first argument names one, that alone is made: the words of all the
// others would be looked up for nothing.
func (a *app) commands() []*cobra.Command {
	all := []struct {
		name string
		make func() *cobra.Command
	}{
		{"check", a.checkCommand},
		{"causes", a.causesCommand},
		{"cert", a.certCommand},
		{"csr", a.csrCommand},
		{"explain", a.explainCommand},
		{"perspective", a.perspectiveCommand},
		{"profile", a.profileCommand},
		{"replay", a.replayCommand},
		{"schema", a.schemaCommand},
		{"doctor", a.doctorCommand},
		{"data", a.dataCommand},
		{"version", a.versionCommand},
		{"dns", a.dnsCommand},
		{"lab", a.labCommand},
		{"serve", a.serveCommand},
		{"login", a.loginCommand},
		{"logout", a.logoutCommand},
		{"token", a.tokenCommand},
		{"order", a.orderCommand},
		{"notify", a.notifyCommand},
		{"review", a.reviewCommand},
		{"org", a.orgCommand},
		{"contact", a.contactCommand},
		{"domain", a.domainCommand},
		{"letter", a.orderLetterCommand},
		{"audit", a.auditCommand},
		{"db", a.dbCommand},
		{"ca", a.caCommand},
		{"crl", a.crlCommand},
		{"forecast", a.forecastCommand},
		{"exit-codes", a.exitCodesTopic},
	}
	for _, c := range all {
		if len(a.args) > 0 && a.args[0] == c.name {
			return []*cobra.Command{c.make()}
		}
	}
	list := make([]*cobra.Command, 0, len(all))
	for _, c := range all {
		list = append(list, c.make())
	}
	return list
}

// helpCommand is `assay help [COMMAND]`, with an error for what there is no help on.
func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: a.text.Text("help.short"),
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || c == root && len(rest) > 0 {
				return a.unknownCommand(root, strings.Join(args, " "))
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

func (a *app) unknownCommand(c *cobra.Command, name string) error {
	next := "assay help"
	if near := c.SuggestionsFor(name); len(near) > 0 {
		next = "assay " + near[0]
	}
	return a.usage(next, "error.unknown-command", "Command", name)
}

// style is how to set text off on a stream: colours only on a terminal and
// where NO_COLOR is not set, unless --color says otherwise.
func (a *app) style(w io.Writer) render.Style {
	s := render.Style{ASCII: !a.utf8()}
	switch a.flags.color {
	case "always":
		s.Color = true
	case "never":
	default:
		s.Color = terminal(w) && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
	}
	return s
}

// utf8 is false where the locale names another encoding; without any locale
// (a container) UTF-8 is assumed.
func (a *app) utf8() bool {
	for _, key := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := a.getenv(key); v != "" {
			v = strings.ToLower(v)
			return v == "c.utf8" || strings.Contains(v, "utf-8") || strings.Contains(v, "utf8") || !strings.ContainsAny(v, ".") && v != "c" && v != "posix"
		}
	}
	return true
}

func terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is the width to lay text out in: --width, the terminal's, COLUMNS, 80.
func (a *app) width() int {
	if a.flags.width > 0 {
		return a.flags.width
	}
	if f, ok := a.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return min(w, 120)
		}
	}
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	return 80
}

func (a *app) usageTemplate() string {
	t := func(id string) string { return a.text.Text(id) }
	width := strconv.Itoa(max(60, a.width()))
	return t("usage.usage") + `{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} [command]{{end}}{{if .HasExample}}

` + t("usage.examples") + `
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

` + t("usage.commands") + `{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

` + t("usage.flags") + `
{{.LocalFlags.FlagUsagesWrapped ` + width + ` | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

` + t("usage.global-flags") + `
{{.InheritedFlags.FlagUsagesWrapped ` + width + ` | trimTrailingWhitespaces}}{{end}}{{if .HasHelpSubCommands}}

` + t("usage.topics") + `{{range .Commands}}{{if .IsAdditionalHelpTopicCommand}}
  {{.Root.Name}} help {{.Name}}  {{.Short}}{{end}}{{end}}{{end}}
`
}
