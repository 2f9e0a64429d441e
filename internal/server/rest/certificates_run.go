package rest

import (
	"context"
	"net/http"

	"assay/internal/certfile"
	"assay/internal/service"
	"assay/order"
)

// showCertificate shows a certificate, what was found where it is used in the
// language of the request.
func (c *call) showCertificate(v *service.CertificateView) *answer {
	shown := *v
	if len(v.Deployment) > 0 {
		shown.Deployment = localized(v.Deployment, c.words.Lang())
	}
	a := &answer{status: http.StatusOK, value: &shown}
	a.tag(v.Version)
	return a
}

func runCertificates(c *call) (*answer, error) {
	items, next, err := c.s.Service.Certificates(c.ctx(), c.p, service.CertificateQuery{
		State: order.CertificateState(c.text("state")), Source: c.text("source"), Account: c.text("account"), Name: c.text("name"), Domain: c.text("domain"),
		Days: c.number("days"), Cursor: c.text("cursor"), Limit: c.number("limit"),
	})
	return shownOr(CertificateList{Items: listed(items), Next: next}, err)
}

func runCertificate(c *call) (*answer, error) {
	v, err := c.s.Service.Certificate(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	a := c.showCertificate(v)
	if c.unchanged(a.etag) {
		return &answer{status: http.StatusNotModified, etag: a.etag}, nil
	}
	return a, nil
}

func runUploadCertificate(c *call) (*answer, error) {
	var in service.UploadRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.UploadView, error) {
		return c.s.Service.Upload(ctx, c.p, in)
	}, func(v *service.UploadView) *answer {
		shown := *v
		shown.Findings = localized(v.Findings, c.words.Lang())
		if v.Known {
			return &answer{status: http.StatusOK, value: &shown}
		}
		return &answer{status: http.StatusCreated, value: &shown, location: Base + "/certificates/" + v.Certificate.ID}
	})
}

// certified runs what changes a certificate, as of the version that was read.
func certified(c *call, show func(*service.CertificateView) *answer, do func(ctx context.Context, version int64) (*service.CertificateView, error)) (*answer, error) {
	version, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.CertificateView, error) { return do(ctx, version) }, show)
}

func runChangeCertificate(c *call) (*answer, error) {
	var in service.CertificateChange
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return certified(c, c.showCertificate, func(ctx context.Context, version int64) (*service.CertificateView, error) {
		return c.s.Service.ChangeCertificate(ctx, c.p, c.id(), version, in)
	})
}

func runDeleteCertificate(c *call) (*answer, error) {
	return certified(c, gone[*service.CertificateView], func(ctx context.Context, version int64) (*service.CertificateView, error) {
		return c.s.Service.DeleteCertificate(ctx, c.p, c.id(), version)
	})
}

// runAgain runs what orders a certificate again.
func runAgain(do func(Certificates, context.Context, service.Principal, string, service.RenewalRequest) (*service.View, error)) func(*call) (*answer, error) {
	return func(c *call) (*answer, error) {
		var in service.RenewalRequest
		if len(c.body) > 0 {
			if err := c.decode(&in); err != nil {
				return nil, err
			}
		}
		return once(c, func(ctx context.Context) (*service.View, error) {
			return do(c.s.Service, ctx, c.p, c.id(), in)
		}, c.showOrder(http.StatusCreated))
	}
}

func runRevoke(c *call) (*answer, error) {
	var in service.RevocationRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return certified(c, c.showCertificate, func(ctx context.Context, version int64) (*service.CertificateView, error) {
		return c.s.Service.Revoke(ctx, c.p, c.id(), version, in)
	})
}

func runDecideRevocation(c *call) (*answer, error) {
	var in RevocationAnswer
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return certified(c, c.showCertificate, func(ctx context.Context, version int64) (*service.CertificateView, error) {
		return c.s.Service.ConfirmRevocation(ctx, c.p, c.id(), version, in.Accept)
	})
}

func runFile(c *call) (*answer, error) {
	return c.showFile(c.s.Service.Download(c.ctx(), c.p, c.id(), service.DownloadRequest{Format: c.text("format"), Legacy: c.text("legacy") == "true"}))
}

// runFileWith takes no idempotency key: the answer may hold a private key, and the
// digest of the request would give a password away to whoever guesses.
func runFileWith(c *call) (*answer, error) {
	var in service.DownloadRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return c.showFile(c.s.Service.Download(c.ctx(), c.p, c.id(), in))
}

func (c *call) showFile(f *certfile.File, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, raw: f.Content, kind: f.MediaType, file: f.Name}, nil
}
