package rest

import (
	"assay/internal/service"
	"assay/internal/store"
	"assay/order"
	"assay/review"
)

const exampleCert = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"

func exampleCertificate() service.CertificateView {
	renew := exampleTime().AddDate(0, 0, 60)
	return service.CertificateView{
		ID: exampleOrderID, Tenant: "orchard", Account: "shop", Source: store.SourceIssued, Issuer: "issuing-1", Serial: "5f0c2d1e9a7b3c48a0b1c2d3e4f50617",
		State: order.CertificateValid, Product: order.DV, Profile: "cloud", Name: "www.orchard.net", Names: 2,
		Fingerprint: "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c", Keyprint: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		NotBefore: exampleTime(), NotAfter: exampleTime().AddDate(0, 0, 90), Alias: "shop", Tags: map[string]string{"team": "web"},
		AutoRenew: true, RenewAt: &renew, CreatedAt: exampleTime(), Version: 1,
	}
}

func exampleCertificateChange() service.CertificateChange {
	alias, tags, yes := "shop", map[string]string{"team": "web"}, true
	return service.CertificateChange{Alias: &alias, Tags: &tags, AutoRenew: &yes}
}

func exampleUpload() service.UploadRequest {
	return service.UploadRequest{Certificate: exampleCert, Chain: exampleCert, Alias: "shop"}
}

func exampleUploaded() service.UploadView {
	c := exampleCertificate()
	c.ID, c.Source, c.Issuer, c.Product, c.AutoRenew, c.RenewAt, c.Tags = "UMFRGG2LTMFRGG2LT", store.SourceUploaded, "", "", false, nil, nil
	return service.UploadView{Certificate: &c, Findings: []review.Finding{}}
}

func exampleKept(key string) service.CSRView {
	return service.CSRView{
		ID: "A2611260008F3K7R", Tenant: "orchard", Account: "shop", Name: "www.orchard.net", Names: 2, KeyType: "P-256",
		SHA256: "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c", CSR: exampleCSR, Note: "shop, 2026", Key: key,
		CreatedAt: "2026-11-26T08:00:00Z", Version: 1,
	}
}
