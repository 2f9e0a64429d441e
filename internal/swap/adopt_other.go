//go:build !unix

package swap

// adopt: files belong to whom the directory's access list says.
func adopt(string, string) error { return nil }
