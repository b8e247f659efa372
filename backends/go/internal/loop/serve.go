// Package loop is the stack of event loops: no goroutine a connection, and HTTP/1.1 read strictly.
package loop

import (
	"errors"
	"io"
	"runtime"
	"time"

	"pausemark/go/internal/s3"
)

const (
	clockTick = time.Second
	stopTick  = 50 * time.Millisecond
)

// Serve runs a loop for each listener until stop is closed and what is in flight is finished, or cut off
// after finishTime. It closes the listeners.
func Serve(listeners []int, handler *s3.Handler, notices io.Writer, stop <-chan struct{},
	finishTime time.Duration) error {
	defer closeAll(listeners)
	var workers []*worker
	defer func() {
		for _, w := range workers {
			_ = w.close() // nothing is watched any more
		}
	}()
	for _, listener := range listeners {
		w, err := newWorker(handler, listener, notices)
		if err != nil {
			return err
		}
		w.isAlone = runtime.GOMAXPROCS(0) <= len(listeners)
		workers = append(workers, w)
	}
	ended := make(chan error, len(workers))
	for _, w := range workers {
		go func() { ended <- w.run() }()
	}
	return watch(workers, ended, stop, finishTime)
}

// watch keeps the clock of the loops, has them stop, and waits for them.
func watch(workers []*worker, ended <-chan error, stop <-chan struct{}, finishTime time.Duration) error {
	ticker := time.NewTicker(clockTick)
	defer ticker.Stop()
	var deadline time.Time
	var all error
	for left := len(workers); left > 0; {
		failed := false
		select {
		case err := <-ended:
			left--
			all, failed = errors.Join(all, err), err != nil
		case <-stop:
		case <-ticker.C:
			wakeAll(workers)
		}
		if stop != nil && (failed || isClosed(stop)) {
			stop, deadline = nil, time.Now().Add(finishTime)
			ticker.Reset(stopTick)
		}
		if deadline.IsZero() {
			continue
		}
		for _, w := range workers {
			w.stop.Store(true)
			w.kill.Store(time.Now().After(deadline))
		}
	}
	return all
}

// wakeAll wakes the loops that have a reason to look at the clock.
func wakeAll(workers []*worker) {
	for _, w := range workers {
		if w.owed.Load() || w.stop.Load() {
			w.wake()
		}
	}
}

func isClosed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}
