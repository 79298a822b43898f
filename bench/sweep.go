package main

import (
	"context"
	"fmt"
)

// oneRecord is a message size that is too small for two records.
const oneRecord = 1

// chosenSize is the message size that the service uses.
const chosenSize = 256 << 10

// minSpeedRatio is the lowest acceptable ratio of the speed at one message size to that at a smaller size. With gRPC's own
// buffer pool, one step would have a ratio of a third.
const minSpeedRatio = 0.67

// messageSizes returns the sizes to compare. They are close together around the steps of buffer pools.
func messageSizes() []int {
	sizes := []int{oneRecord}
	for _, kib := range []int{8, 16, 24, 30, 34, 40, 48, 64, 96, 128, 256, 512, 1024} {
		sizes = append(sizes, kib<<10)
	}
	return sizes
}

// wire compares messages of many sizes with one record per message.
func wire(ctx context.Context, b *bench) (section, error) {
	sender, err := b.start(ctx, "wire")
	if err != nil {
		return section{}, err
	}
	defer sender.stop()
	setup := wireSetup{Records: b.size(240_000, 15_000), Sizes: messageSizes()}
	var ready wireReady
	if err := sender.do("start", setup, &ready); err != nil {
		return section{}, err
	}
	var servers, clients, sums = map[int]rounds{}, map[int]rounds{}, map[int]rounds{}
	for range b.size(5, 3) {
		for _, size := range setup.Sizes {
			sent, got, err := b.transfer(ctx, sender, ready.Addresses[size])
			if err != nil {
				return section{}, err
			}
			if got.Records != setup.Records {
				return section{}, fmt.Errorf("received %d of %d records", got.Records, setup.Records)
			}
			sum := got
			sum.CPU += sent.CPU
			servers[size], clients[size], sums[size] = append(servers[size], sent), append(clients[size], got), append(sums[size], sum)
		}
	}
	return wireSection(setup, ready, servers, clients, sums), nil
}

// transfer reads everything once.
func (b *bench) transfer(ctx context.Context, sender *child, address string) (sent, got measurement, err error) {
	var before, after usage
	if err := sender.do("usage", struct{}{}, &before); err != nil {
		return sent, got, err
	}
	var d delivery
	if err := b.once(ctx, "read", "read", readOrder{Target: address, Streams: []string{"charges"}}, &d); err != nil {
		return sent, got, err
	}
	err = sender.do("usage", struct{}{}, &after)
	got, sent = d.measurement, d.measurement
	sent.CPU, sent.Peak = after.CPU-before.CPU, after.Peak
	return sent, got, err
}

func wireSection(setup wireSetup, ready wireReady, servers, clients, sums map[int]rounds) section {
	t := table{head: []string{"maximum message size", "records/s", "processor time", "of the server", "of the client"}}
	worst, best := 1.0, 0.0
	for _, size := range setup.Sizes {
		speed := sums[size].against(sums[oneRecord], measurement.rate)
		if size != oneRecord {
			worst, best = min(worst, ratio(speed, best)), max(best, speed)
		}
		if best == 0 { // the first size has no smaller one
			best = speed
		}
		name := kibibytes(size)
		if size == oneRecord {
			name = "one record"
		}
		t.add(name, times(speed), times(sums[size].against(sums[oneRecord], measurement.cost)),
			times(servers[size].against(servers[oneRecord], measurement.cost)), times(clients[size].against(clients[oneRecord], measurement.cost)))
	}
	return section{
		setting: fmt.Sprintf("%d charges and invoices of %d bytes on average, packed by the service and sent over loopback TCP to a client with "+
			"its usual settings. Ratios to one record per message; processor time per record, of server and client together unless stated otherwise.",
			setup.Records, ready.Average),
		tables:  []table{t},
		remarks: []string{"The service sends messages of " + kibibytes(chosenSize) + ". With gRPC's own buffer pool, the speed would drop sharply above 32 KiB."},
		targets: []target{
			atLeast("records per second with "+kibibytes(chosenSize)+", against one record per message",
				sums[chosenSize].against(sums[oneRecord], measurement.rate), 1.8, times),
			atMost("processor time per record with "+kibibytes(chosenSize)+", against one record per message",
				sums[chosenSize].against(sums[oneRecord], measurement.cost), 0.55, times),
			atLeast("records per second of any size, against the best of the smaller sizes", worst, minSpeedRatio, times),
		},
	}
}
