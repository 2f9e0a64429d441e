package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"assay/internal/certfile"
	"assay/internal/issuer"
	"assay/internal/service"
	"assay/internal/store"
	"assay/order"
)

// Certificates are the use cases about certificates and kept requests.
type Certificates interface {
	Certificates(ctx context.Context, p service.Principal, q service.CertificateQuery) ([]service.CertificateView, string, error)
	Certificate(ctx context.Context, p service.Principal, id string) (*service.CertificateView, error)
	Upload(ctx context.Context, p service.Principal, in service.UploadRequest) (*service.UploadView, error)
	ChangeCertificate(ctx context.Context, p service.Principal, id string, version int64, in service.CertificateChange) (*service.CertificateView, error)
	DeleteCertificate(ctx context.Context, p service.Principal, id string, version int64) (*service.CertificateView, error)
	Renew(ctx context.Context, p service.Principal, id string, in service.RenewalRequest) (*service.View, error)
	Reissue(ctx context.Context, p service.Principal, id string, in service.RenewalRequest) (*service.View, error)
	Revoke(ctx context.Context, p service.Principal, id string, version int64, in service.RevocationRequest) (*service.CertificateView, error)
	ConfirmRevocation(ctx context.Context, p service.Principal, id string, version int64, accept bool) (*service.CertificateView, error)
	Download(ctx context.Context, p service.Principal, id string, in service.DownloadRequest) (*certfile.File, error)
	NewCSR(ctx context.Context, p service.Principal, in service.CSRRequest) (*service.CSRView, error)
	CSRs(ctx context.Context, p service.Principal, cursor string, limit int) ([]service.CSRView, string, error)
	CSR(ctx context.Context, p service.Principal, id string) (*service.CSRView, error)
	ChangeCSR(ctx context.Context, p service.Principal, id string, version int64, in service.CSRChange) (*service.CSRView, error)
}

// CertificateList is a page of certificates: newest first, or those that end first
// where days was given.
type CertificateList struct {
	Items []service.CertificateView `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

// RevocationAnswer says what to do about the letter of a revocation.
type RevocationAnswer struct {
	// Accept revokes the certificate; without it the certificate stays.
	Accept bool `json:"accept"`
}

func certificateParam() *huma.Param {
	return pathParam("id", "The id of the certificate: the number of its order where it was issued here.", exampleOrderID)
}

// certificateAnswer is the answer that most operations on a certificate have.
func certificateAnswer(description string) []Answer {
	return []Answer{{Status: http.StatusOK, Description: description, Type: service.CertificateView{}, Tagged: true, Example: exampleCertificate()}}
}

func certificateOperations() []*Operation {
	return slices.Concat(certificateReading(), certificateChanges(), certificateFiles())
}

func certificateReading() []*Operation {
	list := route(http.MethodGet, "/certificates", "list-certificates", "certificates", "List certificates",
		"Newest first; with days those that end within so many days, the next to end first. An applicant sees those of the own account.",
		wordParam("state", "Only certificates in this state.", "valid", words(order.CertificateStates())...),
		wordParam("source", "Only certificates that were issued here, or uploaded.", store.SourceIssued, store.SourceIssued, store.SourceUploaded),
		queryParam("account", "Only certificates of this account.", "shop"),
		queryParam("name", "Only certificates with exactly this name.", "www.orchard.net"),
		queryParam("domain", "Only certificates with a name under this registrable domain.", "orchard.net"),
		numberParam("days", "Only certificates that end within so many days, the next to end first; without a state none that is revoked.", 30, 1, 4000),
		cursorParam(), limitParam())
	show := route(http.MethodGet, "/certificates/{id}", "show-certificate", "certificates", "Show a certificate",
		"With what was found where it is used, and when it is renewed.",
		certificateParam(), headerParam("If-None-Match", "The entity tag there is already: 304 where nothing changed.", `"7"`))
	upload := route(http.MethodPost, "/certificates", "upload-certificate", "certificates", "Upload a certificate",
		"One that was made elsewhere: its end is told, and it can be downloaded for any server. What is wrong with it is told with every finding at once, and nothing is kept then. A key that is given is kept sealed.", keyParam())
	return []*Operation{
		{
			Operation: list, Answers: ok("A page of certificates.", CertificateList{}, CertificateList{Items: []service.CertificateView{exampleCertificate()}, Next: "b3JkZXI6NTA"}),
			Problems: []service.Kind{service.Invalid, service.Forbidden}, run: runCertificates,
		},
		{
			Operation: upload, Body: &Body{Type: service.UploadRequest{}, Description: "The certificate.", Example: exampleUpload()},
			Answers:  []Answer{{Status: http.StatusCreated, Description: "The certificate as it is kept, and what was found.", Type: service.UploadView{}, Example: exampleUploaded()}, {Status: http.StatusOK, Description: "It is here already.", Type: service.UploadView{}, Example: exampleUploaded()}},
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.Refused, service.Conflict, kindTooLarge, kindMediaType, kindKeyReused},
			run:      runUploadCertificate,
		},
		{
			Operation: show, Answers: append(certificateAnswer("The certificate."), Answer{Status: http.StatusNotModified, Description: "Nothing changed."}),
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runCertificate,
		},
	}
}

func certificateChanges() []*Operation {
	with := func(op *Operation, b *Body) *Operation {
		op.Body = b
		op.Problems = append(op.Problems, kindTooLarge, kindMediaType)
		return op
	}
	post := func(word, id, summary, description string, answers []Answer, b *Body, run func(*call) (*answer, error)) *Operation {
		return with(&Operation{
			Operation: route(http.MethodPost, "/certificates/{id}/"+word, id, "certificates", summary, description, certificateParam(), keyParam()),
			Answers:   answers, Problems: append(actionProblems(), kindKeyReused), run: run,
		}, b)
	}
	change := with(&Operation{
		Operation: route(http.MethodPatch, "/certificates/{id}", "change-certificate", "certificates", "Change what is written on a certificate",
			"Alias, tags, whether it is renewed by itself, whether its end is told. What is left out stays.", certificateParam(), keyParam(), ifMatchParam()),
		Answers: certificateAnswer("The certificate as it is now."), Problems: append(actionProblems(), kindKeyReused), run: runChangeCertificate,
	}, &Body{Type: service.CertificateChange{}, Description: "What changes.", Example: exampleCertificateChange()})
	remove := &Operation{
		Operation: route(http.MethodDelete, "/certificates/{id}", "delete-certificate", "certificates", "Delete a certificate",
			"One that ended or came from elsewhere is no longer listed; a key that is kept of it is gone. The audit record stays.", certificateParam(), keyParam(), ifMatchParam()),
		Answers: []Answer{{Status: http.StatusNoContent, Description: "It is deleted."}}, Problems: append(actionProblems(), kindKeyReused), run: runDeleteCertificate,
	}
	ordered := []Answer{{Status: http.StatusCreated, Description: "The order that is to replace it.", Type: service.View{}, Tagged: true, Example: exampleView()}}
	renew := post("renew", "renew-certificate", "Renew a certificate",
		"Orders it anew, with the same names. Without a request the one that it has is used again, where its profile lets a key be used again.",
		ordered, &Body{Type: service.RenewalRequest{}, Description: "A new request; left out: the same.", Optional: true, Example: service.RenewalRequest{CSR: exampleCSR}}, runAgain(Certificates.Renew))
	reissue := post("reissue", "reissue-certificate", "Reissue a certificate",
		"Orders one with another key or other names, which ends when the one that it replaces would have.",
		ordered, &Body{Type: service.RenewalRequest{}, Description: "What differs.", Example: service.RenewalRequest{CSR: exampleCSR, Names: []string{"www.orchard.net", "shop.orchard.net"}}}, runAgain(Certificates.Reissue))
	for _, op := range []*Operation{renew, reissue} {
		op.Problems = append(op.Problems, service.Refused)
	}
	revoke := post("revoke", "revoke-certificate", "Revoke a certificate",
		"For ever. Of OV and EV its account sends a letter first; reviewers and administrators decide at once. With a proof that the key is theirs, whoever may see it revokes it for key-compromise. Reasons: "+reasonWords()+".",
		certificateAnswer("The certificate as it is now."), &Body{Type: service.RevocationRequest{}, Description: "Why.", Example: service.RevocationRequest{Reason: issuer.Reasons()[issuer.Superseded]}}, runRevoke)
	letter := post("revocation", "decide-revocation", "Decide on the letter of a revocation", "It is accepted, and the certificate revoked; or rejected, and it stays. Nobody decides on the own account.",
		certificateAnswer("The certificate as it is now."), &Body{Type: RevocationAnswer{}, Description: "What is decided.", Example: RevocationAnswer{Accept: true}}, runDecideRevocation)
	for _, op := range []*Operation{revoke, letter} {
		op.Parameters = append(op.Parameters, ifMatchParam())
	}
	return []*Operation{change, remove, renew, reissue, revoke, letter}
}

func reasonWords() string {
	var all []string
	for _, w := range issuer.Reasons() {
		all = append(all, w)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func certificateFiles() []*Operation {
	var formats []string
	for _, f := range certfile.Formats() {
		formats = append(formats, f.ID)
	}
	file := Answer{Status: http.StatusOK, Description: "The file, as a download.", ContentType: "application/octet-stream", Example: "PK…"}
	get := route(http.MethodGet, "/certificates/{id}/file", "download-certificate", "certificates", "Download a certificate",
		"In a format, or as a bundle for a server, without the private key. Formats that are encrypted need the password that POST takes.",
		certificateParam(), required(wordParam("format", "The format.", "nginx", formats...)),
		wordParam("legacy", "PKCS #12 for software before 2020.", "true", "true", "false"))
	post := route(http.MethodPost, "/certificates/{id}/file", "download-certificate-with", "certificates", "Download a certificate with its key or a password",
		"As GET; with the private key where it is kept here, which is then here no more unless the operator keeps keys. No answer is kept: a request that is repeated is done again.", certificateParam())
	return []*Operation{
		{
			Operation: get, Answers: []Answer{file}, Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runFile,
		},
		{
			Operation: post, Body: &Body{Type: service.DownloadRequest{}, Description: "Which file.", Example: service.DownloadRequest{Format: "pkcs12", Key: true, Password: "…"}},
			Answers:  []Answer{file},
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound, service.Conflict, service.WrongState, kindTooLarge, kindMediaType}, run: runFileWith,
		},
	}
}
