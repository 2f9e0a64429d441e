package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/render"
	"assay/perspective"
	"assay/perspective/wire"
)

func (a *app) perspectiveJoinCommand() *cobra.Command {
	var file, address string
	var replace bool
	c := &cobra.Command{
		Use:     "join CODE",
		Short:   a.text.Text("perspective.join.short"),
		Long:    a.text.Text("perspective.join.long"),
		Example: "  assay perspective join assay1…",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				return a.joinPerspective(ctx, args, file, perspective.JoinOptions{Address: address, Replace: replace, Now: a.now})
			})
		},
	}
	c.Flags().StringVar(&file, "file", defaultPerspectives, a.text.Text("flag.perspectives-file"))
	c.Flags().StringVar(&address, "address", "", a.text.Text("flag.agent-address"))
	c.Flags().BoolVar(&replace, "replace", false, a.text.Text("flag.replace"))
	return c
}

// joinPerspective joins an agent and tests it. It exits with 4 where the agent
// joined but is not to be believed.
func (a *app) joinPerspective(ctx context.Context, args []string, file string, o perspective.JoinOptions) error {
	const next = "assay perspective serve --join"
	if len(args) == 0 {
		return a.usage("assay perspective serve --help", "perspective.needs-code")
	}
	code, err := wire.ParseCode(strings.Join(args, ""))
	if err != nil {
		return a.usage(next, "perspective.bad-code")
	}
	r, err := perspective.Join(ctx, code, file, o)
	if err != nil {
		return a.perspectiveError(err, file, next)
	}
	defer r.Close()
	h := r.Test(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	p := a.page()
	p.Line(p.Bold(a.text.Text("perspective.joined", "ID", h.About.ID, "Region", h.About.Region, "File", render.Safe(file))))
	a.showHealth(p, h)
	if h.Fault != nil {
		a.exit = exitUnknown
	}
	p.Blank()
	p.Line(p.Command(render.Safe("assay perspective list --file " + quoteAll([]string{file})[0])))
	return a.print(p)
}

// showHealth says what a test found.
func (a *app) showHealth(p *render.Page, h perspective.Health) {
	column := p.Column("perspective.key", "perspective.test", "perspective.rtt", "perspective.missing")
	p.Row(0, column, a.text.Text("perspective.key"), h.About.Key)
	if h.RTT > 0 {
		p.Row(0, column, a.text.Text("perspective.rtt"), milliseconds(h.RTT))
	}
	test := a.text.Text("perspective.test.good")
	if h.Fault != nil {
		test = render.Safe(a.fault(h.Fault))
	}
	p.Row(0, column, a.text.Text("perspective.test"), test)
	if missing := missingWords(h.About.Missing); missing != "" {
		p.Row(0, column, a.text.Text("perspective.missing"), render.Safe(missing))
	}
}

func (a *app) perspectiveRemoveCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "remove ID",
		Short: a.text.Text("perspective.remove.short"),
		Long:  a.text.Text("perspective.remove.long"),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return a.usage("assay perspective list", "perspective.needs-one-id")
			}
			return a.interruptible(c, func(ctx context.Context) error { return a.removePerspective(ctx, args[0], file) })
		},
	}
	c.Flags().StringVar(&file, "file", defaultPerspectives, a.text.Text("flag.perspectives-file"))
	return c
}

// removePerspective takes a perspective out of the file, and asks it to forget
// this coordinator, which it need not hear.
func (a *app) removePerspective(ctx context.Context, id, file string) error {
	const next = "assay perspective list"
	e, err := perspective.Remove(file, id)
	if err != nil {
		return a.perspectiveError(err, file, next)
	}
	told := a.leave(ctx, e, file)
	p := a.page()
	p.Line(a.text.Text("perspective.removed", "ID", e.ID, "File", render.Safe(file)))
	if told != nil {
		p.Paragraph(0, a.text.Text("perspective.not-told", "Why", render.Safe(told.Error())))
	}
	return a.print(p)
}

func (a *app) leave(ctx context.Context, e perspective.Entry, file string) error {
	id, err := perspective.Coordinator(file)
	if err != nil {
		return err
	}
	r, err := perspective.NewRemote(e, id, perspective.Options{Now: a.now})
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Leave(ctx)
}
