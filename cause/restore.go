package cause

import (
	"math"
	"time"
)

// Restore returns parameters that were read from JSON with the types that the
// catalogue declares for the cause: JSON has neither times nor durations, and
// its numbers and lists come back as others. Texts are then filled in as they
// were when the finding was made. A value that does not fit its type, and one
// that is not declared, stays as it is: what is read may come from anywhere.
func (p Parameters) Restore(id ID) Parameters {
	e := Lookup(id)
	if e == nil || len(p) == 0 {
		return p
	}
	typed := make(Parameters, len(p))
	for name, value := range p {
		typed[name] = restore(value, e.Parameters[name])
	}
	return typed
}

// maxExact is the largest whole number that every number below it in JSON has
// exactly, as a float64.
const maxExact = 1 << 53

func restore(value any, kind string) any {
	switch v := value.(type) {
	case float64:
		if kind == "int" && v == math.Trunc(v) && math.Abs(v) <= maxExact {
			return int(v)
		}
	case []any:
		if kind == "list" {
			return restoreList(v)
		}
	case string:
		switch kind {
		case "time":
			if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
				return at.UTC()
			}
		case "duration":
			if d, err := time.ParseDuration(v); err == nil {
				return d
			}
		}
	}
	return value
}

// restoreList is the list of strings, or the list as it is where it has others.
func restoreList(list []any) any {
	words := make([]string, len(list))
	for i, item := range list {
		word, ok := item.(string)
		if !ok {
			return list
		}
		words[i] = word
	}
	return words
}
