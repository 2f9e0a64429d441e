//go:build !pkcs11

package pkcs11

import (
	"errors"
	"testing"
)

func TestWithout(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(Place) (Key, error){"open": Open, "generate": Generate} {
		if k, err := f(Place{}); !errors.Is(err, ErrBuild) || k != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
