// What a loop waits on: an epoll set of its own, and a descriptor that wakes it.

package loop

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const eventsMax = 256

// poller waits by parking its goroutine: the set is itself watched by the runtime. To block in epoll_wait
// would keep a processor from the other goroutines, such as the log's writer, until the runtime notices.
type poller struct {
	set    int
	wakes  int // an eventfd
	file   *os.File
	raw    syscall.RawConn
	look   func(set uintptr) bool
	events [eventsMax]syscall.EpollEvent
	count  int
	err    error
	awake  atomic.Bool // a wake is on its way
}

func openPoller() (*poller, error) {
	set, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(set, true); err != nil { // says that the runtime may watch it
		return nil, errors.Join(err, syscall.Close(set))
	}
	p := &poller{set: set, file: os.NewFile(uintptr(set), "epoll")}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, p.file.Close())
	}
	wakes, _, failed := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if failed != 0 {
		return nil, errors.Join(os.NewSyscallError("eventfd2", failed), p.file.Close())
	}
	p.wakes = int(wakes)
	p.look = p.lookOnce
	if err := p.add(p.wakes, 0); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *poller) close() error {
	return errors.Join(p.file.Close(), syscall.Close(p.wakes))
}

// wait returns what happened; it parks until something did.
func (p *poller) wait() ([]syscall.EpollEvent, error) {
	if err := p.raw.Read(p.look); err != nil {
		return nil, err
	}
	return p.events[:p.count], p.err
}

// lookOnce returns false to be called again when something has happened.
func (p *poller) lookOnce(set uintptr) bool {
	for {
		p.count, p.err = syscall.EpollWait(int(set), p.events[:], 0)
		if p.err != syscall.EINTR {
			p.count = max(p.count, 0)
			return p.count > 0 || p.err != nil
		}
	}
}

// wake makes wait return. Any goroutine may call it.
func (p *poller) wake() {
	if p.awake.Swap(true) {
		return
	}
	one := uint64(1)
	_, _ = syscall.Write(p.wakes, unsafe.Slice((*byte)(unsafe.Pointer(&one)), 8)) // it can only be full, and so awake
}

// slept takes the wake; what was made ready before it is seen by who calls.
func (p *poller) slept() {
	var count [8]byte
	_, _ = syscall.Read(p.wakes, count[:]) // another event may have been read for it
	p.awake.Store(false)
}

func (p *poller) add(descriptor int, generation int32) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(descriptor), Pad: generation}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.set, syscall.EPOLL_CTL_ADD, descriptor, &event))
}

func (p *poller) change(descriptor int, generation int32, events uint32) error {
	event := syscall.EpollEvent{Events: events, Fd: int32(descriptor), Pad: generation}
	return syscall.EpollCtl(p.set, syscall.EPOLL_CTL_MOD, descriptor, &event)
}

func (p *poller) remove(descriptor int) {
	_ = syscall.EpollCtl(p.set, syscall.EPOLL_CTL_DEL, descriptor, nil) // it is about to be closed
}
