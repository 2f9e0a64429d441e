package lookup

import (
	"fmt"
	"strings"

	"assay/evidence"
	"assay/internal/strict"
	"assay/order"
)

// MaxRecordsBytes bounds a records document.
const MaxRecordsBytes = 16 << 20

// Records are what is already known, as a strict YAML or JSON document. Each
// field is one kind of record, in the words of package evidence:
//
//	orders:
//	  - {order: A17, account: a1, csr: old.csr, submitted_at: 2026-10-01T00:00:00Z, state: issued}
//	account: {id: a1, verified: true}
//	checks: {last_manual: 2026-11-23T07:58:00Z}
//
// A field that is given, even empty ("orders: []", "checks: {}"), says that such
// records are kept and that this is all of them. A field that is not given says
// that they are not kept: what needs them is then not asked before submission
// and unknown at an attempt, never a pass.
type Records struct {
	// Orders are earlier orders of any account.
	Orders []Order `json:"orders,omitempty"`
	// Account is the state of the ordering account. It answers only for an
	// order of the same account, or where one of the two does not say.
	Account *evidence.Account `json:"account,omitempty"`
	// Certificate is the certificate that a reissue or renewal starts from.
	Certificate *evidence.Issued `json:"certificate,omitempty"`
	// Claims, Calls and Letters are the organization's file.
	Claims  []evidence.Claim  `json:"claims,omitempty"`
	Calls   []evidence.Call   `json:"calls,omitempty"`
	Letters []evidence.Letter `json:"letters,omitempty"`
	// People and Reviews answer one topic: it is kept where one of them is.
	People  []evidence.Person     `json:"people,omitempty"`
	Reviews []evidence.ReviewStep `json:"reviews,omitempty"`
	// Approvals are decisions of reviewers and named waivers.
	Approvals []evidence.Approval `json:"approvals,omitempty"`
	// Checks is the state of this order.
	Checks *evidence.CheckState `json:"checks,omitempty"`
	// Keys, Names and Parties are the service's own cases beside the lists:
	// entry is a keyprint or SHA-256 of a SubjectPublicKeyInfo; a name, or
	// ".name" for it and all below; an organization, a name or a keyprint.
	Keys    []evidence.Hit `json:"keys,omitempty"`
	Names   []evidence.Hit `json:"names,omitempty"`
	Parties []evidence.Hit `json:"parties,omitempty"`
}

// An Order is an earlier order: what package evidence says of one, or its CSR
// from which the two digests are made.
type Order struct {
	evidence.PastOrder
	// CSR is PEM text, or base64 of DER; a path until [Records.ReadCSRs].
	CSR string `json:"csr,omitempty"`
}

// ParseRecords reads a records document. The error names line, column and
// field; see package strict.
func ParseRecords(raw []byte) (*Records, error) {
	if len(raw) > MaxRecordsBytes {
		return nil, fmt.Errorf("the records are larger than %d bytes", MaxRecordsBytes)
	}
	r := &Records{}
	if err := strict.Decode(raw, r); err != nil {
		return nil, err
	}
	return r, nil
}

// ReadCSRs replaces every CSR that is a path by the text that read returns for
// it. Without this a path is an error of [Open].
func (r *Records) ReadCSRs(read func(path string) (string, error)) error {
	for i := range r.Orders {
		o := &r.Orders[i]
		if !isPath(o.CSR) {
			continue
		}
		text, err := read(o.CSR)
		if err != nil {
			return fmt.Errorf("orders[%d].csr: %w", i, err)
		}
		o.CSR = text
	}
	return nil
}

// isPath reports whether a csr field is a path: one line that is no PEM and too
// short to be base64 of a request.
func isPath(csr string) bool {
	return csr != "" && !strings.Contains(csr, "-----") && !strings.Contains(csr, "\n") && len(csr) < 200
}

// FromHistory turns the history of an order file into records of orders. Their
// CSRs may still be paths.
func FromHistory(history []order.Earlier) []Order {
	orders := make([]Order, 0, len(history))
	for _, h := range history {
		orders = append(orders, Order{
			PastOrder: evidence.PastOrder{
				Order: h.Order, Account: h.Account, SubmittedAt: h.SubmittedAt, IssuedAt: h.IssuedAt, State: h.State, Names: h.Names,
			},
			CSR: h.CSR,
		})
	}
	return orders
}

// WithRecords returns a source that answers from other records and the same
// lists, which must not be closed before it. The records' CSRs must be text.
func (s *Source) WithRecords(r *Records) (*Source, error) {
	index, err := indexOrders(r.Orders, s.data)
	if err != nil {
		return nil, err
	}
	c := *s
	c.records, c.orders, c.closers = r, index, nil
	return &c, nil
}

// WithOrders returns a source that knows further earlier orders: those of the
// order file at hand. It shares everything else with s, which must not be
// closed before it.
func (s *Source) WithOrders(orders []Order) (*Source, error) {
	all := append([]Order{}, s.records.Orders...)
	index, err := indexOrders(append(all, orders...), s.data)
	if err != nil {
		return nil, err
	}
	c := *s
	c.orders, c.closers = index, nil
	return &c, nil
}

// answer returns what is recorded on a topic, nil where that is not kept.
func (r *Records) answer(q evidence.LookupQuestion) *evidence.LookupAnswer {
	switch q.Topic {
	case evidence.TopicAccount:
		if a := r.Account; a != nil && (a.ID == "" || q.Account == "" || a.ID == q.Account) {
			return &evidence.LookupAnswer{Account: a}
		}
	case evidence.TopicCertificate:
		if r.Certificate != nil {
			return &evidence.LookupAnswer{Certificate: r.Certificate}
		}
	case evidence.TopicClaims:
		if r.Claims != nil {
			return &evidence.LookupAnswer{Claims: r.Claims}
		}
	case evidence.TopicCalls:
		if r.Calls != nil {
			return &evidence.LookupAnswer{Calls: r.Calls}
		}
	case evidence.TopicLetters:
		if r.Letters != nil {
			return &evidence.LookupAnswer{Letters: r.Letters}
		}
	case evidence.TopicPeople:
		if r.People != nil || r.Reviews != nil {
			return &evidence.LookupAnswer{People: r.People, Reviews: r.Reviews}
		}
	case evidence.TopicApprovals:
		if r.Approvals != nil {
			return &evidence.LookupAnswer{Approvals: r.Approvals}
		}
	case evidence.TopicChecks:
		if r.Checks != nil {
			return &evidence.LookupAnswer{Checks: r.Checks}
		}
	}
	return nil
}
