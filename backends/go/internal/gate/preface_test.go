// Tests of how a connection's protocol is found.

package gate

import "testing"

func TestTheFirstBytesTellTheProtocol(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for first, want := range map[string]struct {
		passed int
		phase  phase
	}{
		"":                           {0, phasePreface},
		"PRI * HT":                   {0, phasePreface},
		string(preface):              {len(preface), phaseHTTP2},
		string(preface) + "\n\x00":   {len(preface) + 2, phaseHTTP2},
		get:                          {len(get), phaseHead},
		"PUT":                        {0, phaseHead},
		"PRI * HTTP/2.0\r\n\r\nSN":   {0, phaseRefused}, // the head of no request
		"PRI * HTTP/1.1\r\nA: b\r\n": {0, phaseHead},
	} {
		f := framer{phase: phasePreface}
		if passed := f.advance([]byte(first)); passed != want.passed || f.phase != want.phase {
			t.Errorf("%q: %d bytes, phase %d; want %d, %d", first, passed, f.phase, want.passed, want.phase)
		}
	}
}
