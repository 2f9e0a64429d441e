package review

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"assay/order"
)

// A word is one of an address: letters and digits that belong together, or one
// sign of a script that is written without spaces.
type word struct {
	text string
	// starts is set where a comma, or nothing, stands before it.
	starts bool
}

func (w word) number() bool { return w.text[0] >= '0' && w.text[0] <= '9' }

// wordsOf cuts an address into words: case, width and punctuation do not count.
func wordsOf(address string) []word {
	var words []word
	var b strings.Builder
	starts := true
	end := func() {
		if b.Len() > 0 {
			words, starts = append(words, word{b.String(), starts}), false
			b.Reset()
		}
	}
	for _, r := range norm.NFKC.String(address) {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
			end()
			b.WriteRune(r)
			end()
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r) && b.Len() > 0:
			b.WriteRune(unicode.ToLower(r))
		case r == '\'' || r == '\u2019': // King's Road, Kings Road
		default:
			end()
			starts = starts || strings.ContainsRune(",;\n\u3001", r)
		}
	}
	end()
	return words
}

// addressPlaces are the values of an order that may stand in its address, too, beside
// what was verified of it.
func addressPlaces(o *order.Organization) []string {
	return []string{o.City, o.Province, o.Country, o.PostalCode}
}

// What a part of a verified address needs to stand for it: words, letters and
// digits in them, and how many more words the rest may have for each.
const (
	leastWords   = 2
	leastLetters = 5
	mostRest     = 3
)

// sameAddress reports whether an address found is that of the order, word by word:
// it has every part of the order's, in its order, and may say more around them
// (registers write the district, the place, the floor). The order's says no more
// than was found but for the places that the order names as such.
func sameAddress(ordered, found string, places ...string) bool {
	asked, there := wordsOf(ordered), wordsOf(found)
	if len(asked) == 0 || len(there) == 0 {
		return false
	}
	if slices.EqualFunc(asked, there, sameWord) {
		return true
	}
	var known [][]word
	for _, p := range places {
		if w := wordsOf(p); len(w) > 0 {
			known = append(known, w)
		}
	}
	at, words, letters := 0, 0, 0
	for len(asked) > 0 {
		n := 1
		for n < len(asked) && !asked[n].starts {
			n++
		}
		part := asked[:n]
		asked = asked[n:]
		own := withoutPlaces(part, known)
		if len(own) == 0 {
			continue
		}
		end := runIn(there, at, part, known)
		if end < 0 {
			end = runIn(there, at, own, known)
		}
		if end < 0 {
			return false
		}
		at, words = end, words+len(own)
		for _, w := range own {
			letters += utf8.RuneCountInString(w.text)
		}
	}
	rest := len(there) - words
	for _, p := range known {
		if runIn(there, 0, p, nil) >= 0 {
			rest -= len(p)
		}
	}
	return words >= leastWords && letters >= leastLetters && rest <= mostRest*words
}

func sameWord(a, b word) bool { return a.text == b.text }

// runIn is where a run of words ends in an address, looked for from a place on;
// -1: it is not there. A number is not taken out of several: 3 is not 1-3.
func runIn(address []word, from int, run []word, places [][]word) int {
	for i := from; i+len(run) <= len(address); i++ {
		end := i + len(run)
		if !slices.EqualFunc(address[i:end], run, sameWord) {
			continue
		}
		before := i > 0 && !address[i].starts && run[0].number() && address[i-1].number() && !placeAt(address, i-1, places)
		after := end < len(address) && !address[end].starts && run[len(run)-1].number() && address[end].number() && !placeAt(address, end, places)
		if !before && !after {
			return end
		}
	}
	return -1
}

// placeAt reports whether a word is a place by itself, such as a postal code.
func placeAt(address []word, i int, places [][]word) bool {
	return slices.ContainsFunc(places, func(p []word) bool { return len(p) == 1 && sameWord(p[0], address[i]) })
}

// withoutPlaces cuts the places off both ends of a part.
func withoutPlaces(part []word, places [][]word) []word {
	for again := true; again; {
		again = false
		for _, p := range places {
			n := len(part) - len(p)
			if n >= 0 && slices.EqualFunc(part[:len(p)], p, sameWord) {
				part, again = part[len(p):], true
			} else if n >= 0 && slices.EqualFunc(part[n:], p, sameWord) {
				part, again = part[:n], true
			}
		}
	}
	return part
}
