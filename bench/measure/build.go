package measure

import (
	"fmt"
	"os"
	"os/exec"
)

// Build builds assay as docs/operating.md says, without cgo, to a file. It runs in the
// module.
func Build(to string) error {
	c := exec.Command("go", "build", "-trimpath", "-o", to, "assay/cmd/assay")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w\n%s", err, out)
	}
	return nil
}
