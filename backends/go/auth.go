// The flags that say whether signatures are verified, and with which secrets.

package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"pausemark/go/internal/sigv4"
)

const (
	authParse  = "parse"
	authVerify = "verify"
)

// authFlags adds the flags and returns what judges them after they were parsed.
func authFlags(flags *flag.FlagSet, s *settings) func() error {
	mode := flags.String("auth", authParse, "parse or verify: what is done with signatures")
	var given []string
	// Judged later, since flag repeats a value that its function refuses, and this one is a secret.
	flags.Func("credential", "ID:SECRET, a key of --auth=verify; may be repeated", func(text string) error {
		given = append(given, text)
		return nil
	})
	return func() error {
		secrets := map[string]string{}
		for _, text := range given {
			id, secret, _ := strings.Cut(text, ":")
			if id == "" || secret == "" {
				return errors.New("--credential: expected ID:SECRET, got another form")
			}
			if secrets[id] != "" {
				return fmt.Errorf("--credential: expected each ID once, got %q again", id)
			}
			secrets[id] = secret
		}
		switch {
		case *mode == authParse:
			return nil
		case *mode != authVerify:
			return fmt.Errorf("--auth: expected parse or verify, got %q", *mode)
		case len(secrets) == 0:
			return errors.New("--credential: expected one or more with --auth=verify, got none")
		}
		s.verifier = sigv4.New(secrets)
		return nil
	}
}
