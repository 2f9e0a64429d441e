package service

import (
	"context"
	"slices"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/store"
)

// fileUses are tried on a dossier of the account shop of root.
func fileUses() []use {
	made := func(ctx context.Context, s *Service, id string) string {
		s.Secrets = plain{}
		d := &store.Dossier{ID: "d" + id, Tenant: RootTenant, Account: "shop", Kind: store.DossierOrganization, State: store.DossierDraft, Created: s.now()}
		d.Body, _ = s.Secrets.Seal("dossier:"+d.ID, []byte(`{"organization":{}}`))
		_ = s.Store.Write(ctx, func(tx store.Tx) error { return tx.InsertDossier(d) }) // it may be there
		return d.ID
	}
	type try func(s *Service, ctx context.Context, p Principal, id string) error
	r := DossierRequest{Kind: "organization", Organization: orchard()}
	claim := claimsOf(orchard())[0]
	about := func(name string, needs Permission, do try) use {
		return use{name, needs, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			err := do(s, ctx, p, made(ctx, s, id))
			if problemIs(err, Refused) {
				return nil // it may, and the rules do not like it
			}
			return err
		}}
	}
	of := func(name string, needs Permission, do try) use {
		return use{name, needs, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			made(ctx, s, id)
			return do(s, ctx, p, id)
		}}
	}
	return []use{
		{"NewDossier", MayWriteFiles, "", func(ctx context.Context, s *Service, p Principal, id string) error {
			made(ctx, s, id)
			_, err := s.NewDossier(ctx, p, r)
			return err
		}},
		{"Dossiers", MayReadFiles, "", func(ctx context.Context, s *Service, p Principal, id string) error {
			made(ctx, s, id)
			list, _, err := s.Dossiers(ctx, p, DossierQuery{Kind: "organization", Limit: 200})
			return shows(err, p, slices.ContainsFunc(list, func(v DossierView) bool { return v.ID == "d"+id }))
		}},
		about("Dossier", MayReadFiles, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.Dossier(ctx, p, id)
			return err
		}),
		about("ChangeDossier", MayWriteFiles, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.ChangeDossier(ctx, p, id, 0, r)
			return err
		}),
		about("SubmitDossier", MayWriteFiles, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.SubmitDossier(ctx, p, id, 0)
			return err
		}),
		about("DeleteDossier", MayWriteFiles, func(s *Service, ctx context.Context, p Principal, id string) error {
			return s.DeleteDossier(ctx, p, id, 0)
		}),
		about("EraseDossier", MayErase, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.EraseDossier(ctx, p, id)
			return err
		}),
		about("AddClaim", MayVerify, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.AddClaim(ctx, p, id, claim)
			return err
		}),
		about("WithdrawClaim", MayVerify, func(s *Service, ctx context.Context, p Principal, id string) error {
			tail, err := s.random(8)
			if err != nil {
				return err
			}
			if err := s.Store.Write(ctx, func(tx store.Tx) error {
				return tx.InsertClaim(&store.Claim{ID: tail, Tenant: RootTenant, Dossier: id, Created: s.now()})
			}); err != nil {
				return err
			}
			_, err = s.WithdrawClaim(ctx, p, id, tail)
			if problemIs(err, Conflict) {
				return nil // erased before
			}
			return err
		}),
		about("DecideDossier", MayVerify, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.DecideDossier(ctx, p, id, 0, DecisionRequest{Reason: "other", Note: "x"})
			return err
		}),
		of("UploadLetter", MayWriteOrders, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.UploadLetter(ctx, p, id, pdfLetter)
			return err
		}),
		of("DecideLetter", MayVerify, func(s *Service, ctx context.Context, p Principal, id string) error {
			_ = s.Store.Write(ctx, func(tx store.Tx) error {
				return tx.InsertLetter(&store.Letter{ID: "l" + id, Tenant: RootTenant, Order: id, State: "pending", Created: s.now()}, nil)
			})
			_, err := s.DecideLetter(ctx, p, id, "l"+id, DecisionRequest{Accept: true})
			return err
		}),
		of("Letters", MayReadFiles, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.Letters(ctx, p, id)
			return err
		}),
		of("LetterContent", MayReadFiles, func(s *Service, ctx context.Context, p Principal, id string) error {
			part, err := s.Secrets.Seal(partRow("m"+id, 0), nil)
			if err != nil {
				return err
			}
			_ = s.Store.Write(ctx, func(tx store.Tx) error {
				return tx.InsertLetter(&store.Letter{
					ID: "m" + id, Tenant: RootTenant, Order: id, State: "pending", Created: s.now(),
					SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
				}, [][]byte{part})
			})
			_, _, err = s.LetterContent(ctx, p, id, "m"+id)
			return err
		}),
		of("LetterForm", MayReadFiles, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.LetterForm(ctx, p, id, message.New(cause.English))
			return err
		}),
		of("AddCall", MayVerify, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.AddCall(ctx, p, id, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "busy"})
			return err
		}),
		of("Calls", MayReadFiles, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.Calls(ctx, p, id)
			return err
		}),
		of("AddOrderClaim", MayVerify, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.AddOrderClaim(ctx, p, id, claim)
			return err
		}),
		of("OrderClaims", MayReadFiles, func(s *Service, ctx context.Context, p Principal, id string) error {
			_, err := s.OrderClaims(ctx, p, id)
			return err
		}),
	}
}
