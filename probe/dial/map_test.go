package dial

import (
	"strings"
	"testing"
)

func TestParseMap(t *testing.T) {
	t.Parallel()
	const text = "udp 45.155.10.11:53 127.0.0.1:40111\ntcp 45.155.10.11:53 127.0.0.1:40111\ntcp 45.155.10.21:80 drop\ntcp [2a10:50c0::53]:53 [::1]:40112\n"
	m, err := ParseMap("# a comment\n\n" + text + "udp 45.155.10.11:53 127.0.0.1:40111 # again\n")
	if err != nil || m.String() != text {
		t.Errorf("%q %v", m, err)
	}
	for _, c := range []struct{ text, err string }{
		{"", "has no entry"},
		{"udp 45.155.10.11:53", "line 1: want udp or tcp"},
		{"\nicmp 1.1.1.1:53 127.0.0.1:4", "line 2: want udp or tcp"},
		{"udp 45.155.10.11 127.0.0.1:4", "is no address with a port"},
		{"udp 45.155.10.11:53 127.0.0.1:0", "is no address with a port"},
		{"udp ns1.orchard.net:53 127.0.0.1:4", "is no address with a port"},
		{text + "udp 45.155.10.11:53 127.0.0.1:4", "line 5: udp 45.155.10.11:53 is already sent to 127.0.0.1:40111"},
	} {
		if _, err := ParseMap(c.text); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: error %v, want %q", c.text, err, c.err)
		}
	}
}

func FuzzParseMap(f *testing.F) {
	f.Add("udp 45.155.10.11:53 127.0.0.1:40111\n# x\ntcp [::1]:53 [::1]:5")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMap(text)
		if err != nil {
			return
		}
		if again, err := ParseMap(m.String()); err != nil || again.String() != m.String() {
			t.Errorf("%q: %v", m.String(), err)
		}
	})
}
