// Command pausemark-go is the Go backend: the S3 subset of backends/CONTRACT.md on net/http or on event loops.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"pausemark/go/internal/journal"
	"pausemark/go/internal/s3"
	"pausemark/go/internal/sigv4"
	"pausemark/go/internal/store"
)

const (
	version       = "pausemark-go 0.1.0"
	backlog       = 4096
	finishTimeout = 1500 * time.Millisecond // of the 2 s that the contract gives
)

// The exit codes of the contract.
const (
	exitGood        = 0
	exitFailed      = 1
	exitWrongUse    = 2
	exitEnvironment = 4
)

type settings struct {
	address        netip.AddrPort
	threads        int
	processors     int // 0: by the threads
	stack          string
	objectBytesMax int64
	storeBytesMax  int64
	index          string
	core           string
	log            journal.Settings
	verifier       *sigv4.Verifier // nil with --auth=parse
	version        bool
}

// stores are what --index chooses from; --core=c has an index of its own.
var stores = map[string]func(bytesMax int64) (*store.Store, error){
	"pointers": func(bytesMax int64) (*store.Store, error) { return store.New(bytesMax), nil },
	"offheap":  store.NewOffHeap,
}

// processorsForSync are what a log that is synced has beside those of the threads.
const processorsForSync = 2

// byThreads is --gomaxprocs where it follows --threads.
const byThreads = "threads"

// cores are what --core chooses from: the index's language.
const (
	coreGo = "go"
	coreC  = "c"
)

// openStore makes the empty store that was chosen.
func openStore(chosen settings) (*store.Store, error) {
	if chosen.core == coreC {
		return store.NewInC(chosen.storeBytesMax)
	}
	return stores[chosen.index](chosen.storeBytesMax)
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(arguments []string, stdout, stderr io.Writer) int {
	chosen, err := parseFlags(arguments)
	if err != nil {
		fmt.Fprintf(stderr, "error: flags: %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
		return exitWrongUse
	}
	if chosen.version {
		fmt.Fprintf(stdout, "%s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return exitGood
	}
	if chosen.processors > 0 || os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processors(chosen))
	}
	held, err := openStore(chosen)
	if err != nil {
		fmt.Fprintf(stderr, "error: store: %s\n", err)
		return exitEnvironment
	}
	written, err := openJournal(chosen.log, held, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "error: log: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
		if errors.Is(err, journal.ErrCorrupt) {
			return exitFailed
		}
		return exitEnvironment
	}
	served, err := stacks[chosen.stack](chosen, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "error: listen: cannot bind %s: %s\n", chosen.address, err)
		return errorCode(written.close(), stderr, exitEnvironment)
	}
	watchMeasuring(stderr)
	fmt.Fprintf(stderr, "listening on %s, threads=%d\n", chosen.address, chosen.threads)
	code := exitGood
	handler := s3.New(held, written.Journal, chosen.verifier, chosen.objectBytesMax)
	if err := served(handler, endOf(written.ended())); err != nil {
		fmt.Fprintf(stderr, "error: serve: %s\n", err)
		code = exitFailed
	}
	if code = errorCode(written.close(), stderr, code); code == exitGood {
		fmt.Fprintln(stderr, "stopped")
	}
	return code
}

// processors is GOMAXPROCS as the flag says, or, where the environment does not: a thread each, and two more for a
// log that is synced. One is held by the sync for as long as it lasts; beside an idle other the runtime lets it be,
// where without one it looks every 20 us and takes it away, at each sync. A log that is only written has neither: a
// processor that has little to do spends the other's time on looking for work.
func processors(chosen settings) int {
	if chosen.processors > 0 {
		return chosen.processors
	}
	switch chosen.log.Mode {
	case journal.RAM, journal.Buffered:
		return chosen.threads
	default:
		return chosen.threads + processorsForSync
	}
}

func parseFlags(arguments []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("pausemark-go", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	address := flags.String("address", "127.0.0.1", "IP address to listen on")
	port := flags.Uint("port", 9000, "port to listen on")
	flags.IntVar(&s.threads, "threads", 1, "worker threads (GOMAXPROCS, and two more for a log that is synced)")
	processors := flags.String("gomaxprocs", byThreads, "threads, or how many processors the runtime has")
	flags.Int64Var(&s.objectBytesMax, "object-bytes-max", 64<<20, "largest object")
	flags.Int64Var(&s.storeBytesMax, "store-bytes-max", 4<<30, "all objects together")
	flags.StringVar(&s.index, "index", "pointers", "pointers or offheap: where keys and objects lie")
	flags.StringVar(&s.core, "core", coreGo, "go or c: which language has keys and objects")
	flags.StringVar(&s.stack, "stack", "nethttp", "nethttp, h2c or loop: what reads requests")
	parseLog, parseAuth := logFlags(flags, &s), authFlags(flags, &s)
	flags.BoolVar(&s.version, "version", false, "print the version and exit")
	if err := flags.Parse(arguments); err != nil {
		return s, err
	}
	var wrong error
	if *processors != byThreads {
		s.processors, wrong = strconv.Atoi(*processors)
	}
	ip, err := netip.ParseAddr(*address)
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("expected no argument, got %q", flags.Arg(0))
	case err != nil:
		return s, fmt.Errorf("--address: expected an IP address, got %q", *address)
	case *port == 0 || *port > 65535:
		return s, fmt.Errorf("--port: expected 1 to 65535, got %s", strconv.FormatUint(uint64(*port), 10))
	case s.threads < 1 || s.threads > 1024:
		return s, fmt.Errorf("--threads: expected 1 to 1024, got %d", s.threads)
	case wrong != nil || (*processors != byThreads && (s.processors < 1 || s.processors > 1024)):
		return s, fmt.Errorf("--gomaxprocs: expected threads, or 1 to 1024, got %q", *processors)
	case stacks[s.stack] == nil:
		return s, fmt.Errorf("--stack: expected nethttp, h2c or loop, got %q", s.stack)
	case stores[s.index] == nil:
		return s, fmt.Errorf("--index: expected pointers or offheap, got %q", s.index)
	case s.core != coreGo && s.core != coreC:
		return s, fmt.Errorf("--core: expected go or c, got %q", s.core)
	case s.core == coreC && s.index != "pointers":
		return s, fmt.Errorf("--index: expected none beside --core=c, which has its own, got %q", s.index)
	case s.objectBytesMax < 0 || s.storeBytesMax < 0:
		return s, errors.New("limits: expected 0 or more bytes, got a negative number")
	}
	s.address = netip.AddrPortFrom(ip, uint16(*port))
	if err := parseAuth(); err != nil {
		return s, err
	}
	return s, parseLog()
}
