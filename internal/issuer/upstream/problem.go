package upstream

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mholt/acmez/v3/acme"

	"assay/cause"
	"assay/explain"
	"assay/internal/issuer"
	"assay/order"
)

// Words of issuance.ca-unavailable.
const (
	problemBusy       = "busy"
	problemNetwork    = "network"
	problemKeyOffline = "key-offline"
	problemError      = "error" // answers that make no sense, 5xx
	problemForeign    = "foreign"
)

// maxWords bounds what the CA said within an error, in bytes.
const maxWords = 600

// A saying is an error with the CA's words made fit for a log.
type saying struct {
	text string
	err  error
}

func (s *saying) Error() string { return s.text }
func (s *saying) Unwrap() error { return s.err }

func say(doing string, err error) error {
	return &saying{doing + ": " + clip(err.Error(), maxWords), err}
}

// clip makes one printable line of at most n bytes and an ellipsis.
func clip(text string, n int) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			r = ' '
		}
		if b.Len()+len(string(r)) > n {
			return b.String() + "…"
		}
		b.WriteRune(r)
	}
	return b.String()
}

// failure is the one place where what went wrong with the CA becomes what the
// contract of issuers knows.
func (c *CA) failure(ctx context.Context, talk *conversation, doing string, about *subject, err error) error {
	if err == nil {
		return nil
	}
	status, retry := talk.last()
	var problem acme.Problem
	if errors.As(err, &problem) {
		return c.refused(&problem, status, retry, say(doing, err), about)
	}
	unavailable := func(word string) error {
		return &issuer.Unavailable{Problem: word, Retry: retry, Err: say(doing, err)}
	}
	if fault := c.key.fault(); fault != nil {
		err = fault
		return unavailable(problemKeyOffline)
	}
	switch {
	case ctx.Err() != nil:
		return say(doing, ctx.Err())
	case talk.silence() != nil:
		err = talk.silence()
		return unavailable(problemNetwork)
	case status == http.StatusTooManyRequests:
		return c.refused(&acme.Problem{Type: acme.ProblemTypeRateLimited}, status, retry, say(doing, err), about)
	case status == http.StatusServiceUnavailable:
		return unavailable(problemBusy)
	case status == 0:
		return unavailable(problemNetwork)
	}
	return unavailable(problemError)
}

// refused is what a problem of a request comes to.
func (c *CA) refused(p *acme.Problem, status int, retry time.Time, err error, about *subject) error {
	if strings.EqualFold(p.Type, acme.ProblemTypeAccountDoesNotExist) {
		c.forget()
	}
	word := ""
	switch {
	case strings.EqualFold(p.Type, acme.ProblemTypeBadNonce), strings.EqualFold(p.Type, acme.ProblemTypeServerInternal):
		word = problemError
	case status == http.StatusServiceUnavailable:
		word = problemBusy
	case status >= 500:
		word = problemError
	}
	if word != "" {
		return &issuer.Unavailable{Problem: word, Retry: retry, Err: err}
	}
	problems := c.problems(p, retry, about)
	if len(problems) == 1 && problems[0].Cause == cause.IssuanceCAUnavailable && problems[0].Parameters["problem"] == problemBusy {
		return &issuer.Unavailable{Problem: problemBusy, Retry: retry, Err: err}
	}
	return &issuer.Refusal{Problems: problems, Err: err}
}

// A subject is what a problem is about, as far as it does not say so itself.
type subject struct {
	name       string
	method     order.Method
	challenges []order.Challenge
}

// problems are the causes of a problem document: of each of its subproblems, or
// its own where it has none (RFC 8555 6.7.1). Words that nobody knows are an
// error of the CA's, so there is at least one.
func (c *CA) problems(p *acme.Problem, retry time.Time, about *subject) []issuer.Problem {
	if about == nil {
		about = &subject{}
	}
	var all []issuer.Problem
	add := func(list []issuer.Problem) {
		for _, one := range list {
			same := func(o issuer.Problem) bool { return o.Cause == one.Cause && o.Subject == one.Subject }
			if !slices.ContainsFunc(all, same) {
				all = append(all, one)
			}
		}
	}
	for i := range p.Subproblems[:min(len(p.Subproblems), maxProblems)] {
		sub := &p.Subproblems[i]
		of := *about
		if n, ok := nameOf(sub.Identifier); ok {
			of.name = n
		}
		add(c.causes(&sub.Problem, retry, &of))
	}
	if len(all) == 0 {
		add(c.causes(p, retry, about))
	}
	if len(all) == 0 {
		all = []issuer.Problem{{
			Cause: cause.IssuanceCAUnavailable, Subject: about.name,
			Parameters: map[string]any{"problem": problemError},
		}}
	}
	return all
}

// maxProblems bounds the subproblems that are looked at: names of an order.
const maxProblems = 200

// nameOf is an identifier as orders write it; ok is false for what is none.
func nameOf(i acme.Identifier) (string, bool) {
	value := strings.ToLower(strings.TrimSuffix(i.Value, "."))
	switch i.Type {
	case "ip":
		a, err := netip.ParseAddr(value)
		return a.String(), err == nil
	case "dns":
		return value, value != "" && len(value) <= 255 && clip(value, 255) == value
	}
	return "", false
}

// causes are what one problem stands for: by what `assay explain` knows of the
// words, and of those what can be with the method.
func (c *CA) causes(p *acme.Problem, retry time.Time, about *subject) []issuer.Problem {
	if p.Type == "" && p.Detail == "" {
		return nil
	}
	matches := explain.Text(p.Type + " :: " + p.Detail)
	fitting := slices.DeleteFunc(slices.Clone(matches), func(m explain.Match) bool { return foreignStage(m.Cause, about.method) })
	if len(fitting) == 0 {
		fitting = matches
	}
	var list []issuer.Problem
	for i, m := range fitting {
		if i > 0 && m.Confidence == explain.Possible {
			break
		}
		list = append(list, c.problem(p, m, retry, about))
	}
	return list
}

// foreignStage: what a TXT record is looked for with says nothing of files.
func foreignStage(id cause.ID, m order.Method) bool {
	switch stage := id.Stage(); m {
	case order.MethodDNS01:
		return stage == "file" || stage == "tls"
	case order.MethodHTTP01:
		return stage == "tls" || id == cause.DNSRecordMissing || id == cause.DNSValueMismatch
	case order.MethodTLSALPN01:
		return stage == "file" || id == cause.DNSRecordMissing || id == cause.DNSValueMismatch
	}
	return false
}

func (c *CA) problem(p *acme.Problem, m explain.Match, retry time.Time, about *subject) issuer.Problem {
	v := values{entry: cause.Lookup(m.Cause), set: map[string]any{}}
	for key, text := range m.Parameters {
		v.text(key, text)
	}
	for from, to := range map[string]string{"value": "seen", "ip": "address"} {
		v.text(to, m.Parameters[from])
	}
	v.text("addresses", m.Parameters["ip"])
	v.text("retry", m.Parameters["until"])
	if !retry.IsZero() {
		v.put("retry", "time", retry)
	}
	c.known(&v, p, about)
	subject := about.name
	if subject == "" {
		subject = strings.TrimPrefix(m.Parameters["name"], "_acme-challenge.")
	}
	if v.entry.ID == cause.LimitAccountNotReady {
		subject = "account"
	}
	return issuer.Problem{Cause: m.Cause, Subject: subject, Parameters: v.set}
}

// known adds what is known beside the CA's words.
func (c *CA) known(v *values, p *acme.Problem, about *subject) {
	for _, ch := range about.challenges {
		if ch.Name != about.name || about.method != "" && ch.Method != about.method {
			continue
		}
		v.text("owner", ch.Owner)
		v.text("type", ch.Type)
		v.text("url", ch.URL)
		v.text("expected", ch.Value)
	}
	v.text("name", about.name)
	switch v.entry.ID {
	case cause.LimitRateLimited:
		v.text("counter", counter(p.Detail))
		v.text("of", about.name)
	case cause.LimitAccountNotReady:
		v.text("account", c.config.ID)
		v.text("condition", condition(p))
	case cause.IssuanceCAUnavailable:
		v.text("problem", problemBusy)
	case cause.LimitWrongState:
		v.text("action", "finalize")
	}
	if v.entry.ID.Stage() == "caa" {
		v.text("issuer", c.config.ID)
	}
}

// counter is the word of limit.rate-limited for what was counted.
func counter(detail string) string {
	detail = strings.ToLower(detail)
	switch {
	case strings.Contains(detail, "failed authorizations"):
		return "failed-validations"
	case strings.Contains(detail, "new orders"):
		return "new-orders"
	case strings.Contains(detail, "temporarily prevented"):
		return "paused"
	}
	return "requests"
}

// condition is the word of limit.account-not-ready; "" where the CA says none.
func condition(p *acme.Problem) string {
	detail := strings.ToLower(p.Detail)
	switch {
	case strings.EqualFold(p.Type, acme.ProblemTypeExternalAccountRequired), strings.Contains(detail, "external account"):
		return "external-binding"
	case strings.EqualFold(p.Type, acme.ProblemTypeUserActionRequired), strings.Contains(detail, "terms of service"):
		return "agreement"
	case strings.Contains(detail, "deactivated"), strings.Contains(detail, "revoked"):
		return "deactivated"
	}
	return ""
}

// values are parameters of one cause, of the types it declares.
type values struct {
	entry *cause.Entry
	set   map[string]any
}

// put sets a value of a type, once; of what the cause does not declare nothing.
func (v *values) put(key, kind string, value any) {
	if _, have := v.set[key]; !have && v.entry.Parameters[key] == kind {
		v.set[key] = value
	}
}

// text sets a value that is given as text; "" is none.
func (v *values) text(key, text string) {
	text = clip(text, 300)
	if text == "" {
		return
	}
	v.put(key, "string", text)
	v.put(key, "list", []string{text})
	if n, err := strconv.Atoi(text); err == nil {
		v.put(key, "int", n)
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 MST"} {
		if at, err := time.Parse(layout, strings.ToUpper(text)); err == nil {
			v.put(key, "time", at.UTC())
		}
	}
}
