package main

import (
	"maps"
	"slices"
	"strings"
)

const liveKey = "sk_live_bench"

// mainLists returns the lists with which the readers are compared.
func mainLists() []string {
	return []string{"/v1/charges", "/v1/customers", "/v1/invoices", "/v1/payment_intents", "/v1/balance_transactions"}
}

// streamOf returns the name of the stream for one of these lists.
func streamOf(path string) string { return strings.TrimPrefix(path, "/v1/") }

// dataset is the number of objects in each of some lists. All other lists of the simulated Stripe have a few objects.
type dataset map[string]int

// evenData returns a dataset with the same number of objects in each of the five lists, which then take the same time
// under the limits.
func evenData(each int) dataset {
	d := dataset{}
	for _, path := range mainLists() {
		d[path] = each
	}
	return d
}

// typicalData returns the dataset of an account with mostly charges.
func typicalData(n int) dataset {
	d := evenData(n / 10)
	d["/v1/charges"] = n - 4*(n/10)
	return d
}

func chargeData(n int) dataset { return dataset{"/v1/charges": n} }

func (d dataset) paths() []string { return slices.Sorted(maps.Keys(d)) }

func (d dataset) streams() []string {
	var streams []string
	for _, path := range d.paths() {
		streams = append(streams, streamOf(path))
	}
	return streams
}

// minRequests returns the minimum number of requests for each list, which is its number of pages.
func (d dataset) minRequests() map[string]int {
	pages := map[string]int{}
	for path, n := range d {
		pages[path] = minPages(n)
	}
	return pages
}
