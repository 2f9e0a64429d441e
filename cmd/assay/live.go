package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"assay"
	"assay/evidence"
	"assay/internal/render"
	"assay/perspective"
	"assay/review"
)

// lookLive lets a reviewer look at the network from this machine, after a
// self-test of what works here.
func (a *app) lookLive(ctx context.Context, f *checkFlags, r *assay.Reviewer) error {
	n, err := a.resolve(f.network, r.Data)
	if err != nil {
		return err
	}
	clock := a.now
	if f.at != "" {
		clock = r.Now
	}
	place, err := a.place(n, clock)
	if err != nil {
		return err
	}
	show := a.lookProgress()
	defer show.clear()
	show.say(a.text.Text("progress.self-test"))
	r.Places = []perspective.Place{place}
	remote, err := a.remotePlaces(ctx, f.places)
	if err != nil {
		return err
	}
	r.Places = append(r.Places, remote(func() { place.SelfTest(ctx) })...)
	return ctx.Err()
}

// look reviews the order, showing on a terminal what is being asked.
func (a *app) look(ctx context.Context, p *prepared) (*review.Report, error) {
	show := a.lookProgress()
	defer show.clear()
	r := *p.reviewer
	r.OnProgress = show.progress
	return r.Review(ctx, p.order)
}

// interruptible runs a command until it is done or Ctrl-C ends it, which is no
// error of anybody: nothing was decided then.
func (a *app) interruptible(c *cobra.Command, run func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return &failure{code: exitInterrupted, what: a.text.Text("error.interrupted")}
	}
	return err
}

// lookProgress is a line on a terminal that says what is being looked at and
// for how long, redrawn while nothing happens: a reader sees that it is alive.
type lookProgress struct {
	app     *app
	style   render.Style
	began   time.Time
	visible bool

	lock  sync.Mutex
	text  string
	fixed bool // no elapsed time before the text
	drawn bool
	stop  chan struct{}
	done  sync.WaitGroup
}

func (a *app) lookProgress() *lookProgress {
	return &lookProgress{app: a, style: a.style(a.err), began: time.Now(), visible: terminal(a.err)}
}

// redraw is how often the line is drawn anew.
const redraw = 100 * time.Millisecond

// say shows a text with the time elapsed, from now until clear.
func (p *lookProgress) say(text string) { p.show(text, false) }

// still shows a text as it is.
func (p *lookProgress) still(text string) { p.show(text, true) }

func (p *lookProgress) show(text string, fixed bool) {
	if !p.visible {
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.text, p.fixed = text, fixed
	if p.stop == nil {
		stop := make(chan struct{})
		p.stop = stop
		p.done.Go(func() { p.run(stop) })
	}
}

func (p *lookProgress) run(stop <-chan struct{}) {
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			p.draw()
		}
	}
}

func (p *lookProgress) draw() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.drawn = true
	elapsed := ""
	if !p.fixed {
		elapsed = fmt.Sprintf("%.1f s  ", time.Since(p.began).Seconds())
	}
	line := elapsed + render.Clip(p.text, max(20, p.app.width()-len(elapsed)-1))
	fmt.Fprint(p.app.err, "\r\x1b[K"+p.style.Faint(line))
}

// clear removes the line.
func (p *lookProgress) clear() {
	p.lock.Lock()
	stop := p.stop
	p.stop = nil
	p.lock.Unlock()
	if stop == nil {
		return
	}
	close(stop)
	p.done.Wait()
	if p.drawn {
		fmt.Fprint(p.app.err, "\r\x1b[K")
	}
}

// progress says what a round of questions is about.
func (p *lookProgress) progress(now assay.Progress) {
	if !p.visible {
		return
	}
	asked := 0
	for i := range now.Questions {
		if now.Questions[i].Kind != evidence.KindLookup {
			asked++
		}
	}
	if asked == 0 {
		return
	}
	id := "progress.round"
	if now.Round > 1 {
		id = "progress.explain" // later rounds ask what explains a failure
	}
	p.say(p.app.text.Text(id, "Round", now.Round, "Questions", p.app.text.Count("progress.look", asked), "What", questionsInWords(now.Questions)))
}

// maxProgressNames bounds the names in the line about progress.
const maxProgressNames = 2

// questionsInWords is "NS, SOA, TXT: _dnsauth.orchard.net, orchard.net, …".
func questionsInWords(questions []evidence.Question) string {
	var types, names []string
	add := func(list []string, s string) []string {
		if s == "" || slices.Contains(list, s) {
			return list
		}
		return append(list, s)
	}
	for _, q := range questions {
		switch {
		case q.DNS != nil:
			types, names = add(types, q.DNS.Type), add(names, q.DNS.Name)
		case q.HTTP != nil:
			types, names = add(types, "HTTP"), add(names, q.HTTP.URL)
		case q.TLS != nil:
			types = add(types, "TLS")
		}
	}
	text := strings.Join(types, ", ") + " "
	for i, n := range names {
		if i == maxProgressNames {
			return text + " …"
		}
		text += " " + render.Clip(render.Safe(n), 60)
	}
	return text
}
