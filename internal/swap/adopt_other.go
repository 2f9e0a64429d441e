//go:build !unix

package swap

// Adopt does nothing: files belong to whom the directory's access list says.
func Adopt(string, string) error { return nil }
