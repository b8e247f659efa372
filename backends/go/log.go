// The log's part of the program: its flags, its opening and its end.

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"pausemark/go/internal/journal"
	"pausemark/go/internal/store"
)

// syncIntervalMax keeps `interval` from meaning never.
const syncIntervalMax = time.Hour

// logFlags adds the log's flags and returns what judges them after they were parsed.
func logFlags(flags *flag.FlagSet, s *settings) func() error {
	mode := flags.String("durability", string(journal.RAM), "ram, buffered, interval, batch or sync")
	interval := flags.Int64("sync-interval-ms", 100, "time between syncs of --durability=interval")
	flags.StringVar(&s.log.Directory, "data-directory", "", "where the log is; not used with ram")
	flags.Int64Var(&s.log.SegmentBytes, "segment-bytes", 64<<20, "size of a segment of the log")
	flags.Int64Var(&s.log.LogBytesMax, "log-bytes-max", 8<<30, "all segments together")
	return func() error {
		s.log.Mode, s.log.Threads = journal.Mode(*mode), s.threads
		s.log.SyncInterval = time.Duration(*interval) * time.Millisecond
		switch l := &s.log; {
		case !l.Mode.Valid():
			return fmt.Errorf("--durability: expected ram, buffered, interval, batch or sync, got %q", *mode)
		case *interval < 1 || *interval > syncIntervalMax.Milliseconds():
			return fmt.Errorf("--sync-interval-ms: expected 1 to %d, got %d",
				syncIntervalMax.Milliseconds(), *interval)
		case l.SegmentBytes < journal.SegmentBytesMin || l.SegmentBytes%8 != 0:
			return fmt.Errorf("--segment-bytes: expected a multiple of 8 from %d on, got %d",
				journal.SegmentBytesMin, l.SegmentBytes)
		case l.LogBytesMax < l.SegmentBytes:
			return fmt.Errorf("--log-bytes-max: expected at least a segment's %d, got %d",
				l.SegmentBytes, l.LogBytesMax)
		case l.Mode != journal.RAM && l.Directory == "":
			return errors.New("--data-directory: expected a directory for the log, got none")
		}
		return nil
	}
}

// openLog is the journal of the process, which may have none.
type openLog struct {
	*journal.Journal
}

// openJournal recovers the log into the store; with ram there is none, and no directory is touched.
func openJournal(chosen journal.Settings, into *store.Store, stderr io.Writer) (openLog, error) {
	if chosen.Mode == journal.RAM {
		return openLog{}, nil
	}
	opened, err := journal.Open(chosen, into, stderr)
	return openLog{opened}, err
}

// ended is closed when the log ended by itself; without a log it never is.
func (l openLog) ended() <-chan struct{} {
	if l.Journal == nil {
		return nil
	}
	return l.Ended()
}

func (l openLog) close() error {
	if l.Journal == nil {
		return nil
	}
	return l.Close()
}

// errorCode tells of a log that failed, in one line, and which code the process ends with.
func errorCode(err error, stderr io.Writer, code int) int {
	if err == nil {
		return code
	}
	fmt.Fprintf(stderr, "error: log: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	return max(code, exitFailed)
}
