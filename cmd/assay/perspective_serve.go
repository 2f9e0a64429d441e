package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/config"
	"assay/internal/render"
	"assay/perspective"
	"assay/perspective/agent"
	"assay/perspective/identity"
)

// serveFlags are the flags of assay perspective serve.
type serveFlags struct {
	listen, id, state, advertise string
	join                         bool
	joinFor                      time.Duration
	rate                         int
	network                      *networkFlags
}

func (a *app) perspectiveServeCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:     "serve --id P3 --region RIPE [--listen ADDRESS]",
		Short:   a.text.Text("perspective.serve.short"),
		Long:    a.text.Text("perspective.serve.long"),
		Example: "  assay perspective serve --id P3 --region RIPE --location 52.37,4.90 --listen :8443",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop)
			return a.servePerspective(ctx, &f)
		},
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.id, "id", "", a.text.Text("flag.perspective-id"))
	s.StringVar(&f.listen, "listen", ":8443", a.text.Text("flag.listen"))
	s.StringVar(&f.advertise, "advertise", "", a.text.Text("flag.advertise"))
	s.StringVar(&f.state, "state", "", a.text.Text("flag.state"))
	s.BoolVar(&f.join, "join", false, a.text.Text("flag.join"))
	s.DurationVar(&f.joinFor, "join-for", time.Hour, a.text.Text("flag.join-for"))
	s.IntVar(&f.rate, "rate", 200, a.text.Text("flag.rate"))
	f.network = a.network(c)
	return c
}

// servePerspective looks for coordinators until ctx ends.
func (a *app) servePerspective(ctx context.Context, f *serveFlags) error {
	const next = "assay perspective serve --help"
	n, err := a.serveSettings(f)
	if err != nil {
		return err
	}
	place, err := n.Place(f.id, a.now)
	if err != nil {
		return err
	}
	state := a.stateDirectory(f)
	id, err := identity.LoadOrCreate(filepath.Join(state, "key.pem"))
	if err != nil {
		return &failure{code: exitUsage, what: err.Error(), next: next}
	}
	coordinators, err := agent.OpenCoordinators(filepath.Join(state, "coordinators.toml"))
	if err != nil {
		return &failure{code: exitUsage, what: err.Error(), next: next}
	}
	g, err := agent.New(agent.Config{
		Place: place, Location: n.Location, Identity: id, Coordinators: coordinators, Rate: f.rate, Now: a.now,
		Log: slog.New(slog.NewTextHandler(a.err, nil)),
	})
	if err != nil {
		return &failure{code: exitUsage, what: err.Error(), next: next}
	}
	l, err := net.Listen("tcp", f.listen)
	if err != nil {
		return a.usage(next, "perspective.listen", "Address", f.listen, "Why", err.Error())
	}
	if err := a.welcome(f, g, coordinators, l.Addr().String(), state); err != nil {
		l.Close()
		return err
	}
	return g.Serve(ctx, l)
}

// serveSettings checks the flags and returns how to look from here.
func (a *app) serveSettings(f *serveFlags) (*config.Network, error) {
	const next = "assay perspective serve --id P3 --region RIPE"
	set, err := a.dataSet()
	if err != nil {
		return nil, err
	}
	n, err := a.resolve(f.network, set)
	if err != nil {
		return nil, err
	}
	if f.id == "" || n.Region == "" {
		return nil, a.usage(next, "perspective.needs-id")
	}
	if err := perspective.CheckID(f.id); err != nil {
		return nil, &failure{code: exitUsage, what: err.Error(), next: next}
	}
	if f.rate < 1 || f.joinFor < time.Minute || f.joinFor > 7*24*time.Hour {
		return nil, a.usage("assay perspective serve --help", "perspective.bad-rate")
	}
	return n, nil
}

// stateDirectory holds the agent's key and its coordinators: --state, systemd's
// state directory, or one in the data directory for each id.
func (a *app) stateDirectory(f *serveFlags) string {
	if f.state != "" {
		return f.state
	}
	if dir := a.getenv("STATE_DIRECTORY"); dir != "" {
		return dir
	}
	return filepath.Join(a.dataDirectory(), "perspective", f.id)
}

// welcome says what runs here, and how to join it.
func (a *app) welcome(f *serveFlags, g *agent.Agent, coordinators *agent.Coordinators, listening, state string) error {
	about := g.About()
	p := a.page()
	column := p.Column("perspective.key", "perspective.address", "perspective.coordinators", "perspective.state")
	p.Line(p.Bold(a.text.Text("perspective.serving", "ID", about.ID, "Region", about.Region)))
	p.Row(0, column, a.text.Text("perspective.address"), listening)
	p.Row(0, column, a.text.Text("perspective.key"), about.Key)
	p.Row(0, column, a.text.Text("perspective.state"), render.Safe(state))
	p.Row(0, column, a.text.Text("perspective.coordinators"), fmt.Sprint(coordinators.Len()))
	if !f.join && coordinators.Len() > 0 {
		return a.print(p)
	}
	address := f.advertise
	if address == "" {
		address = reachable(listening)
	}
	code, err := g.OpenJoin(address, f.joinFor)
	if err != nil {
		return &failure{code: exitUsage, what: err.Error(), next: "assay perspective serve --help"}
	}
	p.Blank()
	p.Paragraph(0, a.text.Text("perspective.join-code", "Until", code.Expires.Format("2006-01-02 15:04:05 UTC"), "Address", address))
	p.Blank()
	if err := a.print(p); err != nil {
		return err
	}
	// Never wrapped: it is copied as one word.
	_, err = fmt.Fprintf(a.out, "assay perspective join %s\n", code)
	return err
}

// reachable guesses the address by which others reach a listener: that of the
// way out where it listens on all.
func reachable(listening string) string {
	host, port, err := net.SplitHostPort(listening)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return listening
	}
	// Connecting a UDP socket sends nothing: it asks the kernel for a route.
	for _, root := range []string{"198.41.0.4:53", "[2001:503:ba3e::2:30]:53"} {
		if conn, err := net.Dial("udp", root); err == nil {
			defer conn.Close()
			host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
			return net.JoinHostPort(host, port)
		}
	}
	return net.JoinHostPort("127.0.0.1", port)
}
