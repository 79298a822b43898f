package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

// page compares the connector's processing of a page with that of encoding/json.
func page(ctx context.Context, b *bench) (section, error) {
	c, err := b.start(ctx, "page")
	if err != nil {
		return section{}, err
	}
	defer c.stop()
	var all []pageEfforts
	for range 3 {
		var e pageEfforts
		if err := c.do("measure", time.Duration(b.size(600, 200))*time.Millisecond, &e); err != nil {
			return section{}, err
		}
		all = append(all, e)
	}
	return pageSection(all), nil
}

func pageSection(all []pageEfforts) section {
	medianOf := func(of func(pageEfforts) float64) float64 {
		values := make([]float64, len(all))
		for i, e := range all {
			values[i] = of(e)
		}
		return median(values)
	}
	cut := medianOf(func(e pageEfforts) float64 { return ratio(float64(e.Cut.CPU), float64(e.CutJSON.CPU)) })
	chosen := medianOf(func(e pageEfforts) float64 { return ratio(float64(e.Select.CPU), float64(e.SelectMaps.CPU)) })
	// Only allocations that grow with the number of objects count. The runtime itself adds about half an allocation
	// per ninety objects.
	perObject := medianOf(func(e pageEfforts) float64 { return math.Round(e.Cut.Allocs-e.CutTen.Allocs) / 90 })
	t := table{head: []string{"100 charges", "processor time", "allocations"}}
	t.add("cut and compacted with rawjson", times(cut), whole(medianOf(func(e pageEfforts) float64 { return e.Cut.Allocs })))
	t.add("cut with encoding/json, not compacted", times(1), whole(medianOf(func(e pageEfforts) float64 { return e.CutJSON.Allocs })))
	t.add("six fields selected with rawjson", times(chosen), whole(medianOf(func(e pageEfforts) float64 { return e.Select.Allocs })))
	t.add("six fields selected with maps", times(1), whole(medianOf(func(e pageEfforts) float64 { return e.SelectMaps.Allocs })))
	return section{
		setting: fmt.Sprintf("An indented page of 100 charges, %d bytes. Ratios to encoding/json: for cutting, to []json.RawMessage and the id, type and time of each; "+
			"for selecting, to maps and back.", all[0].Bytes),
		tables:  []table{t},
		remarks: []string{"For nanoseconds and more variants, run `go test ./bench -run '^$' -bench . -benchmem`."},
		targets: []target{
			atMost("processor time of the page cutter, against encoding/json", cut, 0.25, times),
			atMost("allocations of the page cutter per object", perObject, 0, func(x float64) string { return fmt.Sprintf("%.2f", x) }),
		},
	}
}
