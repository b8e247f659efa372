// Tests of the queue, and of who is told outcomes in place of waiting.

package journal

import (
	"fmt"
	"slices"
	"testing"

	"pausemark/go/internal/store"
)

func TestAQueueKeepsItsOrderAndItsLimit(t *testing.T) {
	q := newQueue(3)
	all := make([]*Pending, 7)
	for at := range all {
		all[at] = &Pending{}
	}
	room := make([]*Pending, 0, 2)
	if left, refusal := q.push(all[:4]...); !slices.Equal(left, all[3:4]) || refusal != ErrFull {
		t.Fatalf("%d left: %v", len(left), refusal)
	}
	if got := q.pop(room); !slices.Equal(got, all[:2]) {
		t.Fatal("not the first two")
	}
	if left, refusal := q.push(all[4:6]...); len(left) > 0 || refusal != nil {
		t.Fatalf("%d left: %v", len(left), refusal)
	}
	if got := q.pop(room); !slices.Equal(got, []*Pending{all[2], all[4]}) {
		t.Fatal("not the next two")
	}
	if got := q.end(ErrClosed); !slices.Equal(got, all[5:6]) || !q.isEmpty() {
		t.Fatal("not the rest")
	}
	if left, refusal := q.push(all[6]); len(left) != 1 || refusal != ErrClosed {
		t.Fatalf("%d left: %v", len(left), refusal)
	}
}

// letterbox counts wakes; told is read when the journal has ended.
type letterbox struct {
	told  []string
	wakes int
	woken chan struct{}
}

func (l *letterbox) Committed(p *Pending, err error) {
	l.told = append(l.told, fmt.Sprint(p.Owner, " ", err))
}

func (l *letterbox) Wake() {
	l.wakes++
	l.woken <- struct{}{}
}

func TestAnInboxIsWokenOnceABatchAndIsToldEverything(t *testing.T) {
	j, _, _ := opened(t, settingsFor(t.TempDir(), Batch))
	must(t, j.Write(onBucket(store.CreateBucket)))
	inbox := &letterbox{woken: make(chan struct{}, 16)}
	var drafts []*Pending
	for _, write := range []*store.Write{put("a", "x"), deleted("none"), put("b", "x")} {
		p := &Pending{Owner: write.Key}
		must(t, p.Prepare(write, inbox))
		drafts = append(drafts, p)
	}
	j.Hand(drafts)
	<-inbox.woken
	closed(t, j)
	// What changes nothing does not wait for the batch.
	if want := []string{"none <nil>", "a <nil>", "b <nil>"}; !slices.Equal(inbox.told, want) || inbox.wakes != 1 {
		t.Errorf("%q, %d wakes", inbox.told, inbox.wakes)
	}
	j.Hand(drafts[:1])
	if inbox.told[3] != "a "+ErrClosed.Error() || inbox.wakes != 2 {
		t.Errorf("%q, %d wakes", inbox.told, inbox.wakes)
	}
}
