package service

import (
	"slices"

	"assay/internal/store"
)

// Permission is one thing that a role may do. Scopes of a token narrow it.
type Permission string

// The permissions.
const (
	MayReadOrders   Permission = "orders:read"
	MayWriteOrders  Permission = "orders:write"
	MayErase        Permission = "orders:erase"
	MayManageTokens Permission = "tokens"
	MayAccounts     Permission = "accounts"
	MayTenants      Permission = "tenants"
	MayReadAudit    Permission = "audit:read"
	MayTryProfiles  Permission = "profiles:try"
	MayReadNotices  Permission = "notices:read"
	// MayReadQueue is for what waits for a person, MayDecide for what a person
	// decides about it.
	MayReadQueue Permission = "reviews:read"
	MayDecide    Permission = "reviews:decide"
	// MayManageNotices is for channels, too.
	MayManageNotices Permission = "notices:write"
	MayReadFiles     Permission = "files:read"   // dossiers, letters, calls
	MayWriteFiles    Permission = "files:write"  // dossiers
	MayVerify        Permission = "files:verify" // claims, calls; decides on dossiers and letters
	// MayReadCertificates is for certificates and kept requests.
	MayReadCertificates  Permission = "certificates:read"
	MayWriteCertificates Permission = "certificates:write"
	MayRevoke            Permission = "certificates:revoke"
	// MayDecideRevocation is for the letters of revocations.
	MayDecideRevocation Permission = "revocations:decide"
	// MayManageCA is for the CAs of our own: of the whole service, not of a tenant.
	MayManageCA Permission = "ca"
)

// Permissions is what each role may do within its tenant. [MayTenants] counts
// for administrators of [RootTenant] only.
func Permissions() map[Role][]Permission {
	return map[Role][]Permission{
		RoleApplicant: {MayReadOrders, MayWriteOrders, MayReadNotices, MayManageNotices, MayReadFiles, MayWriteFiles, MayReadCertificates, MayWriteCertificates, MayRevoke},
		RoleReviewer:  {MayReadOrders, MayTryProfiles, MayReadNotices, MayReadQueue, MayDecide, MayReadFiles, MayVerify, MayReadCertificates, MayRevoke, MayDecideRevocation},
		RoleAuditor:   {MayReadOrders, MayReadAudit, MayTryProfiles, MayReadNotices, MayReadQueue, MayReadFiles, MayReadCertificates},
		RoleAdministrator: {
			MayReadOrders, MayWriteOrders, MayErase, MayManageTokens, MayAccounts, MayTenants, MayReadAudit, MayTryProfiles,
			MayReadNotices, MayManageNotices, MayReadQueue, MayReadFiles, MayWriteFiles, MayVerify,
			MayReadCertificates, MayWriteCertificates, MayRevoke, MayDecideRevocation, MayManageCA,
		},
	}
}

// Roles lists the roles.
func Roles() []Role {
	return []Role{RoleApplicant, RoleReviewer, RoleAdministrator, RoleAuditor}
}

// Scopes lists the scopes that a token may be narrowed to.
func Scopes() []string {
	scopes := []string{}
	all := Permissions()
	for _, role := range []Role{RoleAdministrator, RoleReviewer, RoleApplicant, RoleAuditor} {
		for _, p := range all[role] {
			if !slices.Contains(scopes, string(p)) {
				scopes = append(scopes, string(p))
			}
		}
	}
	return scopes
}

// May reports whether somebody may do something in the own tenant.
func (p Principal) May(do Permission) bool {
	if (do == MayTenants || do == MayManageCA) && p.Tenant != RootTenant {
		return false
	}
	if !slices.Contains(Permissions()[p.Role], do) {
		return false
	}
	return len(p.Scopes) == 0 || slices.Contains(p.Scopes, string(do))
}

// allow is May with the error for whoever asked.
func allow(p Principal, do Permission) error {
	if p.Tenant != "" && p.May(do) {
		return nil
	}
	return &Problem{Kind: Forbidden, Message: "service.forbidden", Pairs: []any{"Role", string(p.Role), "Permission", string(do)}}
}

// sees reports whether somebody may see an order of the own tenant at all: an
// applicant those of the own account. Whoever may not is told that there is none.
func (p Principal) sees(o *store.Order) bool {
	return o.Tenant == p.Tenant && (p.Role != RoleApplicant || o.Account == p.Account)
}
