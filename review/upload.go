package review

import (
	"assay/cause"
)

var uploadRules = []rule{
	{causes: []cause.ID{cause.UploadUnreadable}, scope: ScopeUpload, run: uploadUnreadable},
	{causes: []cause.ID{cause.UploadKeyMismatch}, scope: ScopeUpload, run: uploadKeyMismatch},
	{causes: []cause.ID{cause.UploadChainIncomplete}, scope: ScopeUpload, run: uploadChain},
	{causes: []cause.ID{cause.UploadChainIncomplete}, scope: ScopeUpload, run: uploadAbove},
	{causes: []cause.ID{cause.UploadExpiredOrSelfSigned}, scope: ScopeUpload, run: uploadUnfit},
	{causes: []cause.ID{cause.KeyKnownCompromised}, scope: ScopeUpload, run: uploadCompromised},
	{causes: []cause.ID{cause.UploadDuplicate}, scope: ScopeUpload, run: uploadDuplicate},
}

// The subjects of an upload are its fields.
const (
	fieldCertificate = "certificate"
	fieldKey         = "key"
	fieldChain       = "chain"
)

func uploadUnreadable(f *facts, s *sink) {
	for _, u := range f.upload.Unreadable {
		d := s.add(cause.UploadUnreadable, u.Field).with("field", u.Field).with("problem", u.Problem).with("seen", u.Seen)
		if u.Line > 0 {
			d.with("line", u.Line)
		}
	}
}

// uploadKeyMismatch compares the public halves: nothing else of a key is known.
func uploadKeyMismatch(f *facts, s *sink) {
	leaf, key := f.upload.Leaf, f.upload.Key
	if leaf != nil && key != nil && leaf.SPKISHA256 != key.SPKISHA256 {
		s.add(cause.UploadKeyMismatch, fieldKey).with("expected", leaf.SPKISHA256).with("seen", key.SPKISHA256)
	}
}

func uploadChain(f *facts, s *sink) {
	c := &f.upload.Chain
	if f.upload.Leaf == nil || c.Problem == "" {
		return
	}
	var conditions []string
	if c.Repaired {
		conditions = []string{"repaired"}
	}
	s.add(cause.UploadChainIncomplete, fieldChain, conditions...).
		with("subject", c.Subject).with("issuer", c.Issuer).with("problem", c.Problem).with("given", c.Given).with("added", c.Added)
}

// uploadAbove: each way in which clients do not accept what stands above a certificate.
func uploadAbove(f *facts, s *sink) {
	for i := range f.upload.Above {
		a := &f.upload.Above[i]
		add := func(problem string) *draft {
			return s.add(cause.UploadChainIncomplete, fieldChain).with("subject", a.Issued).with("issuer", a.Subject).with("problem", problem)
		}
		switch {
		case a.Problem != "":
			add(a.Problem)
		case f.at.After(a.NotAfter):
			add("expired").with("not_after", a.NotAfter)
		case f.at.Before(a.NotBefore):
			add("not-yet-valid").with("not_before", a.NotBefore).retry(a.NotBefore)
		}
	}
}

// uploadUnfit: each way in which a certificate can be none for a server now. One
// that signed itself is a CA's by most tools' default; that it is self-signed
// says more.
func uploadUnfit(f *facts, s *sink) {
	leaf := f.upload.Leaf
	if leaf == nil {
		return
	}
	add := func(problem string) *draft {
		return s.add(cause.UploadExpiredOrSelfSigned, fieldCertificate).with("problem", problem).
			with("subject", leaf.Subject).with("issuer", leaf.Issuer).with("not_before", leaf.NotBefore).with("not_after", leaf.NotAfter).
			reproduce("openssl x509 -in certificate.pem -noout -subject -issuer -dates")
	}
	switch {
	case leaf.SelfSigned:
		add("self-signed")
	case leaf.CA:
		add("ca")
	}
	switch {
	case f.at.After(leaf.NotAfter):
		add("expired")
	case f.at.Before(leaf.NotBefore):
		add("not-yet-valid").retry(leaf.NotBefore)
	}
}

// uploadCompromised: what is kept with such a key is no order, and what was issued with it
// elsewhere is in use already.
func uploadCompromised(f *facts, s *sink) {
	h := f.upload.Compromised
	if h == nil {
		return
	}
	d := s.add(cause.KeyKnownCompromised, fieldKey, "kept").with("list", h.List).with("entry", h.Entry).with("reason", h.Reason)
	if !h.Date.IsZero() {
		d.with("date", h.Date)
	}
}

func uploadDuplicate(f *facts, s *sink) {
	if k := f.upload.Stored; k != nil {
		s.add(cause.UploadDuplicate, fieldCertificate).with("id", k.ID).with("serial", k.Serial).with("stored", k.Stored)
	}
}
