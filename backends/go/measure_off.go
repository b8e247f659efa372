// Without the build tag measure there is no hook.

//go:build !measure

package main

import "io"

// watchMeasuring does nothing in a build that is not for measuring.
func watchMeasuring(io.Writer) {}
