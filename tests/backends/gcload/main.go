// Command gcload makes work for Go's collector: the GC probe's test subject. It allocates over a
// live heap, and tells on SIGUSR1 what the runtime itself measured, as one JSON line on stderr.
package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/signal"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"
)

type node struct {
	next    *node
	payload [48]byte
}

type told struct {
	Event      string   `json:"event"`
	NumGC      uint32   `json:"num_gc"`
	PauseNs    []uint64 `json:"pause_ns"` // oldest first, at most 256
	PauseTotal counted  `json:"sched_pauses_total_gc"`
}

type counted struct {
	Count uint64 `json:"count"`
}

var sink atomic.Pointer[node]

// grow makes a list of count nodes: pointers for the collector to follow.
func grow(count int) *node {
	var head *node
	for range count {
		head = &node{next: head}
	}
	return head
}

// churn allocates garbage at a bounded rate, so that cycles come several times a second.
func churn(burst int) {
	for {
		sink.Store(grow(burst))
		time.Sleep(time.Millisecond)
	}
}

func gcStopCount() uint64 {
	samples := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(samples)
	var count uint64
	if samples[0].Value.Kind() == metrics.KindFloat64Histogram {
		for _, bucket := range samples[0].Value.Float64Histogram().Counts {
			count += bucket
		}
	}
	return count
}

func tell() error {
	// The count first: reading MemStats stops the world, but as "other", so the order is only tidy.
	count := gcStopCount()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	kept := min(stats.NumGC, uint32(len(stats.PauseNs)))
	pauses := make([]uint64, 0, kept)
	for cycle := stats.NumGC - kept; cycle < stats.NumGC; cycle++ {
		pauses = append(pauses, stats.PauseNs[cycle%uint32(len(stats.PauseNs))])
	}
	line := told{Event: "gc", NumGC: stats.NumGC, PauseNs: pauses, PauseTotal: counted{count}}
	return json.NewEncoder(os.Stderr).Encode(line)
}

func main() {
	live := flag.Int("live", 400_000, "nodes of 56 bytes kept alive")
	burst := flag.Int("burst", 10_000, "nodes allocated by each worker every millisecond")
	workers := flag.Int("workers", 2, "goroutines that allocate")
	flag.Parse()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	kept := grow(*live)
	for range *workers {
		go churn(*burst)
	}
	for range asked {
		if err := tell(); err != nil {
			os.Exit(1)
		}
	}
	runtime.KeepAlive(kept)
}
