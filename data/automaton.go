package data

// An automaton finds every occurrence of a set of patterns in one pass (Aho and
// Corasick, 1975), as a table over the bytes that occur in the patterns.
type automaton struct {
	class    [256]uint8 // of a byte; 0 for one that no pattern has
	classes  int
	next     []int32   // state*classes + class → state
	matches  [][]int32 // by state: the patterns that end here
	patterns []string
}

// maxClasses bounds the distinct bytes of the patterns: a class fits a uint8.
const maxClasses = 255

func newAutomaton(patterns []string) *automaton {
	a := &automaton{patterns: patterns, classes: 1}
	for _, p := range patterns {
		for i := 0; i < len(p); i++ {
			if a.class[p[i]] == 0 && a.classes < maxClasses {
				a.class[p[i]] = uint8(a.classes)
				a.classes++
			}
		}
	}
	a.grow()
	for i, p := range patterns {
		state := int32(0)
		for j := 0; j < len(p); j++ {
			at := int(state)*a.classes + int(a.class[p[j]])
			if a.next[at] == 0 {
				a.next[at] = a.grow()
			}
			state = a.next[at]
		}
		a.matches[state] = append(a.matches[state], int32(i))
	}
	a.link()
	return a
}

// grow adds a state.
func (a *automaton) grow() int32 {
	a.next = append(a.next, make([]int32, a.classes)...)
	a.matches = append(a.matches, nil)
	return int32(len(a.matches) - 1)
}

// link completes the trie breadth first: where a state has no way on for a
// byte, it goes where its longest proper suffix goes.
func (a *automaton) link() {
	fail := make([]int32, len(a.matches))
	var queue []int32
	for c := range a.classes {
		if to := a.next[c]; to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		a.matches[state] = append(a.matches[state], a.matches[fail[state]]...)
		for c := range a.classes {
			at := int(state)*a.classes + c
			onward := a.next[int(fail[state])*a.classes+c]
			if to := a.next[at]; to != 0 {
				fail[to] = onward
				queue = append(queue, to)
			} else {
				a.next[at] = onward
			}
		}
	}
}

// find calls hit with the pattern and its bounds for every occurrence in a text.
func (a *automaton) find(text string, hit func(pattern, start, end int)) {
	state := 0
	for i := 0; i < len(text); i++ {
		state = int(a.next[state*a.classes+int(a.class[text[i]])])
		for _, p := range a.matches[state] {
			hit(int(p), i+1-len(a.patterns[p]), i+1)
		}
	}
}
