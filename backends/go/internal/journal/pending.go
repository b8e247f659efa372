// A write on its way through the writer, and how its owner learns of the outcome.

package journal

import "pausemark/go/internal/store"

// Inbox is told outcomes in place of a goroutine that waits for each: all those of a batch, then one wake.
type Inbox interface {
	// Committed is called by the writer, or by who hands the write on where that is refused.
	Committed(p *Pending, err error)
	Wake()
}

// Pending is a write on its way. Its owner may use it again, with the memory that it has, once it knows the
// outcome.
type Pending struct {
	draft
	done  chan error // of who waits; holds one, so that the writer never does
	inbox Inbox      // of who does not
	Owner any        // whatever the inbox knows it by
}

// Prepare lays the write out for the log; inbox is nil for who waits.
func (p *Pending) Prepare(w *store.Write, inbox Inbox) error {
	p.inbox = inbox
	if inbox == nil && p.done == nil {
		p.done = make(chan error, 1)
	}
	return p.draft.layOut(w)
}

// Reset lets go what the write held.
func (p *Pending) Reset() {
	*p = Pending{draft: draft{names: p.names[:0]}, done: p.done}
}

func (p *Pending) tell(err error) {
	if p.inbox != nil {
		p.inbox.Committed(p, err)
		return
	}
	p.done <- err
}
