package service

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"assay/internal/strict"
)

var (
	// tenantForm is a label: tenants name directories and metrics of operators.
	tenantForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`) })
	// accountForm takes what directories call people and teams (a login, a mail
	// address, a UUID, "shop+test") and nothing that means something in a path, a
	// query, a shell or a log.
	accountForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$`) })
)

// maxNote bounds what is written for people (a token's name, a tenant's), in
// characters.
const maxNote = 100

// checkTenantID refuses an id that no tenant may have.
func checkTenantID(field, id string) error {
	if tenantForm().MatchString(id) {
		return nil
	}
	return &Problem{Kind: Invalid, Message: "service.identifier", Pairs: []any{"Field", field, "Value", shownValue(id)}}
}

// checkAccountID refuses an id that no account may have.
func checkAccountID(field, id string) error {
	if accountForm().MatchString(id) {
		return nil
	}
	return &Problem{Kind: Invalid, Message: "service.account-form", Pairs: []any{"Field", field, "Value", shownValue(id)}}
}

// checkNote refuses a text for people that is too long, does not show, or shows
// otherwise than it is written: control and direction characters, spaces at its
// ends. "" is none.
func checkNote(field, text string) error {
	unseen := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	switch {
	case utf8.RuneCountInString(text) > maxNote:
		return &Problem{Kind: Invalid, Message: "service.note-long", Pairs: []any{"Field", field, "Most", maxNote}}
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unseen) || strings.TrimSpace(text) != text:
		return &Problem{Kind: Invalid, Message: "service.note-form", Pairs: []any{"Field", field, "Value", shownValue(text)}}
	}
	return nil
}

// shownValue is what an error says of a value that is refused.
func shownValue(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '·'
	}, strings.ToValidUTF8(strict.Quotable(s), "·"))
}
