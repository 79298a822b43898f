package stripetest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

func ExampleStripe_Break() {
	stripe := stripetest.New(stripetest.Options{Objects: map[string]int{"/v1/charges": 5}})
	var ids []string // newest first
	for id := range stripe.Truth("/v1/charges") {
		ids = append(ids, id)
	}
	get := func(path string) int {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		request.Header.Set("Authorization", "Bearer sk_test_example")
		answer := httptest.NewRecorder()
		stripe.ServeHTTP(answer, request)
		return answer.Code
	}
	repair := stripe.Break(ids[2], stripetest.ServerError)
	fmt.Println("page of three:", get("/v1/charges?limit=3"))
	fmt.Println("page of two:  ", get("/v1/charges?limit=2"))
	fmt.Println("next page:    ", get("/v1/charges?limit=1&starting_after="+ids[1]))
	fmt.Println("and the next: ", get("/v1/charges?limit=2&starting_after="+ids[2]))
	fmt.Println("by id:        ", get("/v1/charges/"+ids[2]))
	fmt.Println(len(stripe.Unreadable("/v1/charges")), "of", stripe.Count("/v1/charges"), "cannot be read")
	repair()
	fmt.Println("repaired:     ", get("/v1/charges?limit=3"))
	// Output:
	// page of three: 500
	// page of two:   200
	// next page:     500
	// and the next:  200
	// by id:         500
	// 1 of 5 cannot be read
	// repaired:      200
}

func Example() {
	now := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	stripe := stripetest.NewServer(stripetest.Options{
		Objects: map[string]int{"/v1/charges": 250},
		Now:     func() time.Time { return now },
	})
	defer stripe.Close()
	// The first request fails as if it exceeded a rate limit.
	stripe.Inject(stripetest.Fault{Kind: stripetest.RateLimited, Times: 1})

	for range 2 {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, stripe.URL+"/v1/charges?limit=100", nil)
		if err != nil {
			panic(err)
		}
		request.Header.Set("Authorization", "Bearer sk_test_example")
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
		if err != nil {
			panic(err)
		}
		defer response.Body.Close()
		var page struct {
			Data    []json.RawMessage
			HasMore bool `json:"has_more"`
		}
		if err := json.NewDecoder(response.Body).Decode(&page); err != nil {
			panic(err)
		}
		fmt.Println(response.StatusCode, response.Header.Get("Stripe-Rate-Limited-Reason"), len(page.Data), page.HasMore)
	}
	fmt.Println(stripe.Count("/v1/charges"), "charges need", stripe.MinRequests("/v1/charges"), "requests")
	// Output:
	// 429 endpoint-rate 0 false
	// 200  100 true
	// 250 charges need 3 requests
}
