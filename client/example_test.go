package client_test

import (
	"context"
	"fmt"
	"log"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// This example syncs into a database that stores the rows and the states. Run it whenever new rows are wanted.
func ExampleClient_Sync() {
	ctx := context.Background()
	service, err := client.Dial("connector.example.com:50051", client.Options{TokenFile: "/run/secrets/token"})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	warehouse, err := all.Kinds().Open(ctx, "postgres://me@db.example.com/warehouse?schema=stripe&deletes=soft")
	if err != nil {
		log.Fatal(err)
	}
	defer warehouse.Close()
	config, err := structpb.NewStruct(map[string]any{"api_key": "rk_live_…", "start_date": "2024-01-31"})
	if err != nil {
		log.Fatal(err)
	}
	report, err := service.Sync(ctx, client.SyncOptions{
		Config:      config,
		Destination: warehouse,
		Selection: client.Selection{
			Select: []string{"charges", "invoice*"},
			Fields: map[string][]string{"charges": {"amount", "currency", "customer"}},
		},
	})
	for _, s := range report.Streams {
		fmt.Println(s.Stream, s.Status, s.Upserts, s.Deletes)
	}
	if err != nil {
		log.Fatal(err) // the stored data is consistent; the next sync resumes from there
	}
}

// This example is for programs that store records themselves. Read resumes automatically after a temporary failure,
// or when the replica that it reads from shuts down.
func ExampleClient_Read() {
	ctx := context.Background()
	service, err := client.Dial("dns:///connector.pipelines.svc.cluster.local:50051", client.Options{
		CAFile: "/etc/tls/ca.crt", CertFile: "/etc/tls/tls.crt", KeyFile: "/etc/tls/tls.key",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	var waiting []*connectorv1.RecordBatch
	summary, err := service.Read(ctx, &connectorv1.ReadRequest{
		Streams: []*connectorv1.ConfiguredStream{{Stream: "charges", SyncMode: connectorv1.SyncMode_SYNC_MODE_INCREMENTAL}},
		States:  nil, // the states that State stored in the previous run
	}, client.Handlers{
		Records: func(_ context.Context, batch *connectorv1.RecordBatch) error {
			waiting = append(waiting, batch)
			return nil
		},
		State: func(_ context.Context, state *connectorv1.StreamState) error {
			// Store the waiting batches and the state in one transaction, then:
			waiting = nil
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(summary.GetHasMore())
}

// This example lists the streams of the service, and whether a key can read them.
func ExampleClient_Discover() {
	ctx := context.Background()
	service, err := client.Dial("127.0.0.1:50051", client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	catalog, err := service.Discover(ctx, &connectorv1.DiscoverRequest{})
	if err != nil {
		log.Fatal(err)
	}
	for _, stream := range catalog.GetStreams() {
		fmt.Println(stream.GetName(), stream.GetPrimaryKey())
	}
}
