// The measuring hook: SIGUSR1 prints what the runtime knows of its collections.

//go:build measure

package main

import (
	"encoding/json"
	"io"
	"math"
	"os"
	"os/signal"
	"runtime"
	"runtime/metrics"
	"syscall"
)

// gcEvent is what the runtime knows of its own collector; eBPF's figures are compared with it.
type gcEvent struct {
	Event          string    `json:"event"`
	NumGC          uint32    `json:"num_gc"`
	PauseNs        []uint64  `json:"pause_ns"`          // oldest first, at most 256 cycles
	PauseEndUnixNs []uint64  `json:"pause_end_unix_ns"` // the same cycles
	PauseTotalNs   uint64    `json:"pause_total_ns"`
	Total          histogram `json:"sched_pauses_total_gc"`
	Stopping       histogram `json:"sched_pauses_stopping_gc"`
	LiveHeapBytes  uint64    `json:"live_heap_bytes"`
}

// histogram is a runtime histogram's non-empty buckets; the sum is bounded by their edges.
type histogram struct {
	Count      uint64   `json:"count"`
	SumNsLeast uint64   `json:"sum_ns_least"`
	SumNsMost  uint64   `json:"sum_ns_most"`
	Buckets    []bucket `json:"buckets"`
}

type bucket struct {
	FromNs uint64 `json:"from_ns"`
	ToNs   uint64 `json:"to_ns"`
	Count  uint64 `json:"count"`
}

// watchMeasuring writes one JSON line at each SIGUSR1. Reading MemStats stops the world, so it is
// asked for after a trial; the goroutine lives as long as the process.
func watchMeasuring(to io.Writer) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for range asked {
			// A log that cannot be written leaves nobody to tell.
			_ = json.NewEncoder(to).Encode(readGC())
		}
	}()
}

func readGC() gcEvent {
	samples := []metrics.Sample{
		{Name: "/sched/pauses/total/gc:seconds"},
		{Name: "/sched/pauses/stopping/gc:seconds"},
		{Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(samples) // before MemStats, whose own stop is not a collection's
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	event := gcEvent{
		Event:         "gc",
		NumGC:         stats.NumGC,
		PauseTotalNs:  stats.PauseTotalNs,
		Total:         summarise(samples[0].Value.Float64Histogram()),
		Stopping:      summarise(samples[1].Value.Float64Histogram()),
		LiveHeapBytes: samples[2].Value.Uint64(),
	}
	kept := min(stats.NumGC, uint32(len(stats.PauseNs)))
	for cycle := stats.NumGC - kept; cycle < stats.NumGC; cycle++ {
		slot := cycle % uint32(len(stats.PauseNs))
		event.PauseNs = append(event.PauseNs, stats.PauseNs[slot])
		event.PauseEndUnixNs = append(event.PauseEndUnixNs, stats.PauseEnd[slot])
	}
	return event
}

func summarise(from *metrics.Float64Histogram) histogram {
	var out histogram
	for at, count := range from.Counts {
		if count == 0 {
			continue
		}
		one := bucket{nanoseconds(from.Buckets[at]), nanoseconds(from.Buckets[at+1]), count}
		out.Count += count
		out.SumNsLeast += one.FromNs * count
		out.SumNsMost += one.ToNs * count
		out.Buckets = append(out.Buckets, one)
	}
	return out
}

// nanoseconds folds the open ends of a histogram into what JSON can hold.
func nanoseconds(seconds float64) uint64 {
	switch {
	case math.IsInf(seconds, -1) || seconds < 0:
		return 0
	case math.IsInf(seconds, 1):
		return math.MaxInt64
	}
	return uint64(math.Round(seconds * 1e9))
}
