package review

import (
	"slices"
	"strings"

	"assay/cause"
	"assay/name"
	"assay/order"
)

// contactEmail judges the form of the contacts' addresses and, for an
// organization, whose domain they are at. Whether the domain takes mail (MX, A)
// is a question for the network and is asked with those.
func contactEmail(f *facts, s *sink) {
	needed := f.profile.Request.ContactEmail == "organization" && (f.identity() || f.Order.Applicant == "personal")
	contacts := f.Order.Contacts
	if contacts == nil {
		contacts = &order.Contacts{}
	}
	// An approved administrator has an address that was checked; "0" means none
	// in the cloud's API.
	id := strings.TrimSpace(contacts.AdministratorID)
	approved := id != "" && id != "0"
	if needed && !approved && contacts.Administrator == nil {
		if f.mode == Precheck {
			s.skip("contacts", "not-given", []cause.ID{cause.RequestContactEmailInvalid})
		} else {
			badEmail(s, "contacts.administrator.email", "", "empty")
		}
	}
	f.contact(s, "contacts.administrator.email", contacts.Administrator, needed && !approved)
	f.contact(s, "contacts.technical.email", contacts.Technical, needed && f.identity())
}

func (f *facts) contact(s *sink, field string, c *order.Contact, needed bool) {
	if c == nil {
		return
	}
	email := strings.TrimSpace(c.Email)
	if email == "" {
		if needed {
			badEmail(s, field, "", "empty")
		}
		return
	}
	domain, rule := parseEmail(email)
	if rule == "" && !f.Data.IsTLD(domain.TLD()) {
		rule = "domain"
		if slices.Contains(reservedTLDs, domain.TLD()) {
			rule = "reserved"
		}
	}
	if rule == "" && f.placeholderDomain(domain) {
		rule = "reserved"
	}
	if rule != "" {
		badEmail(s, field, email, rule)
		return
	}
	if f.profile.Request.EmailForm != "full" || !f.identity() {
		return
	}
	switch r := f.Data.Suffix(domain.Base, true).Registrable; {
	case r == "" || f.ownDomain(r):
	case slices.Contains(freeMail, r):
		badEmail(s, field, email, "free-mail", "free")
	case len(f.names) > 0:
		badEmail(s, field, email, "unrelated", "free")
	}
}

func badEmail(s *sink, field, email, rule string, conditions ...string) {
	if d := s.add(cause.RequestContactEmailInvalid, field, conditions...); d != nil {
		_, domain, _ := strings.Cut(email, "@")
		d.with("rule", rule).with("email", email).with("domain", domain)
	}
}

// reservedTLDs are top-level domains that no mail reaches (RFC 2606, 6761, 6762).
var reservedTLDs = []string{"example", "test", "invalid", "localhost", "local", "internal"}

// placeholderDomain reports whether a domain is "example" under any suffix:
// example.com and its siblings are reserved (RFC 2606 3), the others are what
// people write who have no address.
func (f *facts) placeholderDomain(domain *name.Name) bool {
	r := f.Data.Suffix(domain.Base, true).Registrable
	return strings.HasPrefix(r, "example.")
}

// ownDomain reports whether a registrable domain is one of the order's names or
// of the organization's website.
func (f *facts) ownDomain(r string) bool {
	for i := range f.names {
		if f.names[i].registrable() == r {
			return true
		}
	}
	if f.Order.Organization != nil && f.Order.Organization.Website != "" {
		site := name.Parse(f.Order.Organization.Website)
		return site.Below(r)
	}
	return false
}

// freeMail are domains at which anybody gets a mailbox. The list only chooses
// the words: any domain that is not the applicant's has the same level.
var freeMail = []string{
	"126.com", "139.com", "163.com", "189.cn", "21cn.com", "aliyun.com", "aol.com", "fastmail.com", "foxmail.com",
	"gmail.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com", "icloud.com", "live.com", "mail.com", "mail.ru",
	"me.com", "msn.com", "naver.com", "outlook.com", "proton.me", "protonmail.com", "qq.com", "sina.cn", "sina.com",
	"sohu.com", "tom.com", "vip.163.com", "web.de", "wo.cn", "yahoo.co.jp", "yahoo.com", "yandex.com", "yandex.ru",
	"yeah.net", "zoho.com",
}

// Bounds of an address in octets (RFC 5321 4.5.3.1.1 and 4.5.3.1.3).
const (
	maxLocalPart = 64
	maxAddress   = 254
)

// parseEmail reads a mailbox as RFC 5321 4.1.2 writes it: dot-string or
// quoted-string, "@", a domain of two labels or more. Neither a display name,
// nor a comment, nor an address literal is one here. rule says what is wrong.
func parseEmail(email string) (domain *name.Name, rule string) {
	at := strings.LastIndexByte(email, '@')
	switch {
	case at < 0:
		return nil, "no-at"
	case !isDotString(email[:at]) && !isQuotedString(email[:at]):
		return nil, "local-part"
	case at > maxLocalPart || len(email) > maxAddress:
		return nil, "too-long"
	}
	d := name.Parse(email[at+1:])
	if len(d.Problems) > 0 || d.Wildcard || d.TrailingDot || d.IP.IsValid() || len(d.Labels) < 2 || len(d.Clean) != len(email[at+1:]) {
		return nil, "domain"
	}
	return &d, ""
}

func isDotString(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && !strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", rune(s[i])) {
			return false
		}
	}
	return true
}

func isQuotedString(s string) bool {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	for inner := s[1 : len(s)-1]; inner != ""; inner = inner[1:] {
		if inner[0] == '\\' {
			if inner = inner[1:]; inner == "" {
				return false
			}
		} else if inner[0] == '"' {
			return false
		}
		if inner[0] < ' ' || inner[0] > '~' {
			return false
		}
	}
	return true
}
