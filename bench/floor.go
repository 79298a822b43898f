package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// readJob is the task of the floor or the afternoon solution.
type readJob struct {
	APIBase string
	Key     string
	// Pages are the paths and queries of the pages to request, for the floor. SideBySide is the number of concurrent
	// requests.
	Pages      []string
	SideBySide int
	// Objects is the total number of objects on the pages.
	Objects int
	// Lists are the paths of the lists to iterate over, for the afternoon solution.
	Lists []string
	// AtMost is the time after which to stop, for a reader whose speed is constant. Zero means to read everything.
	AtMost time.Duration
}

func (c readJob) expired(began time.Time) bool { return c.AtMost > 0 && time.Since(began) >= c.AtMost }

// newFloorWorker returns a reader that requests pages and discards them.
func newFloorWorker() worker { return worker{"read": handler(discard)} }

func discard(ctx context.Context, c readJob) (measurement, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: c.SideBySide}
	defer transport.CloseIdleConnections()
	httpClient := &http.Client{Transport: transport}
	var next, done atomic.Int64
	m, err := measured(func() error {
		began := time.Now()
		workers, ctx := errgroup.WithContext(ctx)
		for range c.SideBySide {
			workers.Go(func() error {
				for !c.expired(began) {
					i := next.Add(1) - 1
					if i >= int64(len(c.Pages)) {
						break
					}
					if err := discardPage(ctx, httpClient, c.APIBase+c.Pages[i], c.Key); err != nil {
						return err
					}
					done.Add(1)
				}
				return nil
			})
		}
		return workers.Wait()
	})
	m.Records = c.Objects
	if got := int(done.Load()); got < len(c.Pages) {
		m.Records = got * perPage
	}
	return m, err
}

func discardPage(ctx context.Context, httpClient *http.Client, url, key string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
