package rest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"assay/internal/service"
	"assay/order"
)

// A rule is who may use an operation.
type rule struct {
	roles []service.Role
	// object: the path names something of one tenant; whoever may use the
	// operation, but belongs to another, is told that there is no such thing.
	object bool
	// root: only within the tenant root.
	root bool
	body string
}

// rules are the outcome that is wanted for every operation. An operation without
// a row fails the test.
func rules() map[string]rule {
	all := service.Roles()
	write := []service.Role{service.RoleApplicant, service.RoleAdministrator}
	admin := []service.Role{service.RoleAdministrator}
	review := []service.Role{service.RoleReviewer}
	staff := []service.Role{service.RoleReviewer, service.RoleAuditor, service.RoleAdministrator}
	audit := []service.Role{service.RoleAuditor, service.RoleAdministrator}
	draft := `{"draft":true,"order":{"names":["www.orchard.net"],"method":"dns"}}`
	rules := fileRules()
	maps.Copy(rules, noticeRules())
	maps.Copy(rules, certificateRules())
	maps.Copy(rules, map[string]rule{
		"apply":             {roles: write, body: draft},
		"list-orders":       {roles: all},
		"show-order":        {roles: all, object: true},
		"change-order":      {roles: write, object: true, body: draft},
		"delete-order":      {roles: write, object: true},
		"submit-order":      {roles: write, object: true},
		"verify-order":      {roles: write, object: true},
		"cancel-order":      {roles: write, object: true},
		"resume-order":      {roles: write, object: true},
		"resubmit-order":    {roles: write, object: true},
		"erase-order":       {roles: admin, object: true},
		"list-reviews":      {roles: all, object: true},
		"list-attempts":     {roles: all, object: true},
		"show-review":       {roles: all, object: true},
		"follow-order":      {roles: all, object: true},
		"list-queue":        {roles: staff},
		"show-docket":       {roles: staff, object: true},
		"list-decisions":    {roles: all, object: true},
		"claim-order":       {roles: review, object: true},
		"release-order":     {roles: review, object: true},
		"approve-order":     {roles: review, object: true, body: `{"review":1,"findings":["x"],"note":"why"}`},
		"refuse-order":      {roles: review, object: true, body: `{"cause":"policy.sensitive-word","note":"why"}`},
		"ask-order":         {roles: review, object: true, body: `{"cause":"policy.sensitive-word","note":"why"}`},
		"withdraw-approval": {roles: review, object: true, body: `{"decision":"x","note":"why"}`},
		"answer-order":      {roles: write, object: true, body: `{"note":"so"}`},
		"remind-order":      {roles: write, object: true},
		"whoami":            {roles: all},
		"list-tokens":       {roles: admin},
		"new-token":         {roles: admin, body: `{"role":"auditor"}`},
		"revoke-token":      {roles: admin, object: true},
		"list-tenants":      {roles: admin, root: true},
		"new-tenant":        {roles: admin, root: true, body: `{"id":"meadow"}`},
		"show-account":      {roles: admin, object: true},
		"put-account":       {roles: admin, body: `{"verified":true}`},
		"list-audit":        {roles: audit},
		"export-audit":      {roles: audit, root: true},
		"verify-audit":      {roles: audit},
		"audit-key":         {roles: audit},
		"try-profile":       {roles: []service.Role{service.RoleReviewer, service.RoleAuditor, service.RoleAdministrator}, body: "name = \"x\"\ninherits = \"cloud\"\n"},
		"forecast":          {roles: all},
	})
	return rules
}

// somebody is who asks.
type somebody struct {
	role            service.Role
	tenant, account string
	token           string
}

// outcome is the status that is wanted: 0 for any that is not about access.
func (r rule) outcome(who somebody) int {
	may := slices.Contains(r.roles, who.role) && (!r.root || who.tenant == service.RootTenant)
	switch {
	case !may:
		return http.StatusForbidden
	case r.object && who.tenant != "orchard", r.object && who.role == service.RoleApplicant && who.account != "shop":
		return http.StatusNotFound
	}
	return 0
}

// TestAccess: for every operation, role and tenant.
func TestAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{TokenRate: -1, AddressRate: -1}, func(s *service.Service) Service { return s })
	root, err := w.service.Authenticate(t.Context(), w.root)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"orchard", "vineyard"} {
		if _, err := w.service.NewTenant(t.Context(), root, id, id); err != nil {
			t.Fatal(err)
		}
	}
	people := []somebody{{service.RoleApplicant, "orchard", "other", w.token(service.RoleApplicant, "orchard", "other")}}
	for _, tenant := range []string{"orchard", "vineyard", service.RootTenant} {
		account := map[string]string{"orchard": "shop", "vineyard": "press", service.RootTenant: "root"}[tenant]
		for _, role := range service.Roles() {
			people = append(people, somebody{role, tenant, account, w.token(role, tenant, account)})
		}
	}
	owner, err := w.service.Authenticate(t.Context(), w.token(service.RoleApplicant, "orchard", "shop"))
	if err != nil {
		t.Fatal(err)
	}
	table := rules()
	for _, op := range Operations() {
		r, ok := table[op.OperationID]
		if !ok {
			t.Errorf("%s has no row: who may use it?", op.OperationID)
			continue
		}
		delete(table, op.OperationID)
		if got := w.ask(op.Method, Base+fill(op.Path, "x", "x"), "", r.body); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", op.OperationID, got.StatusCode)
		}
		for i, who := range people {
			v, err := w.service.Apply(t.Context(), owner, service.Application{Draft: true, Order: order.Order{Names: []string{"www.orchard.net"}, Method: order.MethodDNS}})
			if err != nil {
				t.Fatal(err)
			}
			w.access(op, r, who, v.ID, i)
		}
	}
	for id := range table {
		t.Errorf("%s has a row and is no operation", id)
	}
}

// access uses one operation as somebody, on an order or a token of the account
// shop of the tenant orchard.
func (w *world) access(op *Operation, r rule, who somebody, orderID string, n int) {
	w.Helper()
	id := orderID
	switch {
	case strings.HasPrefix(op.Path, "/tokens"):
		id = strings.Split(w.token(service.RoleAuditor, "orchard", "shop"), "_")[1]
	case strings.HasPrefix(op.Path, "/accounts"):
		id = "third"
		if who.tenant == "orchard" {
			w.token(service.RoleAuditor, "orchard", "third") // makes the account
		}
	case strings.HasPrefix(op.Path, "/channels"), strings.HasPrefix(op.Path, "/notices"):
		id = w.told(op.Path, orderID)
	case strings.HasPrefix(op.Path, "/certificates"), strings.HasPrefix(op.Path, "/csrs"):
		id = w.certified()
	default:
		id = w.filed(op.Path, orderID, n)
	}
	path := fill(op.Path, id, "1")
	if op.OperationID == "forecast" {
		path += "?at=2099-01-01T00:00:00Z"
	}
	headers := []string{}
	if op.OperationID == "try-profile" {
		headers = []string{"Content-Type", "application/toml"}
	}
	if op.OperationID == "download-certificate" {
		path += "?format=pem"
	}
	if op.OperationID == "list-dossiers" {
		path += "?kind=organization"
	}
	got := w.ask(op.Method, Base+path, who.token, strings.ReplaceAll(r.body, "meadow", fmt.Sprint("meadow", n)), headers...)
	want := r.outcome(who)
	access := got.StatusCode == 401 || got.StatusCode == 403 || got.StatusCode == 404
	if want != 0 && got.StatusCode != want || want == 0 && access || got.StatusCode >= 500 {
		w.Errorf("%s as %s of %s/%s: %d %s, want %d", op.OperationID, who.role, who.tenant, who.account, got.StatusCode, got.body, want)
	}
	seen := who.tenant == "orchard" && (who.account == "shop" || who.role != service.RoleApplicant)
	if !seen && op.OperationID != "export-audit" && strings.Contains(strings.ReplaceAll(string(got.body), path, ""), orderID) {
		w.Errorf("%s shows %s of %s/%s an order of another: %s", op.OperationID, who.role, who.tenant, who.account, got.body)
	}
}

func fill(path, id, number string) string {
	return strings.NewReplacer("{id}", id, "{number}", number, "{letter}", "let-"+id, "{claim}", "clm-"+id).Replace(path)
}

// FuzzApply: whatever the body of an application is, the answer is no defect.
func FuzzApply(f *testing.F) {
	for _, body := range []string{
		`{"order":{"names":["www.orchard.net"],"method":"dns"}}`, `{"draft":true,"order":{"names":["*.a","1.2.3.4"],"csr":"MIIB"}}`,
		`{"profile":"letsencrypt","order":{"names":["\u0000"],"organization":{"phone":{"number":"1"}}}}`, `{"order":null}`, `[`, "",
		`{"order":{"names":["a.example"],"validity":{"days":-1,"not_before":"2026-01-01T00:00:00Z"},"contacts":{"administrator":{"email":"@"}}}}`,
	} {
		f.Add([]byte(body))
	}
	w := newWorld(f, Config{TokenRate: -1, AddressRate: -1}, func(s *service.Service) Service { return s })
	f.Fuzz(func(t *testing.T, body []byte) {
		one := *w
		one.TB = t
		if got := one.ask(http.MethodPost, Base+"/orders", w.root, string(body)); got.StatusCode >= 500 {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	})
}
