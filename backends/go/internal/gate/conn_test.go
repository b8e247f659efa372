// When the gate asks something of the socket: reads and deadlines, counted.

package gate

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// counted is one end of a pipe that knows what was asked of it.
type counted struct {
	net.Conn
	reads     int
	deadlines []time.Time
	begun     chan struct{} // told of every read
}

func (c *counted) Read(into []byte) (int, error) {
	c.reads++
	c.begun <- struct{}{}
	return c.Conn.Read(into)
}

func (c *counted) SetReadDeadline(deadline time.Time) error {
	c.deadlines = append(c.deadlines, deadline)
	return c.Conn.SetReadDeadline(deadline)
}

func gated(t *testing.T) (*Conn, *counted, net.Conn) {
	t.Helper()
	server, client := net.Pipe()
	t.Cleanup(func() { _, _ = server.Close(), client.Close() })
	socket := &counted{Conn: server, begun: make(chan struct{}, 10)}
	return &Conn{Conn: socket}, socket, client
}

var past = time.Unix(1, 0) // as net/http has it

func TestAReadThatIsInterruptedBeforeItBeginsAsksNothingOfTheSocket(t *testing.T) {
	conn, socket, client := gated(t)
	_ = conn.SetReadDeadline(past)
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("expected the deadline's error, got %v", err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	if socket.reads != 0 || socket.deadlines != nil {
		t.Errorf("expected no call, got %d reads and the deadlines %v", socket.reads, socket.deadlines)
	}
	go func() { _, _ = client.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")) }()
	if count, err := conn.Read(make([]byte, 1)); count != 1 || err != nil {
		t.Errorf("expected a byte of the next request, got %d and %v", count, err)
	}
	if socket.deadlines != nil {
		t.Errorf("expected no deadline, got %v", socket.deadlines)
	}
}

func TestAReadThatIsUnderWayIsInterrupted(t *testing.T) {
	conn, socket, client := gated(t)
	ended := make(chan error)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	<-socket.begun
	_ = conn.SetReadDeadline(past)
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("expected the deadline's error, got %v", err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	go func() { _, _ = client.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")) }()
	if count, err := conn.Read(make([]byte, 1)); count != 1 || err != nil {
		t.Errorf("expected a byte of the next request, got %d and %v", count, err)
	}
}

func TestOurOwnLimitStandsInTheMiddleOfAHeadAndIsGoneBehindIt(t *testing.T) {
	conn, socket, client := gated(t)
	go func() {
		_, _ = client.Write([]byte("GET / HTTP/1.1\r\n"))
		_, _ = client.Write([]byte("Host: a\r\n\r\n"))
		_, _ = client.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	}()
	head := make([]byte, 100)
	for range 2 {
		if _, err := conn.Read(head); err != nil {
			t.Fatal(err)
		}
	}
	if len(socket.deadlines) != 2 || time.Until(socket.deadlines[0]) < ProgressTimeout/2 ||
		!socket.deadlines[1].IsZero() {
		t.Errorf("expected the limit and then none, got %v", socket.deadlines)
	}
}

func TestAnInterruptionBehindABodyIsNotOurOwnLimit(t *testing.T) {
	conn, _, client := gated(t)
	go func() {
		_, _ = client.Write([]byte("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"))
		_, _ = client.Write([]byte("x"))
		_, _ = client.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	}()
	into := make([]byte, 100)
	for range 2 { // the head, and the body, which our limit stood over
		if _, err := conn.Read(into); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.SetReadDeadline(past)
	if _, err := conn.Read(into[:1]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("expected the deadline's error, got %v", err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	if _, err := conn.Read(into); err != nil || conn.broken.Load() {
		t.Errorf("expected the next request, got %v", err)
	}
}
