package profile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"assay/cause"
	"assay/order"
)

// TestInherit: a file states only what differs; tables merge field by field,
// levels cause by cause, lists as a whole.
func TestInherit(t *testing.T) {
	p, err := Parse([]byte(`
name = "ours"
inherits = "cloud"
switches = ["strict"]
[names]
max_length = 100
[levels]
"csr.reused" = "warn"
`))
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	if p.Names.MaxLength != 100 || !p.CSR.CommonNameRequired || len(p.Methods) != len(cloud.Methods) {
		t.Errorf("%+v", p.Names)
	}
	if got := p.Level(cause.CSRReused, order.DV); got != cause.Warn {
		t.Errorf("csr.reused is %s", got)
	}
	if got := p.Level(cause.KeyReused, order.DV); got != cause.Refuse {
		t.Errorf("key.reused is %s", got)
	}
	if p.Digest() == cloud.Digest() {
		t.Error("two profiles with one digest")
	}
	if cloud.Names.MaxLength != 64 || cloud.Level(cause.CSRReused, order.DV) != cause.Refuse {
		t.Error("the embedded profile changed")
	}
}

// TestCompiled: the profiles in the program are what their files say.
func TestCompiled(t *testing.T) {
	for _, name := range Embedded() {
		file, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		program, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		options := cmp.Options{
			cmp.AllowUnexported(Profile{}, Deadline{}),
			cmpopts.IgnoreFields(Profile{}, "derived", "digest", "digestOnce"),
			cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() }),
		}
		if diff := cmp.Diff(file, program, options); diff != "" {
			t.Errorf("%s: run go generate ./profile (-file +program)\n%s", name, diff)
		}
		if file.Digest() != program.Digest() {
			t.Errorf("%s: run go generate ./profile: digest %s, in the program %s", name, file.Digest(), program.Digest())
		}
	}
}

// TestParseErrors: what is wrong is named with its place.
func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"unknown field", "inherits = \"cloud\"\n[names]\nmax_lenght = 3\n", `line 3, column 1: unknown field "names.max_lenght"`},
		{"unknown parent", `inherits = "clod"`, `inherits: no embedded profile "clod"`},
		{"unknown cause", "inherits = \"cloud\"\n[levels]\n\"name.too-lon\" = \"warn\"", `levels: no cause "name.too-lon"`},
		{"unknown level", "inherits = \"cloud\"\n[levels]\n\"name.too-long\" = \"warning\"", `levels: name.too-long: level "warning": must be one of`},
		{"unknown switch", "inherits = \"cloud\"\nswitches = [\"strickt\"]", `switches: "strickt" must be one of strict, token`},
		{"unknown condition", "inherits = \"cloud\"\n[levels]\n\"policy.sensitive-word-inside\" = \"review[strickt:refuse]\"", `levels: policy.sensitive-word-inside: condition: "strickt" must be one of`},
		{"unknown test", "inherits = \"cloud\"\n[keys]\nmodulus_tests = [\"factor\"]", `keys.modulus_tests: "factor" must be one of factors`},
		{"unknown request", "inherits = \"cloud\"\n[csr]\nunsupported_decides = [\"san\"]", `csr.unsupported_decides: "san" must be one of san-type`},
		{"unknown product", "inherits = \"cloud\"\n[request]\nproducts = [\"DV\"]", `request.products: "DV" must be one of dv, ov, ev`},
		{"unknown method", "inherits = \"cloud\"\n[[methods]]\nname = \"http\"", `methods.name: "http" must be one of dns`},
		{"too many redirects", "inherits = \"cloud\"\n[file]\nmax_redirects = 12", `file.max_redirects: 12 must be 0 to 11`},
		{"unknown redirect", "inherits = \"cloud\"\n[file]\nredirect_codes = [300]", `file.redirect_codes: "300" must be one of 301`},
		{"deadline", "inherits = \"cloud\"\n[deadline]\nhours = -1", `deadline: hours and token_hours must not be negative`},
		{"unknown dated value", "inherits = \"cloud\"\n[[dated]]\nfrom = 2027-01-01T00:00:00Z\nset = {validity = 3}", `dated.set: "validity" must be one of validity_days`},
		{"wrong type", "[names]\nmax_length = \"3\"", `line 2, column`},
		{"syntax", "[names", `line 1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(c.in))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestCell: the words of a level and what holds when.
func TestCell(t *testing.T) {
	p := &Profile{Levels: map[cause.ID]string{cause.PolicySensitiveWordInside: "review[strict:refuse][token:warn]/review"}}
	if err := p.finish(); err != nil {
		t.Fatal(err)
	}
	id := cause.PolicySensitiveWordInside
	for _, c := range []struct {
		product    order.Product
		switches   []string
		conditions []string
		want       cause.Level
	}{
		{order.DV, nil, nil, cause.Review},
		{order.DV, []string{"token"}, nil, cause.Warn},
		{order.DV, []string{"token", "strict"}, nil, cause.Refuse},
		{order.DV, nil, []string{"token"}, cause.Warn},
		{order.OV, []string{"strict"}, nil, cause.Review},
		{order.EV, nil, nil, cause.Review},
	} {
		p.Switches = c.switches
		if got := p.Level(id, c.product, c.conditions...); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	for _, bad := range []string{"", "refuse[", "refuse[a]", "refuse[a:b]", "refuse[a:warn]x", "refuse/", "a/b"} {
		if _, err := ParseCell(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestDated: the row in force, to the second; a plan's own row beats all.
func TestDated(t *testing.T) {
	baseline, err := Named("baseline")
	if err != nil {
		t.Fatal(err)
	}
	le, err := Named("letsencrypt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		p     *Profile
		value Value
		at    string
		plan  string
		want  int
		ok    bool
	}{
		{baseline, ValidityDays, "2026-03-14T23:59:59Z", "", 398, true},
		{baseline, ValidityDays, "2026-03-15T00:00:00Z", "", 200, true},
		{baseline, ValidityDays, "2027-03-15T00:00:00Z", "", 100, true},
		{baseline, ValidityDays, "2029-03-15T00:00:00Z", "", 47, true},
		{baseline, DCVReuseDays, "2029-03-15T00:00:00Z", "", 10, true},
		{baseline, IdentityReuseDays, "2026-11-23T00:00:00Z", "", 398, true},
		{baseline, RemotesMin, "2026-11-23T00:00:00Z", "", 4, true},
		{baseline, RemotesMin, "2026-12-15T00:00:00Z", "", 5, true},
		{baseline, ValidityDays, "2019-01-01T00:00:00Z", "", 0, false},
		{le, ValidityDays, "2026-11-23T00:00:00Z", "", 90, true},
		{le, ValidityDays, "2026-11-23T00:00:00Z", "tlsserver", 45, true},
		{le, ValidityHours, "2026-11-23T00:00:00Z", "shortlived", 160, true},
		{le, ValidityDays, "2027-02-10T00:00:00Z", "", 64, true},
		{le, DCVReuseHours, "2028-02-16T00:00:00Z", "", 7, true},
		{le, RemotesMin, "2026-11-23T00:00:00Z", "", 4, true},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, ok := c.p.On(c.value, at, c.plan); got != c.want || ok != c.ok {
			t.Errorf("%s %s at %s, plan %q: %d %v, want %d", c.p.Name, c.value, c.at, c.plan, got, ok, c.want)
		}
	}
}

// FuzzParse: any bytes give a profile or an error.
func FuzzParse(f *testing.F) {
	f.Add([]byte("inherits = \"cloud\"\n[names]\nmax_length = 3\n"))
	f.Add([]byte("[levels]\n\"name.too-long\" = \"warn[a:pass]/info\""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := Parse(raw); err == nil && p.Digest() == "" {
			t.Error("a profile without a digest")
		}
	})
}
