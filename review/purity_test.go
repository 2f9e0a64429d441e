package review_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestPure: the packages that judge have no way to dial, to read a file or the
// clock, or to roll a die. They hold data and functions of it.
func TestPure(t *testing.T) {
	forbidden := []string{"net", "net/http", "net/mail", "os", "os/exec", "io/ioutil", "math/rand", "math/rand/v2", "crypto/rand", "syscall", "assay/probe", "assay/lookup"}
	clock := map[string]bool{"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "Tick": true, "NewTimer": true}
	for _, dir := range []string{".", "../cause", "../evidence", "../order", "../profile", "../name", "../key", "../csr"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 && dir != "../key" && dir != "../csr" {
			t.Fatal(dir, err, fs.ErrNotExist)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range parsed.Imports {
				path, _ := strconv.Unquote(spec.Path.Value)
				for _, f := range forbidden {
					if path == f {
						t.Errorf("%s imports %s", file, path)
					}
				}
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "time" && clock[sel.Sel.Name] {
						t.Errorf("%s reads the clock: time.%s", file, sel.Sel.Name)
					}
				}
				return true
			})
		}
	}
}
