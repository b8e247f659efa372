// Tests of flags and exit codes.

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongFlagsOfTheLogEndWithTwo(t *testing.T) {
	for name, arguments := range map[string][]string{
		"mode":              {"--durability=always"},
		"no directory":      {"--durability=batch"},
		"interval":          {"--durability=ram", "--sync-interval-ms=0"},
		"segment too small": {"--segment-bytes=64"},
		"segment not of 8":  {"--segment-bytes=4100"},
		"index":             {"--index=heap"},
		"no processors":     {"--gomaxprocs=0"},
		"processors":        {"--gomaxprocs=all"},
		"core":              {"--core=rust"},
		"core and index":    {"--core=c", "--index=offheap"},
		"log too small":     {"--segment-bytes=8192", "--log-bytes-max=8000"},
	} {
		var said strings.Builder
		if code := run(arguments, io.Discard, &said); code != exitWrongUse || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%s: %d, %q", name, code, said.String())
		}
	}
}

func TestWrongCredentialsEndWithTwoAndAreNotRepeated(t *testing.T) {
	for name, arguments := range map[string][]string{
		"none":          {"--auth=verify"},
		"no colon":      {"--auth=verify", "--credential=confidential"},
		"no id":         {"--auth=verify", "--credential=:confidential"},
		"no secret":     {"--auth=verify", "--credential=id:"},
		"the same id":   {"--auth=verify", "--credential=id:a", "--credential=id:confidential"},
		"unknown auth":  {"--auth=sometimes", "--credential=id:confidential"},
		"parse, as bad": {"--credential=confidential"},
	} {
		var said strings.Builder
		code := run(arguments, io.Discard, &said)
		if code != exitWrongUse || strings.Count(said.String(), "\n") != 1 ||
			strings.Contains(said.String(), "confidential") {
			t.Errorf("%s: %d, %q", name, code, said.String())
		}
	}
}

func TestALogThatCannotBeOpenedIsToldInOneLine(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	corrupt := t.TempDir()
	renamed := filepath.Join(corrupt, "segment-0000000000000002.log")
	healthy := t.TempDir()
	if code := run([]string{"--durability=batch", "--data-directory", healthy, "--segment-bytes=4096",
		"--address=192.0.2.1"}, io.Discard, io.Discard); code != exitEnvironment {
		t.Fatalf("an address that is not ours: %d", code)
	}
	if err := os.Rename(filepath.Join(healthy, "segment-0000000000000001.log"), renamed); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		directory string
		code      int
	}{
		"no directory": {file, exitEnvironment},
		"corrupt":      {corrupt, exitFailed},
	} {
		var said strings.Builder
		code := run([]string{"--durability=batch", "--data-directory", test.directory}, io.Discard, &said)
		if code != test.code || strings.Count(said.String(), "\n") != 1 {
			t.Errorf("%s: %d, %q", name, code, said.String())
		}
	}
}

func TestALogThatIsSyncedHasProcessorsOfItsOwn(t *testing.T) {
	for mode, want := range map[string]int{"ram": 3, "buffered": 3, "interval": 5, "batch": 5, "sync": 5} {
		chosen, err := parseFlags([]string{"--threads=3", "--data-directory=x", "--durability=" + mode})
		if err != nil || processors(chosen) != want {
			t.Errorf("%s: %d, %v", mode, processors(chosen), err)
		}
		chosen, err = parseFlags([]string{"--threads=3", "--data-directory=x", "--durability=" + mode,
			"--gomaxprocs=2"})
		if err != nil || processors(chosen) != 2 {
			t.Errorf("%s: %d, %v, though 2 were asked for", mode, processors(chosen), err)
		}
	}
}
