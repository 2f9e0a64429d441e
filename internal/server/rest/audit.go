package rest

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"assay/internal/audit"
	"assay/internal/service"
)

// EntryList is a page of audit entries, newest first.
type EntryList struct {
	Items []service.EntryView `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

func auditOperations() []*Operation {
	list := route(http.MethodGet, "/audit", "list-audit", "audit", "List audit entries",
		"Every decision and change of the tenant, newest first. An entry gets its place in the chain within a second.",
		queryParam("order", "Only entries of this order.", exampleOrderID), queryParam("actor", "Only what this token did; service is the service itself.", "service"),
		queryParam("action", "Only this action.", "order.submit"),
		timeParam("since", "Only from this time on.", "2026-11-01T00:00:00Z"), timeParam("until", "Only before this time.", "2026-12-01T00:00:00Z"),
		cursorParam(), limitParam())
	export := route(http.MethodGet, "/audit/export", "export-audit", "audit", "Export the chain",
		"The whole chain with its signed heads as JSON lines, for keeping where nobody of the database reaches; `assay audit verify FILE` verifies it. For the tenant root.")
	verify := route(http.MethodPost, "/audit/verify", "verify-audit", "audit", "Verify the chain",
		"No entry was changed, removed or put in, and the signed heads are of this chain.", keyParam())
	key := route(http.MethodGet, "/audit/key", "audit-key", "audit", "Show the key of the chain",
		"The public key that heads are verified with, as PEM. Keep it elsewhere.")
	forbidden := []service.Kind{service.Invalid, service.Forbidden}
	return []*Operation{
		{Operation: list, Answers: ok("A page of entries.", EntryList{}, EntryList{Items: []service.EntryView{exampleEntry()}}), Problems: forbidden, run: runAudit},
		{Operation: export, Answers: []Answer{{Status: http.StatusOK, Description: "The chain.", ContentType: "application/jsonl", Example: "{\"assay\":\"audit\",\"version\":1,…}\n"}}, Problems: forbidden, run: runAuditExport},
		{Operation: verify, Answers: ok("What was found.", service.AuditResult{}, exampleAuditResult()), Problems: append(slices.Clone(forbidden), kindKeyReused, service.TooMany), run: runAuditVerify},
		{Operation: key, Answers: []Answer{{Status: http.StatusOK, Description: "The key.", ContentType: "application/x-pem-file", Example: "-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n"}}, Problems: append(slices.Clone(forbidden), service.NotFound), run: runAuditKey},
	}
}

func runAudit(c *call) (*answer, error) {
	items, next, err := c.s.Service.AuditEntries(c.ctx(), c.p, service.AuditQuery{
		Order: c.text("order"), Actor: c.text("actor"), Action: c.text("action"), Since: c.time("since"), Until: c.time("until"),
		Cursor: c.text("cursor"), Limit: c.number("limit"),
	})
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: EntryList{Items: listed(items), Next: next}}, nil
}

// runAuditExport streams: the chain may be larger than memory. What goes wrong
// after the first byte cuts the connection, so that half an export is not taken
// for a whole one.
func runAuditExport(c *call) (*answer, error) {
	control := http.NewResponseController(c.w)
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	out := &exporter{c: c, control: control}
	buffered := bufio.NewWriterSize(out, 64<<10)
	err := c.s.Service.AuditExport(c.ctx(), c.p, buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil && out.began {
		c.s.Log.Warn("an export of the audit chain broke off", "request", c.request.id, "error", err.Error())
		panic(http.ErrAbortHandler)
	}
	return nil, err
}

// An exporter begins the answer with the first byte.
type exporter struct {
	c       *call
	control *http.ResponseController
	began   bool
}

func (e *exporter) Write(b []byte) (int, error) {
	if !e.began {
		e.began = true
		e.c.w.Header().Set("Content-Type", "application/jsonl")
		e.c.w.Header().Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
		e.c.w.WriteHeader(http.StatusOK)
	}
	if err := e.control.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return 0, err
	}
	return e.c.w.Write(b)
}

func runAuditVerify(c *call) (*answer, error) {
	if err := c.unhurried(); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.AuditResult, error) {
		return c.s.Service.AuditVerify(ctx, c.p)
	}, shown[*service.AuditResult](http.StatusOK))
}

// unhurried lifts the deadline of the answer, for what reads everything.
func (c *call) unhurried() error {
	control := http.NewResponseController(c.w)
	return errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}))
}

func runAuditKey(c *call) (*answer, error) {
	key, err := c.s.Service.AuditPublicKey(c.ctx(), c.p)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, &service.Problem{Kind: service.NotFound, Message: "rest.no-audit-key"}
	}
	pem, err := audit.MarshalKey(key)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, kind: "application/x-pem-file", raw: pem}, nil
}
