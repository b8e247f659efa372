// Listeners: one a loop, all on one port.

package loop

import (
	"errors"
	"net/netip"
	"os"
	"syscall"
)

const (
	backlog   = 4096
	reusePort = 15 // SO_REUSEPORT, which package syscall does not name
)

// Listen binds a listener for each loop. The first is bound without sharing the port: that another process
// of the same user has it would not be noticed otherwise.
func Listen(address netip.AddrPort, loops int) ([]int, error) {
	probe, err := bind(address, false)
	if err != nil {
		return nil, err
	}
	err = syscall.Listen(probe, 1)
	if err = errors.Join(os.NewSyscallError("listen", err), syscall.Close(probe)); err != nil {
		return nil, err
	}
	var listeners []int
	for range loops {
		listener, err := bind(address, loops > 1)
		if err == nil {
			listeners = append(listeners, listener)
			err = os.NewSyscallError("listen", syscall.Listen(listener, backlog))
		}
		if err != nil {
			closeAll(listeners)
			return nil, err
		}
	}
	return listeners, nil
}

func closeAll(descriptors []int) {
	for _, descriptor := range descriptors {
		_ = syscall.Close(descriptor) // nothing was written to it
	}
}

func bind(address netip.AddrPort, shared bool) (int, error) {
	family, at := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Port: int(address.Port()),
		Addr: address.Addr().As16()})
	if address.Addr().Is4() {
		family, at = syscall.AF_INET, &syscall.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}
	}
	descriptor, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	err = syscall.SetsockoptInt(descriptor, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil && shared {
		err = syscall.SetsockoptInt(descriptor, syscall.SOL_SOCKET, reusePort, 1)
	}
	if err == nil {
		err = syscall.Bind(descriptor, at)
	}
	if err != nil {
		return 0, errors.Join(os.NewSyscallError("bind", err), syscall.Close(descriptor))
	}
	return descriptor, nil
}
