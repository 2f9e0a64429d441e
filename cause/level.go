package cause

// Level says what a finding does to an order. A profile gives each cause its
// level.
type Level string

// The levels, gravest first. Sorting and verdicts use this order.
const (
	Refuse  Level = "refuse"  // cannot proceed as submitted
	Review  Level = "review"  // a person decides
	Unknown Level = "unknown" // the check could not run; never a pass
	Wait    Level = "wait"    // not good yet, may become good before the deadline
	Warn    Level = "warn"    // does not block, likely to hurt
	Info    Level = "info"    // explanation only
	Pass    Level = "pass"    // no finding under this profile
)

// Levels lists the levels, gravest first.
func Levels() []Level { return []Level{Refuse, Review, Unknown, Wait, Warn, Info, Pass} }

// Rank is the position in [Levels]: 0 is the gravest. An unknown word ranks
// after all levels.
func (l Level) Rank() int {
	switch l {
	case Refuse:
		return 0
	case Review:
		return 1
	case Unknown:
		return 2
	case Wait:
		return 3
	case Warn:
		return 4
	case Info:
		return 5
	case Pass:
		return 6
	}
	return 7
}

// Blocks reports whether an order with a finding of this level cannot be issued.
func (l Level) Blocks() bool { return l.Rank() <= Wait.Rank() }
