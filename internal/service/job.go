package service

import (
	"context"
	"sync"
	"time"
)

// Bounds of what walks through all that a tenant has.
const (
	// jobTime is how long one may take.
	jobTime = 5 * time.Minute
	// mostJobs is how many run at once, of all tenants.
	mostJobs = 4
	// jobRetry is when it is worth trying again.
	jobRetry = 10 * time.Second
)

// jobs are the walks under way here, by tenant.
type jobs struct {
	mu    sync.Mutex
	under map[string]bool
	// time is jobTime, or a test's.
	time time.Duration
}

// job begins a walk: one at a time for a tenant. The context ends with the time
// that it may take; the function ends the job.
func (s *Service) job(ctx context.Context, tenant string) (context.Context, func(), error) {
	j := &s.jobs
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.under[tenant] || len(j.under) >= mostJobs {
		return nil, nil, &Problem{Kind: TooMany, Message: "service.job", RetryAt: s.now().Add(jobRetry)}
	}
	if j.under == nil {
		j.under = map[string]bool{}
	}
	j.under[tenant] = true
	limit := j.time
	if limit == 0 {
		limit = jobTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	return ctx, func() {
		cancel()
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.under, tenant)
	}, nil
}
