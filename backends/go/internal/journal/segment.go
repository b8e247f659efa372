// Segments: files that are whole before they are used, and the goroutine that makes the next one.

package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"
)

const (
	segmentMagic     = "PAUSELOG"
	segmentVersion   = 1
	segmentHeadBytes = 64
	blankSuffix      = ".new"
	aheadName        = "segment-ahead.log" + blankSuffix
	ownName          = "segment-own.log" + blankSuffix
	fileMode         = 0o644
	zerosBytes       = 1 << 20
)

// zeros are what segments are filled with; nobody writes to them.
var zeros = make([]byte, zerosBytes)

// segment is an open segment; its writer owns it.
type segment struct {
	file   *os.File
	name   string
	epoch  uint32
	size   int64
	offset int64 // where the next record goes
}

func (s *segment) fits(length int64) bool {
	return s.offset+padded(length) <= s.size
}

func segmentName(firstLSN uint64) string {
	return fmt.Sprintf("segment-%016x.log", firstLSN)
}

type segmentHead struct {
	epoch uint32
	first uint64
	size  int64
}

func (h segmentHead) encode() []byte {
	head := make([]byte, segmentHeadBytes)
	copy(head, segmentMagic)
	littleEndian.PutUint32(head[8:], segmentVersion)
	littleEndian.PutUint32(head[12:], h.epoch)
	littleEndian.PutUint64(head[16:], h.first)
	littleEndian.PutUint64(head[24:], uint64(h.size))
	littleEndian.PutUint32(head[32:], crc32.Checksum(head[:32], castagnoli))
	return head
}

// readSegmentHead reads the header of a segment of these bytes; false when it is not valid.
func readSegmentHead(data []byte) (h segmentHead, ok bool) {
	if len(data) < segmentHeadBytes || string(data[:8]) != segmentMagic ||
		littleEndian.Uint32(data[8:]) != segmentVersion || !allZeros(data[36:segmentHeadBytes]) ||
		littleEndian.Uint32(data[32:]) != crc32.Checksum(data[:32], castagnoli) ||
		littleEndian.Uint64(data[24:]) != uint64(len(data)) {
		return h, false
	}
	return segmentHead{littleEndian.Uint32(data[12:]), littleEndian.Uint64(data[16:]), int64(len(data))}, true
}

// makeBlank makes a file of zeros that are on the device; nothing is left of it on an error.
func makeBlank(path string, size int64) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return nil, err
	}
	err = fillZeros(file, 0, size)
	if err == nil {
		err = dataSync(file)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(path))
	}
	return file, nil
}

func fillZeros(file *os.File, from, to int64) error {
	for from < to {
		count, err := file.WriteAt(zeros[:min(int64(len(zeros)), to-from)], from)
		if err != nil {
			return err
		}
		from += int64(count)
	}
	return nil
}

// publish makes a blank file the segment of this header: its name is the last thing that it gets.
func publish(directory string, blank *os.File, head segmentHead) (*segment, error) {
	if _, err := blank.WriteAt(head.encode(), 0); err != nil {
		return nil, err
	}
	if err := dataSync(blank); err != nil {
		return nil, err
	}
	name := segmentName(head.first)
	if err := os.Rename(blank.Name(), filepath.Join(directory, name)); err != nil {
		return nil, err
	}
	return &segment{blank, name, head.epoch, head.size, segmentHeadBytes}, syncDirectory(directory)
}

func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

func dataSync(file *os.File) error {
	return onDescriptor(file, func(descriptor uintptr) error {
		return os.NewSyscallError("fdatasync", syscall.Fdatasync(int(descriptor)))
	})
}

// vectorsMax is Linux's UIO_MAXIOV, the most slices that one pwritev takes.
const vectorsMax = 1024

// vectorWrite writes all the parts, one pwritev as long as the kernel takes them whole. What it took
// in part goes on where it stopped; an error ends it. The parts are used up.
func vectorWrite(file *os.File, parts []syscall.Iovec, offset int64) error {
	return onDescriptor(file, func(descriptor uintptr) error {
		for len(parts) > 0 {
			// The offset's upper half is for 32-bit systems: on 64-bit ones the kernel ignores it.
			count, _, number := syscall.Syscall6(syscall.SYS_PWRITEV, descriptor,
				uintptr(unsafe.Pointer(&parts[0])), uintptr(min(len(parts), vectorsMax)),
				uintptr(offset), 0, 0)
			if number == syscall.EINTR {
				continue // nothing was written: a signal came first
			}
			if number != 0 {
				return os.NewSyscallError("pwritev", number)
			}
			if count == 0 {
				return os.NewSyscallError("pwritev", syscall.EIO)
			}
			offset += int64(count)
			parts = skipWritten(parts, uint64(count))
		}
		return nil
	})
}

func skipWritten(parts []syscall.Iovec, count uint64) []syscall.Iovec {
	for len(parts) > 0 && count >= parts[0].Len {
		count -= parts[0].Len
		parts = parts[1:]
	}
	if count > 0 {
		parts[0].Base = (*byte)(unsafe.Add(unsafe.Pointer(parts[0].Base), count))
		parts[0].Len -= count
	}
	return parts
}

func onDescriptor(file *os.File, do func(descriptor uintptr) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var doErr error
	if err := raw.Control(func(descriptor uintptr) { doErr = do(descriptor) }); err != nil {
		return err
	}
	return doErr
}

func allZeros(data []byte) bool {
	for len(data) > 0 {
		part := data[:min(len(data), len(zeros))]
		if string(part) != string(zeros[:len(part)]) {
			return false
		}
		data = data[len(part):]
	}
	return true
}

// maker makes blank segments of the usual size ahead of their use, in a goroutine of its own that
// close waits for. One goroutine, the writer, asks and takes.
type maker struct {
	directory string
	size      int64
	requests  chan struct{}
	results   chan blank
	asked     bool
}

type blank struct {
	file *os.File
	err  error
}

func newMaker(directory string, size int64) *maker {
	m := &maker{directory, size, make(chan struct{}, 1), make(chan blank, 1), false}
	go func() {
		defer close(m.results)
		for range m.requests {
			file, err := makeBlank(filepath.Join(directory, aheadName), size)
			m.results <- blank{file, err}
		}
	}()
	return m
}

// ask has the next segment made, unless it was asked for already.
func (m *maker) ask() {
	if !m.asked {
		m.asked = true
		m.requests <- struct{}{}
	}
}

// take waits for the segment that was asked for.
func (m *maker) take() (*os.File, error) {
	made := <-m.results
	m.asked = false
	return made.file, made.err
}

// close waits for the goroutine and removes what nobody took.
func (m *maker) close() error {
	close(m.requests)
	var err error
	for made := range m.results {
		if made.file != nil {
			err = errors.Join(err, made.file.Close(), os.Remove(made.file.Name()))
		}
	}
	return err
}
