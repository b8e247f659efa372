// The stacks: what listens, serves, and ends on a signal.

package main

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os/signal"
	"syscall"
	"time"

	"pausemark/go/internal/gate"
	"pausemark/go/internal/loop"
	"pausemark/go/internal/s3"
	"pausemark/go/internal/wire"
)

// streamsMax bounds what one connection of HTTP/2 asks at once.
const streamsMax = 128

// A client of HTTP/2 that answers no PING is gone, or stopped in a head, in which it cannot answer: both
// together are the gate's limit.
const (
	pingAfter   = 20 * time.Second
	pingTimeout = gate.ProgressTimeout - pingAfter
)

// server serves until the end is told, and returns nil when everything in flight was finished.
type server func(handler *s3.Handler, end <-chan struct{}) error

// stacks listen; what they return serves.
var stacks = map[string]func(chosen settings, stderr io.Writer) (server, error){
	"nethttp": listenNetHTTP,
	"h2c":     listenH2C,
	"loop":    listenLoop,
}

func listenLoop(chosen settings, stderr io.Writer) (server, error) {
	listeners, err := loop.Listen(chosen.address, chosen.threads)
	if err != nil {
		return nil, err
	}
	return func(handler *s3.Handler, end <-chan struct{}) error {
		return loop.Serve(listeners, handler, stderr, end, finishTimeout)
	}, nil
}

func listenNetHTTP(chosen settings, _ io.Writer) (server, error) {
	// The gate's limit of a head is the one that acts.
	return listenServer(chosen, &http.Server{MaxHeaderBytes: 4 * wire.HeadBytesMax})
}

// listenH2C is HTTP/2 with prior knowledge beside HTTP/1.1.
func listenH2C(chosen settings, _ io.Writer) (server, error) {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return listenServer(chosen, &http.Server{Protocols: protocols, MaxHeaderBytes: wire.HeadBytesMax,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: streamsMax, SendPingTimeout: pingAfter,
			PingTimeout: pingTimeout}})
}

func listenServer(chosen settings, shape *http.Server) (server, error) {
	listener, err := listen(chosen.address)
	if err != nil {
		return nil, err
	}
	return func(handler *s3.Handler, end <-chan struct{}) error {
		shape.Handler = handler
		return serve(listener, shape, end)
	}, nil
}

// endOf is closed by a signal or by the log's end.
func endOf(logEnded <-chan struct{}) <-chan struct{} {
	signalled, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	end := make(chan struct{})
	go func() { // it ends with the process at the latest
		defer stop()
		defer close(end)
		select {
		case <-signalled.Done():
		case <-logEnded:
		}
	}()
	return end
}

// listen sets the backlog by listening a second time: net takes the system's limit, whatever it is.
func listen(address netip.AddrPort) (net.Listener, error) {
	// Keep-alive probes cost two system calls a connection and nobody asked for them.
	config := net.ListenConfig{KeepAlive: -1}
	listener, err := config.Listen(context.Background(), "tcp", address.String())
	if err != nil {
		return nil, err
	}
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return listener, nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	var listenErr error
	if err := raw.Control(func(fd uintptr) { listenErr = syscall.Listen(int(fd), backlog) }); err != nil {
		return nil, err
	}
	return listener, listenErr
}

// serve cuts off what is not finished in time.
func serve(listener net.Listener, server *http.Server, end <-chan struct{}) error {
	server.ConnContext = gate.NewContext
	server.DisableGeneralOptionsHandler = true
	server.ErrorLog = log.New(io.Discard, "", 0) // never a line a request
	served := make(chan error, 1)
	go func() { served <- server.Serve(gate.Listener{Listener: listener, HTTP2: server.HTTP2 != nil}) }()
	select {
	case err := <-served:
		return err
	case <-end:
	}
	finish, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	if err := server.Shutdown(finish); err != nil {
		err = server.Close()
		<-served
		return err
	}
	<-served
	return nil
}
