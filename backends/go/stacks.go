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

	"pausemark/go/internal/gate"
	"pausemark/go/internal/loop"
	"pausemark/go/internal/s3"
	"pausemark/go/internal/wire"
)

// server serves until the end is told, and returns nil when everything in flight was finished.
type server func(handler *s3.Handler, end <-chan struct{}) error

// stacks listen; what they return serves.
var stacks = map[string]func(chosen settings, stderr io.Writer) (server, error){
	"nethttp": listenNetHTTP,
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
	listener, err := listen(chosen.address)
	if err != nil {
		return nil, err
	}
	return func(handler *s3.Handler, end <-chan struct{}) error {
		return serve(listener, handler, end)
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
func serve(listener net.Listener, handler http.Handler, end <-chan struct{}) error {
	server := &http.Server{
		Handler:                      handler,
		ConnContext:                  gate.NewContext,
		MaxHeaderBytes:               4 * wire.HeadBytesMax, // the gate's limit is the one that acts
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(io.Discard, "", 0), // never a line a request
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(gate.Listener{Listener: listener}) }()
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
