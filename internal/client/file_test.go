package client

import (
	"net/http"
	"testing"
)

// TestFile: a server names a file, and never where it is written.
func TestFile(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "", `attachment; filename=shop.zip`: "shop.zip", `attachment; filename="../../etc/passwd"`: "passwd", `attachment; filename="..\\x.zip"`: "x.zip",
		`attachment; filename=".bashrc"`: "", `attachment; filename=".."`: "", `attachment; filename="/"`: "", `attachment; filename="a/"`: "a", `;;;`: "",
		`attachment; filename*=UTF-8''a%0Ab`: "",
	} {
		c := dial(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Disposition", header)
			_, _ = w.Write([]byte("content"))
		})
		var f File
		if err := c.Do(t.Context(), Call{Method: http.MethodGet, Path: "/x"}, &f); err != nil || f.Name != want || string(f.Content) != "content" {
			t.Errorf("%s: %q %q %v, want %q", header, f.Name, f.Content, err, want)
		}
	}
}
