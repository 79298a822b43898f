package e2e

import (
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// gone are the streams of TestDeletedIsGone with their lists and, for mixed lists, the object type of the stream.
var gone = map[string]struct{ list, object string }{
	"radar_value_lists":      {"/v1/radar/value_lists", ""},
	"radar_value_list_items": {"/v1/radar/value_list_items", ""},
	"webhook_endpoints":      {"/v1/webhook_endpoints", ""},
	"invoices":               {"/v1/invoices", ""},
	"invoice_line_items":     {"/v1/invoices/{invoice}/lines", ""},
	"customers":              {"/v1/customers", ""},
	"cards":                  {"/v1/customers/{customer}/sources", "card"},
	"customer_tax_ids":       {"/v1/customers/{customer}/tax_ids", ""},
}

// TestDeletedIsGone deletes objects between two syncs: objects of streams that are re-read in full, in a new generation; of
// streams below a re-read parent; and of streams whose parent is deleted. With soft deletes, their rows are marked instead.
func TestDeletedIsGone(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for events to be old enough")
	}
	t.Parallel()
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"*": 30}})
	account := stripe.Account
	address := serve(t, stripe.URL, quick, io.Discard)
	c, err := client.Dial(address, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var streams []string
	for stream := range gone {
		streams = append(streams, stream)
	}
	hard, soft := filepath.Join(t.TempDir(), "hard.db"), filepath.Join(t.TempDir(), "soft.db")
	sync := func() {
		for _, to := range []string{"sqlite:" + hard, "sqlite:" + soft + "?deletes=soft"} {
			d, err := all.Kinds().Open(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Sync(t.Context(), client.SyncOptions{
				Config: configuration(t, simulatedConfig(stripe.URL)), Destination: d, Selection: client.Selection{Select: streams},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	sync()
	before := map[string][]string{}
	for stream := range gone {
		before[stream] = idsAt(account, stream)
		if diff := cmp.Diff(before[stream], stored(t, hard, stream, "")); diff != "" {
			t.Fatalf("%s before anything was deleted (-want +got):\n%s", stream, diff)
		}
	}

	customer := ""
	for id := range account.Truth("/v1/customers") {
		has := func(list string) bool {
			return len(slices.Collect(keys(account, "/v1/customers/"+id+list))) > 0
		}
		if has("/sources") && has("/tax_ids") {
			customer = id
		}
	}
	for _, id := range []string{
		before["radar_value_lists"][0], before["webhook_endpoints"][0], before["invoice_line_items"][0], customer,
	} {
		if err := account.Delete(id); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(6 * time.Second) // after this, no event is too recent to be found
	sync()
	for stream := range gone {
		want := idsAt(account, stream)
		if diff := cmp.Diff(want, stored(t, hard, stream, "")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", stream, diff)
		}
		if diff := cmp.Diff(want, stored(t, soft, stream, " WHERE _deleted_at IS NULL")); diff != "" {
			t.Errorf("%s, not marked (-want +got):\n%s", stream, diff)
		}
		if diff := cmp.Diff(before[stream], stored(t, soft, stream, "")); diff != "" {
			t.Errorf("%s, with those marked (-want +got):\n%s", stream, diff)
		}
		if stream != "invoices" && len(want) == len(before[stream]) {
			t.Errorf("nothing was deleted of %s", stream)
		}
	}
}

// idsAt returns the sorted ids of a stream's objects in Stripe.
func idsAt(a *stripetest.Account, stream string) []string {
	var ids []string
	for id, object := range a.Truth(gone[stream].list) {
		var is struct{ Object string }
		if err := json.Unmarshal(object, &is); err == nil && (gone[stream].object == "" || is.Object == gone[stream].object) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// stored returns the sorted ids in a table.
func stored(t *testing.T, file, table, where string) []string {
	t.Helper()
	at := place{destination: file, driver: "sqlite", database: file, rows: "SELECT id FROM %s" + where}
	ids := rowsOf(t, at, table)
	for i, id := range ids {
		ids[i] = strings.TrimSpace(id)
	}
	return ids
}
