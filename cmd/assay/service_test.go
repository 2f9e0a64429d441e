package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/client"
	"assay/internal/service"
	"assay/lab"
	"assay/order"
	"assay/review"
)

// quick is the profile of these tests: cloud, but a person may ask for a check
// as often as he likes.
const quick = "name = \"quick\"\ntitle = \"Quick\"\nversion = \"1\"\ninherits = \"cloud\"\n\n[limits]\nmanual_check_minutes = 0\n"

// A site is a service that runs as a program of its own, on one data directory,
// looking at one world after the other. Between two worlds it is stopped and
// started: what an order went through must not depend on one process.
type site struct {
	dir, profile string
	database     string
	// args are more arguments of assay serve; ahead is how far its clock is, and
	// that of its world.
	args       []string
	ahead      time.Duration
	world      *lab.World
	process    *exec.Cmd
	log        *syncBuffer
	url, token string
	// kept is set once the first token was used to make another.
	kept   bool
	client *client.Client
}

type syncBuffer struct {
	lock sync.Mutex
	b    bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.b.String()
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir()}
	s.profile = filepath.Join(s.dir, "quick.toml")
	if err := os.WriteFile(s.profile, []byte(quick), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() && s.log != nil {
			t.Log(s.log.String())
		}
	})
	return s
}

var (
	readyLine  = regexp.MustCompile(`(?m)^ready (\S+)$`)
	firstToken = regexp.MustCompile(`(?m)^(assay_\S+)$`)
)

// look has the service look at a world from now on.
func (s *site) look(t *testing.T, change lab.Change, o lab.Options) {
	t.Helper()
	s.stop(t)
	o.Clock = func() time.Time { return time.Now().Add(s.ahead) }
	if len(change.Places) == 0 {
		change.Places = lab.Strings{"P0"}
	}
	w, err := lab.New(change, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	s.world = w
	dir := t.TempDir()
	probe := w.Probe(0)
	config, err := probe.WriteSettings(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.start(t, config)
}

func (s *site) start(t *testing.T, config string) {
	t.Helper()
	binary, err := exec.LookPath("assay")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"serve", "--data", filepath.Join(s.dir, "data"), "--listen", "127.0.0.1:0", "--profile", s.profile, "--rate", "-1"}
	if s.database != "" {
		args = append(args, "--database", s.database)
	}
	c := exec.Command(binary, append(args, s.args...)...)
	out := &syncBuffer{}
	c.Stdout, c.Stderr = out, out
	c.Env = append(os.Environ(), "ASSAY_CONFIG="+config, "LANG=C.UTF-8", "HOME="+s.dir, aheadEnv+"="+s.ahead.String())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	s.process, s.log = c, out
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		text := out.String()
		if m := readyLine.FindStringSubmatch(text); m != nil {
			if k := firstToken.FindStringSubmatch(text); k != nil {
				s.token = k[1]
			}
			s.url = m[1]
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the service does not get ready:\n%s", text)
		}
	}
	if s.client, err = client.New(client.Config{URL: s.url, Token: s.token, Lang: "en"}); err != nil {
		t.Fatal(err)
	}
	if s.kept {
		return
	}
	// Used once the first token outlives the days that tests let pass.
	if err := s.client.Do(t.Context(), client.Call{Method: http.MethodPost, Path: "/tokens", Body: service.TokenRequest{Role: service.RoleAuditor}}, nil); err != nil {
		t.Fatal(err)
	}
	s.kept = true
}

// stop ends the service as an operator does, and the world.
func (s *site) stop(t *testing.T) {
	t.Helper()
	if s.process != nil {
		if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := s.process.Wait(); err != nil {
			t.Errorf("the service did not end well: %v\n%s", err, s.log)
		}
		s.process = nil
	}
	if s.world != nil {
		if err := s.world.Close(); err != nil {
			t.Error(err)
		}
		s.world = nil
	}
}

func (s *site) do(t *testing.T, method, path string, body any) (*service.View, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	v := &service.View{}
	err := s.client.Do(ctx, client.Call{Method: method, Path: path, Body: body}, v)
	return v, err
}

func (s *site) must(t *testing.T, method, path string, body any) *service.View {
	t.Helper()
	v, err := s.do(t, method, path, body)
	if err != nil {
		var p *client.Problem
		if errors.As(err, &p) {
			t.Fatalf("%s %s: %v %v", method, path, err, rootCauses(p.Findings))
		}
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return v
}

// verify has an order looked at, and waits for what that finds.
func (s *site) verify(t *testing.T, id string) *service.View {
	t.Helper()
	before, err := s.do(t, http.MethodPost, "/orders/"+id+"/verify", nil)
	if err != nil {
		// The service may have looked by itself already, and let it pass.
		if v := s.must(t, http.MethodGet, "/orders/"+id, nil); v.State == order.StateReady {
			return v
		}
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var v *service.View
	seen := errors.New("seen")
	err = s.client.Follow(ctx, id, before.Version, func(service.Event) error {
		if v = s.must(t, http.MethodGet, "/orders/"+id, nil); v.Review > before.Review || v.State != order.StatePending {
			return seen
		}
		return nil
	})
	if !errors.Is(err, seen) {
		t.Fatalf("order %s was not looked at: %v", id, err)
	}
	return v
}

func rootCauses(findings []review.Finding) []cause.ID {
	var list []cause.ID
	for i := range findings {
		if findings[i].Level.Blocks() {
			list = append(list, findings[i].Cause)
		}
	}
	return list
}

// request makes a CSR; a nil common name leaves it out.
func csrOf(t *testing.T, commonName string, names ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: commonName}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func application(method order.Method, csr string, names ...string) applicationBody {
	return applicationBody{Order: &order.Order{Product: order.DV, Names: names, Method: method, CSR: csr}}
}

// bare is the healthy world without what the applicant has to publish.
func bare() lab.Change {
	return lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: lab.ZoneCopy{Remove: lab.Strings{"_dnsauth TXT"}}}}}
}

// worldOf is the world of a scenario, with the file that the order asks for.
func worldOf(t *testing.T, id, file string) lab.Change {
	t.Helper()
	about, _, _ := strings.Cut(id, "/")
	raw, err := os.ReadFile(filepath.Join("../../lab/scenarios", about+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := lab.ParseScenarios(cause.ID(about), bytes.ReplaceAll(raw, []byte("fileauth.txt"), []byte(file)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].ID == id {
			return all[i].World
		}
	}
	t.Fatalf("there is no scenario %s", id)
	return lab.Change{}
}

// TestServiceSeed takes an order through each cause of the founding document
// that the network shows: it waits with that cause, is corrected, and passes.
// The service is a program of its own and is restarted between the steps.
func TestServiceSeed(t *testing.T) {
	t.Parallel()
	slots := make(chan struct{}, 2) // programs at the same time
	for _, c := range []struct {
		seed, scenario string
		cause          cause.ID
		method         order.Method
	}{
		{"S1 the file is on HTTP only", "file.missing-on-https", cause.FileMissingOnHTTPS, order.MethodFile},
		{"S2 the file answers with an error", "file.error-status", cause.FileErrorStatus, order.MethodFile},
		{"S3 the CDN's edge here lacks the file", "file.cdn-edge-missing/4", cause.FileCDNEdgeMissing, order.MethodFile},
		{"S4 the file is reached through another domain", "file.redirect-other-domain", cause.FileRedirectOtherDomain, order.MethodFile},
		{"S5 the record has another value", "dns.value-mismatch", cause.DNSValueMismatch, order.MethodDNS},
		{"S6 the provider answers for any name", "dns.wildcard-answers", cause.DNSWildcardAnswers, order.MethodDNS},
		{"S7 the record is not there", "dns.record-missing", cause.DNSRecordMissing, order.MethodDNS},
		{"S8 other networks get another answer", "dns.differs-by-region/5", cause.DNSDiffersByRegion, order.MethodDNS},
		{"S9 a cache has the old value", "dns.stale-cache", cause.DNSStaleCache, order.MethodDNS},
	} {
		t.Run(c.seed, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			s := newSite(t)
			s.look(t, bare(), lab.Options{})
			v := s.must(t, http.MethodPost, "/orders", application(c.method, csrOf(t, "orchard.net", "orchard.net", "www.orchard.net"), "orchard.net", "www.orchard.net"))
			published := lab.Options{Value: v.Challenges[0].Value}
			if u := v.Challenges[0].URL; u != "" {
				published.FileName = path.Base(u)
			}
			s.look(t, worldOf(t, c.scenario, published.FileName), published)
			v = s.verify(t, v.ID)
			if v.State != order.StatePending || !slices.Contains(rootCauses(v.Findings), c.cause) {
				t.Fatalf("%s, %v; want pending, %s", v.State, rootCauses(v.Findings), c.cause)
			}
			s.look(t, lab.Change{}, published)
			v = s.verify(t, v.ID)
			if v.State != order.StateReady || v.Verdict != review.VerdictPass {
				t.Fatalf("corrected: %s, %s, %v", v.State, v.Verdict, rootCauses(v.Findings))
			}
			s.audited(t)
		})
	}
}

// audited verifies the audit chain through the API once all is sealed.
func (s *site) audited(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var r service.AuditResult
		if err := s.client.Do(t.Context(), client.Call{Method: http.MethodPost, Path: "/audit/verify"}, &r); err != nil {
			t.Fatal(err)
		}
		if !r.Valid {
			t.Fatalf("%+v", r)
		}
		if r.Unsealed == 0 && r.Entries > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not sealed: %+v", r)
		}
	}
}

// TestServiceStatic takes an order for each cause of the founding document that
// the order itself shows: it is refused with that cause, corrected, accepted,
// and passes once its value is published.
func TestServiceStatic(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	long := strings.Repeat("a", 54) + ".orchard.net"
	used := csrOf(t, "s12.orchard.net", "s12.orchard.net")
	s.must(t, http.MethodPost, "/orders", application(order.MethodDNS, used, "s12.orchard.net"))
	var corrected []*service.View
	for _, c := range []struct {
		name string
		want cause.ID
		bad  applicationBody
		good string
	}{
		{"S12 the CSR was used", cause.CSRReused, application(order.MethodDNS, used, "s12.orchard.net"), "s12b.orchard.net"},
		{"S13 longer than 64", cause.NameTooLong, application(order.MethodDNS, csrOf(t, long, long), long), "s13.orchard.net"},
		{"S14 a character", cause.NameInvalidCharacter, application(order.MethodDNS, csrOf(t, "s14.orchard.net", "s14.orchard.net"), "s_14.orchard.net"), "s14.orchard.net"},
		{"S15 the CSR says other names", cause.CSRNamesDifferFromOrder, application(order.MethodDNS, csrOf(t, "s15.orchard.net", "s15.orchard.net", "other.orchard.net"), "s15.orchard.net"), "s15.orchard.net"},
		{"S16 no common name", cause.CSRCommonNameEmpty, application(order.MethodDNS, csrOf(t, "", "s16.orchard.net"), "s16.orchard.net"), "s16.orchard.net"},
		{"S17 a common name that is not ordered", cause.CSRCommonNameNotListed, application(order.MethodDNS, csrOf(t, "other.orchard.net", "s17.orchard.net"), "s17.orchard.net"), "s17.orchard.net"},
		{"S18 a sensitive word", cause.PolicySensitiveWord, application(order.MethodDNS, csrOf(t, "test.orchard.net", "test.orchard.net"), "test.orchard.net"), "s18.orchard.net"},
		{"S19 a rare root domain", cause.PolicyRareRootDomain, application(order.MethodDNS, csrOf(t, "www.orchard.pw", "www.orchard.pw"), "www.orchard.pw"), "s19.orchard.net"},
		{"S20 a private address", cause.NameIPReserved, application(order.MethodFile, csrOf(t, "10.0.0.1", "10.0.0.1"), "10.0.0.1"), "s20.orchard.net"},
		{"S20 a bare host name", cause.NameBareHost, application(order.MethodDNS, csrOf(t, "mailhost", "mailhost"), "mailhost"), "s20b.orchard.net"},
	} {
		_, err := s.do(t, http.MethodPost, "/orders", c.bad)
		var p *client.Problem
		if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity || !slices.Contains(rootCauses(p.Findings), c.want) {
			t.Errorf("%s: %v %+v", c.name, err, p)
			continue
		}
		if p.Findings[0].Title == "" || len(p.Findings[0].Handling) == 0 {
			t.Errorf("%s: a finding without its text: %+v", c.name, p.Findings[0])
		}
		corrected = append(corrected, s.must(t, http.MethodPost, "/orders", application(order.MethodDNS, csrOf(t, c.good, c.good), c.good)))
	}
	published := lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": {}}}
	zone := published.Zones["orchard.net"]
	for _, v := range corrected {
		label := strings.TrimSuffix(v.Order.Names[0], ".orchard.net")
		zone.Add = append(zone.Add, "_dnsauth."+label+` TXT "`+v.Challenges[0].Value+`"`, label+" A 45.155.10.21")
	}
	published.Zones["orchard.net"] = zone
	s.look(t, published, lab.Options{})
	for _, v := range corrected {
		if v = s.verify(t, v.ID); v.State != order.StateReady {
			t.Errorf("%s: %s %v", v.Order.Names[0], v.State, rootCauses(v.Findings))
		}
	}
	s.audited(t)
}

// TestServiceResubmit: an order that was cancelled is submitted again with the
// number and the value that it had, and passes.
func TestServiceResubmit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	first := s.must(t, http.MethodPost, "/orders", application(order.MethodDNS, csrOf(t, "orchard.net", "orchard.net"), "orchard.net"))
	s.must(t, http.MethodPost, "/orders/"+first.ID+"/cancel", nil)
	again := s.must(t, http.MethodPost, "/orders/"+first.ID+"/resubmit", nil)
	if again.ID != first.ID || again.Challenges[0].Value != first.Challenges[0].Value || !again.Deadline.After(*first.Deadline) {
		t.Errorf("%+v\n%+v", first, again)
	}
	s.look(t, lab.Change{}, lab.Options{Value: first.Challenges[0].Value})
	if v := s.verify(t, first.ID); v.State != order.StateReady {
		t.Errorf("%s %v", v.State, rootCauses(v.Findings))
	}
	var list struct {
		Items []service.ReviewView `json:"items"`
	}
	if err := s.client.Do(t.Context(), client.Call{Method: http.MethodGet, Path: "/orders/" + first.ID + "/reviews"}, &list); err != nil || len(list.Items) < 2 {
		t.Errorf("%v %v", list.Items, err)
	}
}
