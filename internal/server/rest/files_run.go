package rest

import (
	"context"
	"net/http"
	"slices"
	"time"

	"assay/internal/service"
	"assay/order"
)

func exampleDossierRequest() service.DossierRequest {
	return service.DossierRequest{Kind: "organization", Organization: exampleDossier().Organization}
}

func exampleDossier() service.DossierView {
	at := exampleTime()
	submitted, decided, ends := at.Add(time.Hour), at.Add(2*time.Hour), at.AddDate(0, 0, 398)
	return service.DossierView{
		ID: "org-5f0c2d1e9a7b3c48", Account: "shop", Kind: "organization", State: "ok", Products: []order.Product{order.OV},
		Organization: &order.Organization{
			Name: "Orchard Technology (Shenzhen) Co., Ltd.", Department: "IT", Country: "CN", Province: "Guangdong", City: "Shenzhen",
			Address: "12 Fruit Street, Nanshan", Phone: order.Phone{Area: "0755", Number: "86013388"},
		},
		CreatedAt: at, SubmittedAt: &submitted, DecidedAt: &decided, ExpiresAt: &ends, Version: 6,
	}
}

func exampleClaim() service.ClaimRequest {
	return service.ClaimRequest{Item: "name", Value: "Orchard Technology (Shenzhen) Co., Ltd.", Source: "gsxt.gov.cn", Class: "QGIS"}
}

func exampleClaimView() service.ClaimView {
	c := exampleClaim()
	return service.ClaimView{ID: "clm-5f0c2d1e9a7b3c48", Item: c.Item, Value: c.Value, Source: c.Source, Class: c.Class, By: "anna", ObtainedAt: exampleTime()}
}

func exampleLetter() service.LetterView {
	return service.LetterView{
		ID: "let-5f0c2d1e9a7b3c48", State: "pending", Type: "pdf", Bytes: 204_800, By: "shop", UploadedAt: exampleTime(),
		SHA256: "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
	}
}

func exampleCall() service.CallRequest {
	return service.CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed", AnsweredBy: "front desk, then Ms Lin"}
}

func exampleCallView() service.CallView {
	c := exampleCall()
	return service.CallView{ID: "cal-5f0c2d1e9a7b3c48", Number: c.Number, Source: c.Source, Result: c.Result, AnsweredBy: c.AnsweredBy, By: "anna", At: exampleTime()}
}

// shownDossier shows a view of a dossier.
func shownDossier(status int) func(*service.DossierView) *answer {
	return func(v *service.DossierView) *answer {
		a := &answer{status: status, etag: entityTag(v.Version), value: v}
		if status == http.StatusCreated {
			a.location = Base + "/dossiers/" + v.ID
		}
		return a
	}
}

// changed runs what changes a dossier, as of the version that was read.
func changed(c *call, do func(ctx context.Context, version int64) (*service.DossierView, error)) (*answer, error) {
	version, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.DossierView, error) { return do(ctx, version) }, shownDossier(http.StatusOK))
}

func runDossier(do func(Files, context.Context, service.Principal, string, int64) (*service.DossierView, error)) func(*call) (*answer, error) {
	return func(c *call) (*answer, error) {
		return changed(c, func(ctx context.Context, version int64) (*service.DossierView, error) {
			return do(c.s.Service, ctx, c.p, c.id(), version)
		})
	}
}

func runNewDossier(c *call) (*answer, error) {
	var in service.DossierRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.DossierView, error) {
		return c.s.Service.NewDossier(ctx, c.p, in)
	}, shownDossier(http.StatusCreated))
}

func runDossiers(c *call) (*answer, error) {
	items, next, err := c.s.Service.Dossiers(c.ctx(), c.p, service.DossierQuery{
		Kind: c.text("kind"), State: c.text("state"), Account: c.text("account"), Parent: c.text("parent"), Cursor: c.text("cursor"), Limit: c.number("limit"),
	})
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: DossierList{Items: slices.Concat([]service.DossierView{}, items), Next: next}}, nil
}

func runShowDossier(c *call) (*answer, error) {
	v, err := c.s.Service.Dossier(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	return shownDossier(http.StatusOK)(v), nil
}

func runChangeDossier(c *call) (*answer, error) {
	var in service.DossierRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	version, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.DossierView, error) {
		return c.s.Service.ChangeDossier(ctx, c.p, c.id(), version, in)
	}, shownDossier(http.StatusOK))
}

func runDeleteDossier(c *call) (*answer, error) {
	version, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.s.Service.DeleteDossier(ctx, c.p, c.id(), version)
	}, gone[struct{}])
}

func runDecideDossier(c *call) (*answer, error) {
	var in service.DecisionRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return changed(c, func(ctx context.Context, version int64) (*service.DossierView, error) {
		return c.s.Service.DecideDossier(ctx, c.p, c.id(), version, in)
	})
}

func runClaim(c *call) (*answer, error) {
	var in service.ClaimRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.DossierView, error) {
		return c.s.Service.AddClaim(ctx, c.p, c.id(), in)
	}, shownDossier(http.StatusOK))
}

func runWithdrawClaim(c *call) (*answer, error) {
	return once(c, func(ctx context.Context) (*service.DossierView, error) {
		return c.s.Service.WithdrawClaim(ctx, c.p, c.id(), c.r.PathValue("claim"))
	}, shownDossier(http.StatusOK))
}

func runUpload(c *call) (*answer, error) {
	return once(c, func(ctx context.Context) (*service.View, error) {
		return c.s.Service.UploadLetter(ctx, c.p, c.id(), c.body)
	}, c.showOrder(http.StatusOK))
}

func runLetters(c *call) (*answer, error) {
	items, err := c.s.Service.Letters(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: LetterList{Items: items}}, nil
}

func runContent(c *call) (*answer, error) {
	id := c.r.PathValue("letter")
	raw, kind, err := c.s.Service.LetterContent(c.ctx(), c.p, c.id(), id)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, raw: raw, kind: "application/octet-stream", file: id + "." + string(kind)}, nil
}

func runDecideLetter(c *call) (*answer, error) {
	var in service.DecisionRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.View, error) {
		return c.s.Service.DecideLetter(ctx, c.p, c.id(), c.r.PathValue("letter"), in)
	}, c.showOrder(http.StatusOK))
}

func runForm(c *call) (*answer, error) {
	raw, err := c.s.Service.LetterForm(c.ctx(), c.p, c.id(), c.words)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, raw: raw, kind: "text/html; charset=utf-8", file: "letter-" + c.id() + ".html"}, nil
}

func runCall(c *call) (*answer, error) {
	var in service.CallRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.View, error) {
		return c.s.Service.AddCall(ctx, c.p, c.id(), in)
	}, c.showOrder(http.StatusOK))
}

func runCalls(c *call) (*answer, error) {
	items, err := c.s.Service.Calls(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: CallList{Items: items}}, nil
}

func runOrderClaim(c *call) (*answer, error) {
	var in service.ClaimRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.View, error) {
		return c.s.Service.AddOrderClaim(ctx, c.p, c.id(), in)
	}, c.showOrder(http.StatusOK))
}

func runOrderClaims(c *call) (*answer, error) {
	items, err := c.s.Service.OrderClaims(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: ClaimList{Items: items}}, nil
}
