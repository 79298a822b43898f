package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// readOrder says what a client reads.
type readOrder struct {
	Target  string
	APIBase string // empty in the wire scenario, whose source needs no configuration
	Key     string
	Streams []string
	// Unlimited makes the service ignore Stripe's documented limits.
	Unlimited bool
}

// delivery is what a client received.
type delivery struct {
	measurement
	ByStream map[string]int
	Skipped  []string
}

// newReadWorker returns a client that counts and discards records.
func newReadWorker() worker { return worker{"read": handler(drain)} }

func drain(ctx context.Context, o readOrder) (delivery, error) {
	service, err := client.Dial(o.Target, client.Options{})
	if err != nil {
		return delivery{}, err
	}
	defer service.Close()
	got := delivery{ByStream: map[string]int{}}
	request, err := o.request(ctx, service)
	if err != nil {
		return delivery{}, err
	}
	bytes := 0
	m, err := measured(func() error {
		_, err := service.ReadOnce(ctx, request, func(m *connectorv1.ReadResponse) error {
			batch := m.GetRecords()
			for _, record := range batch.GetRecords() {
				bytes += len(record.GetData())
			}
			if batch != nil {
				got.ByStream[batch.GetStream()] += len(batch.GetRecords())
			}
			if s := m.GetStreamStatus(); s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_SKIPPED {
				got.Skipped = append(got.Skipped, s.GetStream())
			}
			return nil
		})
		return err
	})
	if err != nil && len(got.Skipped) < len(o.Streams) { // if all streams were skipped, the Read ends with the reason as its error
		return delivery{}, err
	}
	for _, n := range got.ByStream {
		m.Records += n
	}
	if m.Records > 0 && bytes == 0 {
		return delivery{}, fmt.Errorf("%d records have no data", m.Records)
	}
	got.measurement = m
	return got, nil
}

// unlimited is the highest rate that the service accepts. It exceeds the rate of every reader here.
const unlimited = 10_000

func (o readOrder) request(ctx context.Context, service *client.Client) (*connectorv1.ReadRequest, error) {
	request := &connectorv1.ReadRequest{}
	for _, name := range o.Streams {
		request.Streams = append(request.Streams, &connectorv1.ConfiguredStream{Stream: name})
	}
	if o.APIBase == "" {
		return request, nil
	}
	config := map[string]any{
		"api_key": o.Key, "api_base": o.APIBase,
		"start_date": time.Now().UTC().AddDate(-1, 0, -7).Format(time.DateOnly), // a week before the oldest object
	}
	if o.Unlimited {
		spec, err := service.Spec(ctx)
		if err != nil {
			return nil, err
		}
		const knob = "max_requests_per_second"
		properties := spec.GetConfigSchema().GetFields()["properties"].GetStructValue().GetFields()
		if _, known := properties[knob]; known {
			config[knob] = unlimited
		}
	}
	var err error
	request.Config, err = structpb.NewStruct(config)
	return request, err
}
