// How the writer gets its segments: made ahead, of a record's own size, or not at all.

package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// fullRetryInterval is when a disk that was full is asked again: each try writes a segment.
const fullRetryInterval = time.Second

// roll opens the segment for the next record; ErrFull when the log or the disk has no room for it.
func (w *writer) roll(length int64) error {
	size := max(w.settings.SegmentBytes, segmentHeadBytes+padded(length))
	file, err := w.nextFile(size)
	if err != nil {
		return err
	}
	epoch := uint32(1)
	if w.current != nil {
		epoch += w.current.epoch
		if err := w.leaveCurrent(); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	next, err := publish(w.settings.Directory, file, segmentHead{epoch, w.nextLSN, size})
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", segmentName(w.nextLSN), err), file.Close())
	}
	w.current = next
	return nil
}

// leaveCurrent syncs what Interval has not yet; Buffered never syncs and claims nothing.
func (w *writer) leaveCurrent() error {
	if w.settings.Mode != Buffered {
		if err := w.syncCurrent(); err != nil {
			return err
		}
	}
	err := w.current.file.Close()
	w.current.file = nil
	return err
}

// nextFile returns a blank file of the size: the one that was made ahead if it is of the usual size.
func (w *writer) nextFile(size int64) (*os.File, error) {
	if time.Now().Before(w.full) {
		return nil, ErrFull
	}
	ahead := size == w.settings.SegmentBytes
	if !ahead || !w.maker.asked {
		if size > w.settings.LogBytesMax-w.total {
			return nil, ErrFull
		}
		w.total += size
	}
	var file *os.File
	var err error
	if ahead {
		w.maker.ask()
		file, err = w.maker.take()
	} else {
		file, err = makeBlank(filepath.Join(w.settings.Directory, ownName), size)
	}
	if err != nil {
		w.total -= size
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		w.full = time.Now().Add(fullRetryInterval)
		return nil, ErrFull
	}
	return file, err
}

// prepareAhead has the next segment made once the current one is half full.
func (w *writer) prepareAhead() {
	size := w.settings.SegmentBytes
	if w.maker.asked || 2*w.current.offset < w.current.size || size > w.settings.LogBytesMax-w.total {
		return
	}
	w.total += size
	w.maker.ask()
}

func (w *writer) close() error {
	err := w.maker.close()
	if w.current != nil && w.current.file != nil {
		err = errors.Join(err, w.current.file.Close())
	}
	return err
}
