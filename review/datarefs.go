package review

import (
	"time"

	"assay/data"
)

// dataRefs names the snapshots that a judgement reads.
func dataRefs(set *data.Set) map[string]DataRef {
	refs := map[string]DataRef{}
	for _, p := range set.Snapshots() {
		ref := DataRef{Digest: "sha256:" + p.SHA256}
		if !p.Date.IsZero() {
			ref.Date = p.Date.Format(time.DateOnly)
		}
		refs[p.Name] = ref
	}
	return refs
}
