package main

import (
	"context"

	"assay/perspective"
)

// remotePlaces reads the file of remote perspectives, if one is named. What it
// returns tests them all, with another test at the same time, and gives them.
func (a *app) remotePlaces(ctx context.Context, file string) (func(meanwhile func()) []perspective.Place, error) {
	var remotes []*perspective.Remote
	if file != "" {
		var err error
		if remotes, err = perspective.Load(file, perspective.Options{Now: a.now}); err != nil {
			return nil, a.perspectiveError(err, file, "assay perspective join --help")
		}
	}
	return func(meanwhile func()) []perspective.Place {
		tested := make(chan struct{})
		go func() {
			defer close(tested)
			perspective.Test(ctx, remotes...)
		}()
		meanwhile()
		<-tested
		places := make([]perspective.Place, 0, len(remotes))
		for _, r := range remotes {
			places = append(places, r)
		}
		return places
	}, nil
}
