package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/client"
	"assay/internal/service"
	"assay/internal/store/pgtest"
	"assay/lab"
	"assay/order"
	"assay/review"
)

// becomes waits until an order is in a state.
func (s *site) becomes(t *testing.T, id string, want order.State) *service.View {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	there := errors.New("there")
	v := s.must(t, http.MethodGet, "/orders/"+id, nil)
	if v.State == want {
		return v
	}
	err := s.client.Follow(ctx, id, v.Version, func(service.Event) error {
		if v = s.must(t, http.MethodGet, "/orders/"+id, nil); v.State == want {
			return there
		}
		return nil
	})
	if !errors.Is(err, there) {
		t.Fatalf("order %s is %s and does not get %s: %v", id, v.State, want, err)
	}
	return v
}

// TestServiceDeadline: an order whose value is never published fails when its
// deadline comes, also where no server ran at that time; it says why, and what
// was in its way. Submitted again it has the same value, and passes.
func TestServiceDeadline(t *testing.T) {
	t.Parallel()
	for name, method := range map[string]order.Method{"by DNS": order.MethodDNS, "by file": order.MethodFile} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.look(t, bare(), lab.Options{})
			first := s.must(t, http.MethodPost, "/orders", application(method, csrOf(t, "orchard.net", "orchard.net"), "orchard.net"))
			published := lab.Options{Value: first.Challenges[0].Value}
			nothing, missing := bare(), cause.DNSRecordMissing
			if u := first.Challenges[0].URL; u != "" {
				published.FileName = path.Base(u)
				nothing, missing = worldOf(t, "file.missing", published.FileName), cause.FileMissing
			}
			s.ahead = time.Until(*first.Deadline) - 10*time.Minute
			s.look(t, nothing, published)
			if v := s.verify(t, first.ID); v.State != order.StatePending || slices.Contains(rootCauses(v.Findings), cause.LimitDeadlinePassed) {
				t.Fatalf("before its deadline: %s %v", v.State, rootCauses(v.Findings))
			}
			s.ahead += time.Hour
			s.look(t, nothing, published)
			v := s.becomes(t, first.ID, order.StateFailed)
			if found := rootCauses(v.Findings); v.Reason != order.FailDeadline || !slices.Contains(found, cause.LimitDeadlinePassed) || !slices.Contains(found, missing) {
				t.Fatalf("%s %s %v; want %s and %s", v.State, v.Reason, found, cause.LimitDeadlinePassed, missing)
			}
			again := s.must(t, http.MethodPost, "/orders/"+first.ID+"/resubmit", nil)
			if again.State != order.StatePending || again.Challenges[0].Value != published.Value || !again.Deadline.After(*first.Deadline) {
				t.Errorf("%+v", again)
			}
			s.look(t, lab.Change{}, published)
			if v = s.verify(t, first.ID); v.State != order.StateReady {
				t.Fatalf("submitted again: %s %v", v.State, rootCauses(v.Findings))
			}
			s.audited(t)
		})
	}
}

// TestServicePhone: OV orders without a company phone (S10) and with one on which
// nobody can be reached (S11) are refused with that cause, and accepted corrected:
// they then wait for their letter.
func TestServicePhone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	organization := func(phone order.Phone) *applicationBody {
		person := func(first, last, number string) *order.Contact {
			return &order.Contact{FirstName: first, LastName: last, Title: "Engineer", Email: "orders@orchard.net", Phone: number}
		}
		return &applicationBody{Order: &order.Order{
			Product: order.OV, Names: []string{"www.orchard.net"}, CommonName: "www.orchard.net", Method: order.MethodDNS,
			CSR: csrOf(t, "www.orchard.net", "www.orchard.net"),
			Organization: &order.Organization{
				Name: "Orchard Technology (Shenzhen) Co., Ltd.", Department: "IT", Country: "CN", Province: "Guangdong",
				City: "Shenzhen", Address: "12 Fruit Street, Nanshan", Phone: phone,
			},
			Contacts: &order.Contacts{Administrator: person("Mei", "Lin", "13800138000"), Technical: person("Bo", "Chen", "13900139000")},
		}}
	}
	for _, c := range []struct {
		name  string
		phone order.Phone
		want  cause.ID
	}{
		{"S10 no phone", order.Phone{}, cause.OrganizationPhoneEmpty},
		{"S10 an area without a number", order.Phone{Area: "0755"}, cause.OrganizationPhoneEmpty},
		{"S11 one digit", order.Phone{Area: "0755", Number: "11111111"}, cause.OrganizationPhoneInvalid},
		{"S11 too short", order.Phone{Area: "0755", Number: "8601338"}, cause.OrganizationPhoneInvalid},
	} {
		_, err := s.do(t, http.MethodPost, "/orders", organization(c.phone))
		var p *client.Problem
		if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity || !slices.Contains(rootCauses(p.Findings), c.want) {
			t.Errorf("%s: %v %+v", c.name, err, p)
		}
		v := s.must(t, http.MethodPost, "/orders", organization(order.Phone{Area: "0755", Number: "86013388"}))
		if v.State != order.StateLetter {
			t.Errorf("%s: corrected: %s %v", c.name, v.State, rootCauses(v.Findings))
		}
		s.must(t, http.MethodPost, "/orders/"+v.ID+"/cancel", nil)
	}
	s.audited(t)
}

// ordered runs "assay order ARGUMENT…" against a site.
func (s *site) ordered(t *testing.T, code int, args ...string) *service.View {
	t.Helper()
	binary, err := exec.LookPath("assay")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary, slices.Concat([]string{"order"}, args, []string{"--json"})...)
	c.Env = append(os.Environ(), "ASSAY_URL="+s.url, "ASSAY_TOKEN="+s.token, "LANG=C.UTF-8", "HOME="+s.dir)
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := c.ProcessState.ExitCode(); got != code {
		t.Fatalf("assay order %v: code %d, want %d\n%s%s", args, got, code, out, exit.Stderr)
	}
	v := &service.View{}
	if err := json.Unmarshal(out, v); err != nil {
		t.Fatalf("assay order %v: %v\n%s", args, err, out)
	}
	return v
}

// TestServiceTwo runs two servers on one PostgreSQL database and has the command
// line talk to both of the same order; one is killed, and started again beside
// the other.
func TestServiceTwo(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Remove(); err != nil {
			t.Error(err)
		}
	})
	one, two := newSite(t), newSite(t)
	one.database = server.Database(t)
	one.look(t, bare(), lab.Options{})
	two.database, two.token = one.database, one.token
	two.args = []string{"--key-file", filepath.Join(one.data(), keyName)}
	two.look(t, bare(), lab.Options{})

	csr := filepath.Join(one.dir, "orchard.csr")
	if err := os.WriteFile(csr, []byte(csrOf(t, "orchard.net", "orchard.net")), 0o600); err != nil {
		t.Fatal(err)
	}
	v := one.ordered(t, exitWait, "new", "orchard.net", "--csr", csr, "--method", "dns", "--product", "dv")
	if there := two.ordered(t, exitWait, "show", v.ID); there.Challenges[0].Value != v.Challenges[0].Value {
		t.Errorf("%+v\n%+v", v, there)
	}
	// The same request at the other server: it is in use.
	_, err = two.do(t, http.MethodPost, "/orders", application(order.MethodDNS, csrText(t, csr), "orchard.net"))
	var p *client.Problem
	if !errors.As(err, &p) || !slices.Contains(rootCauses(p.Findings), cause.CSRReused) {
		t.Errorf("%v", err)
	}

	if err := one.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = one.process.Wait()
	one.process = nil
	before := two.must(t, http.MethodPost, "/orders/"+v.ID+"/verify", nil)
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		// What the dead one may have had under way is taken when its lease ends.
		if v = two.must(t, http.MethodGet, "/orders/"+v.ID, nil); v.Checks > before.Checks || v.Review > before.Review {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the other server does not look: %+v", v)
		}
	}
	if v.State != order.StatePending || !slices.Contains(rootCauses(v.Findings), cause.DNSRecordMissing) {
		t.Fatalf("%s %v", v.State, rootCauses(v.Findings))
	}
	published := lab.Options{Value: v.Challenges[0].Value}
	one.look(t, lab.Change{}, published)
	two.look(t, lab.Change{}, published)
	two.ordered(t, exitWait, "verify", v.ID)
	two.becomes(t, v.ID, order.StateReady)
	if v = one.ordered(t, 0, "show", v.ID); v.State != order.StateReady || v.Verdict != review.VerdictPass {
		t.Errorf("%s %s", v.State, v.Verdict)
	}
	passed := 0
	events, err := one.events(t, v.ID)
	for _, e := range events {
		if e.Action == "order.pass" {
			passed++
		}
	}
	if err != nil || passed != 1 {
		t.Errorf("it passed %d times: %v", passed, err)
	}
	one.audited(t)
	two.audited(t)
}

func csrText(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// events are what was done to an order.
func (s *site) events(t *testing.T, id string) ([]service.Event, error) {
	t.Helper()
	var list []service.Event
	v := s.must(t, http.MethodGet, "/orders/"+id, nil)
	done := errors.New("done")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := s.client.Follow(ctx, id, 0, func(e service.Event) error {
		if list = append(list, e); e.Version >= v.Version {
			return done
		}
		return nil
	})
	if errors.Is(err, done) {
		err = nil
	}
	return list, err
}
