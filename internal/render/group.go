package render

import (
	"slices"

	"assay/cause"
	"assay/review"
)

// A cluster is the findings of one cause and level, with what follows from them.
type cluster struct {
	findings     []*review.Finding
	consequences []*review.Finding
}

func (g *cluster) lead() *review.Finding { return g.findings[0] }

// group puts findings of one kind together, in the order of the report, and
// each consequence under the finding that explains it, however long the chain.
func group(findings []review.Finding) []*cluster {
	byID := make(map[string]*review.Finding, len(findings))
	for i := range findings {
		byID[findings[i].ID] = &findings[i]
	}
	var groups []*cluster
	index := map[string]*cluster{}
	home := map[string]*cluster{}
	for i := range findings {
		f := &findings[i]
		if root(f, byID) != f {
			continue
		}
		key := string(f.Level) + "@" + string(f.Cause)
		g := index[key]
		if g == nil {
			g = &cluster{}
			index[key] = g
			groups = append(groups, g)
		}
		g.findings = append(g.findings, f)
		home[f.ID] = g
	}
	for i := range findings {
		f := &findings[i]
		if r := root(f, byID); r != f {
			g := home[r.ID]
			g.consequences = append(g.consequences, f)
		}
	}
	return sorted(groups)
}

// sorted puts a group where its gravest finding belongs: a consequence may be
// graver than its root, and the reader must not have to look for it.
func sorted(groups []*cluster) []*cluster {
	slices.SortStableFunc(groups, func(a, b *cluster) int { return a.gravest() - b.gravest() })
	return groups
}

// onlyInforms is true where neither the findings nor what follows from them
// asks for anything.
func (g *cluster) onlyInforms() bool { return g.gravest() >= cause.Info.Rank() }

func (g *cluster) gravest() int {
	rank := g.lead().Level.Rank()
	for _, f := range g.consequences {
		rank = min(rank, f.Level.Rank())
	}
	return rank
}

// root follows the explanations of a finding to their end. A broken or circular
// chain ends where it breaks.
func root(f *review.Finding, byID map[string]*review.Finding) *review.Finding {
	start := f
	for range len(byID) {
		next := byID[f.ExplainedBy]
		if next == nil {
			return f
		}
		f = next
	}
	return start
}
