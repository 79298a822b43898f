package takeover_test

import (
	"testing"
	"time"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
)

// BenchmarkSingerRow measures the cost of converting a charge to the shape of the tap's table.
func BenchmarkSingerRow(b *testing.B) {
	tap, _, err := takeover.NewSinger([]byte(`{"client_secret":"sk_test_1","start_date":"2020-01-01"}`), now)
	if err != nil {
		b.Fatal(err)
	}
	account := stripetest.New(stripetest.Options{Objects: map[string]int{"*": 0, "/v1/charges": 100}, Compact: true})
	var records []connector.Record
	size := 0
	for id, raw := range account.Truth("/v1/charges") {
		records = append(records, connector.Record{Data: string(raw), Operation: connector.Upsert, AsOf: time.Now(), Key: id})
		size += len(raw)
	}
	for _, s := range tap.Streams() {
		if s.Name != "charges" {
			continue
		}
		_, _, row := s.Shape(map[string]bool{"refunds": false})
		b.SetBytes(int64(size / len(records)))
		b.ReportAllocs()
		var buffer []byte
		for i := 0; b.Loop(); i++ {
			if buffer, _, err = row(buffer[:0], &records[i%len(records)]); err != nil {
				b.Fatal(err)
			}
		}
	}
}
