package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
	"assay/order"
	"assay/review"
)

// account is where to send requests: ASSAY_URL and ASSAY_TOKEN, or what assay
// login wrote down.
func (a *app) account() (account, error) {
	own := account{URL: a.getenv("ASSAY_URL"), Token: a.getenv("ASSAY_TOKEN"), Fingerprint: a.getenv("ASSAY_FINGERPRINT")}
	if own.URL != "" && own.Token != "" {
		return own, nil
	}
	all, _, err := a.accounts()
	if err != nil {
		return own, err
	}
	// What the environment says about another server must not get this token.
	kept, known := all.account, all.URL != ""
	if own.URL != "" {
		kept, known = all.of(strings.TrimRight(own.URL, "/"))
	}
	if !known {
		next := "assay login " + cmp.Or(own.URL, "URL")
		return own, &failure{code: exitNoPermission, what: a.text.Text("login.needed"), next: next}
	}
	kept.Token = cmp.Or(own.Token, kept.Token)
	return kept, nil
}

// client is a client for the account.
func (a *app) client() (*client.Client, error) {
	own, err := a.account()
	if err != nil {
		return nil, err
	}
	return a.clientOf(own)
}

func (a *app) clientOf(own account) (*client.Client, error) {
	// No header can carry it, so that the service would not get to say so.
	if strings.ContainsFunc(own.Token, func(r rune) bool { return r < '!' || r > '~' }) {
		return nil, &failure{code: exitNoPermission, what: a.text.Text("service.token.form"), next: "assay login " + cmp.Or(own.URL, "URL")}
	}
	c, err := client.New(client.Config{
		URL: own.URL, Token: own.Token, Fingerprint: own.Fingerprint, Lang: string(a.text.Lang()), Version: review.Engine,
	})
	if err != nil {
		return nil, a.usage("assay login https://…", "login.address", "URL", own.URL, "Why", a.why(err))
	}
	return c, nil
}

// call makes one request and turns its error into one for a person.
func (a *app) call(ctx context.Context, call client.Call, into any) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	return a.servedAbout(orderAt(call.Path), c.Do(ctx, call, into))
}

// orderAt is the order that a path is about, "" where it is about something else.
func orderAt(path string) string {
	rest, ok := strings.CutPrefix(path, "/orders/")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, "/")
	if id, err := url.PathUnescape(id); err == nil {
		return id
	}
	return ""
}

// served turns an error of the service into one for a person.
func (a *app) served(err error) error { return a.servedAbout("", err) }

// servedAbout is served for a request about an order.
func (a *app) servedAbout(id string, err error) error {
	var p *client.Problem
	var f *failure
	var dial *net.OpError
	switch {
	case err == nil, errors.As(err, &f), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &p):
		return a.refusal(p, id)
	case errors.Is(err, client.ErrFingerprint):
		return &failure{code: exitUnavailable, what: a.text.Text("login.other-certificate"), next: "assay login URL --fingerprint …"}
	case errors.As(err, &dial) && dial.Op == "dial":
		return &failure{code: exitUnavailable, what: a.text.Text("login.unreachable", "Why", dial.Err), next: "assay serve"}
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which is long
	}
	return &failure{code: exitUnavailable, what: a.text.Text("login.unreachable", "Why", err), next: "assay login URL"}
}

// refusal is what the service does not do, with the findings that say why. id is the
// order's, "" where the request was about none.
func (a *app) refusal(p *client.Problem, id string) error {
	f := &failure{code: exitData, what: p.Error()}
	switch p.Status {
	case http.StatusUnauthorized:
		f.code, f.next = exitNoPermission, "assay login URL"
	case http.StatusForbidden:
		f.code, f.next = exitNoPermission, "assay token list"
	case http.StatusNotFound:
		f.next = "assay order list"
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		f.code = exitUnavailable
	default:
		if p.Status >= http.StatusInternalServerError {
			f.code = exitUnavailable // the server's fault: nothing that was given is wrong
		}
	}
	if len(p.Findings) > 0 {
		f.code = exitRefuse
		page := render.NewPage(a.width(), a.style(a.err), a.text)
		page.Findings(p.Findings)
		if _, err := a.err.Write([]byte(page.String())); err != nil {
			return err
		}
	}
	if f.next == "" {
		f.next = actionCommand(p, id)
	}
	return f
}

// actionCommand is the command for the first of the actions that an order's owner
// has one for, else the one that shows how the order stands; "": there is none.
func actionCommand(p *client.Problem, id string) string {
	words := map[order.Action]string{
		order.ActionSubmit: "order submit", order.ActionCheck: "order verify", order.ActionResubmit: "order resubmit",
		order.ActionCancel: "order cancel", order.ActionDelete: "order delete", order.ActionDownload: "cert download",
	}
	named := quoteArgument(cmp.Or(id, "ORDER"))
	for _, action := range p.Allowed {
		if word := words[action]; word != "" {
			return "assay " + word + " " + named
		}
	}
	if p.Kind == string(service.WrongState) && id != "" {
		return "assay order show " + named
	}
	return ""
}

func (a *app) loginCommand() *cobra.Command {
	var fingerprint string
	var list, asJSON bool
	c := &cobra.Command{
		Use:     "login URL",
		Short:   a.text.Text("login.short"),
		Long:    a.text.Text("login.long"),
		Example: "  assay login http://127.0.0.1:8080\n  assay login https://assay.orchard.net < token\n  assay login --list",
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case list && len(args) == 0 && fingerprint == "":
				return a.listServers(asJSON)
			case list:
				return a.usage("assay login --list", "login.list-alone")
			case len(args) != 1:
				return a.usage("assay login https://…", "login.needs-url")
			}
			return a.interruptible(c, func(ctx context.Context) error { return a.login(ctx, args[0], fingerprint) })
		},
	}
	c.Flags().StringVar(&fingerprint, "fingerprint", "", a.text.Text("flag.fingerprint"))
	c.Flags().BoolVar(&list, "list", false, a.text.Text("flag.login-list"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// login asks for a token, tries it, and writes it down. The token never stands on
// the command line, where other users of the machine could read it. For a server
// that is known no token goes back to the one that was kept.
func (a *app) login(ctx context.Context, address, fingerprint string) error {
	own := account{URL: strings.TrimRight(address, "/"), Fingerprint: fingerprint}
	if _, err := a.clientOf(own); err != nil {
		return err
	}
	kept, path, err := a.accounts()
	if err != nil {
		return err
	}
	known, again := kept.of(own.URL)
	if own.Token, err = a.askToken(again); err != nil {
		return err
	}
	if own.Token == "" {
		own.Token, own.Fingerprint = known.Token, cmp.Or(fingerprint, known.Fingerprint)
	}
	c, err := a.clientOf(own)
	if err != nil {
		return err
	}
	var who service.Whoami
	if err := a.served(c.Do(ctx, client.Call{Method: http.MethodGet, Path: "/whoami"}, &who)); err != nil {
		return err
	}
	kept.use(own)
	if err := keepAccounts(path, kept); err != nil {
		return a.usage("ASSAY_URL=… ASSAY_TOKEN=… assay …", "error.open", "Path", path, "Why", a.why(err))
	}
	p := a.page()
	p.Line(a.text.Text("login.done", "Account", render.Safe(who.Account), "Role", string(who.Role), "Tenant", render.Safe(who.Tenant), "Path", path))
	return a.print(p)
}

// askToken reads a token; none may be given only where one is kept.
func (a *app) askToken(kept bool) (token string, err error) {
	if f, ok := a.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		ask := "login.ask"
		if kept {
			ask = "login.ask-again"
		}
		if token, err = a.ask(f, ask); err != nil {
			return "", err
		}
	} else if token, err = bufio.NewReader(io.LimitReader(a.in, 1<<10)).ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
		return "", a.usage("assay login URL < token", "error.open", "Path", a.text.Text("input.stdin"), "Why", a.why(err))
	}
	if token = strings.TrimSpace(token); token == "" && !kept {
		return "", a.usage("assay login URL < token", "login.no-token")
	}
	return token, nil
}

func (a *app) logoutCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "logout", Short: a.text.Text("logout.short"), Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.logout(all) },
	}
	c.Flags().BoolVar(&all, "all", false, a.text.Text("flag.logout-all"))
	return c
}

// logout forgets the server in use, or all: also where the file cannot be read.
func (a *app) logout(all bool) error {
	path, err := a.accountPath()
	if err != nil {
		return err
	}
	kept := accounts{}
	if !all {
		if kept, _, err = a.accounts(); err != nil {
			return err
		}
		kept.forget(kept.URL)
	}
	if err := keepAccounts(path, kept); err != nil {
		return a.usage("assay logout", "error.open", "Path", path, "Why", a.why(err))
	}
	return nil
}
