package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// withoutNamespaces is the variable by which somebody decides that a machine
// without network namespaces need not run what needs them. Without it such a
// machine fails the tests: nothing is left out silently.
const withoutNamespaces = "ASSAY_WITHOUT_NAMESPACES"

// A namespaces is a network of its own with a namespace for each place, joined by
// a bridge. It exists as long as its holder, a process, runs; the machine's own
// network and mounts are not touched.
type namespaces struct {
	t      *testing.T
	holder int
	user   bool // in a user namespace: the test does not run as root
	dir    string
}

// newNamespaces makes a network in which each name has its addresses, all of them
// in 45.0.0.0/8 and on one link. It is nil where a person decided that there is
// none.
func newNamespaces(t *testing.T, addresses map[string][]string) *namespaces {
	t.Helper()
	if os.Getenv(withoutNamespaces) != "" {
		return nil
	}
	n := &namespaces{t: t, dir: t.TempDir(), user: os.Getuid() != 0}
	flags := "-nm"
	if n.user {
		flags = "-Urnm"
	}
	c := exec.Command("unshare", flags, "sh", "-ec", "mount -t tmpfs none /run; mkdir /run/netns; ip link set lo up; echo ready; exec cat")
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatalf("Debian packages util-linux and iproute2: %v", err)
	}
	t.Cleanup(func() {
		_ = in.Close() // the holder ends, and the network with it
		_ = c.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("no network namespace can be made here (%v): run as root with CAP_SYS_ADMIN, or allow user namespaces; "+
			"or decide with %s=1 that this machine does without what needs them", err, withoutNamespaces)
	}
	n.holder = c.Process.Pid
	script := "ip link add br0 type bridge\nip link set br0 up\n"
	for name, list := range addresses {
		script += fmt.Sprintf("ip netns add %[1]s\nip link add v%[1]s type veth peer name eth0 netns %[1]s\nip link set v%[1]s master br0 up\n"+
			"ip -n %[1]s link set lo up\nip -n %[1]s link set eth0 up\n", name)
		for _, a := range list {
			script += fmt.Sprintf("ip -n %s addr add %s/8 dev eth0\n", name, a)
		}
	}
	if out, err := n.command("", "sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("namespaces: %v\n%s", err, out)
	}
	return n
}

// command is a command that runs in the namespace of a place, in that which joins
// them for "".
func (n *namespaces) command(place string, words ...string) *exec.Cmd {
	args := []string{"-t", strconv.Itoa(n.holder), "-n", "-m"}
	if n.user {
		args = append(args, "-U", "--preserve-credentials")
	}
	args = append(args, "--wd="+n.dir)
	if place != "" {
		args = append(args, "nsenter", "--net=/run/netns/"+place)
	}
	return exec.Command("nsenter", append(args, words...)...)
}

// start runs a server at a place until the test ends, and returns the file with
// its output once until finds what it looks for in that.
func (n *namespaces) start(place string, c *exec.Cmd, ready func(output string) bool) string {
	n.t.Helper()
	file := filepath.Join(n.t.TempDir(), "output")
	out, err := os.Create(file)
	if err != nil {
		n.t.Fatal(err)
	}
	defer out.Close()
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // another process starts
		raw, err := os.ReadFile(file)
		if err != nil {
			n.t.Fatal(err)
		}
		if ready(string(raw)) {
			return string(raw)
		}
		if time.Now().After(end) {
			n.t.Fatalf("%s at %s does not start:\n%s", strings.Join(c.Args, " "), place, raw)
		}
	}
}

// write writes a file for the programs of the network.
func (n *namespaces) write(name, text string) string {
	n.t.Helper()
	file := filepath.Join(n.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return file
}

// run runs a command that needs no network, in the network's directory.
func (n *namespaces) run(words ...string) string {
	n.t.Helper()
	c := exec.Command(words[0], words[1:]...)
	c.Dir = n.dir
	out, err := c.CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return string(out)
}
