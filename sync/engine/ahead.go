package engine

import (
	"context"
	"errors"
	"iter"
)

// aheadFrom is the number of decisions from which it pays to use a second processor.
const (
	aheadFrom  = 2 * decideBatch
	aheadChunk = 256
)

// ahead reads a long stream of decisions in a goroutine of its own, a little ahead of who consumes it. The goroutine has
// ended when the iterator returns.
func ahead(seq iter.Seq2[decided, error]) iter.Seq2[decided, error] {
	type item struct {
		d   decided
		err error
	}
	return func(yield func(decided, error) bool) {
		chunks, stop := make(chan []item, 1), make(chan struct{})
		go func() {
			defer close(chunks)
			buf := make([]item, 0, aheadChunk)
			for d, err := range seq {
				if buf = append(buf, item{d, err}); len(buf) < aheadChunk && err == nil {
					continue
				}
				select {
				case chunks <- buf:
				case <-stop:
					return
				}
				buf = make([]item, 0, aheadChunk)
			}
			select {
			case chunks <- buf:
			case <-stop:
			}
		}()
		defer func() {
			close(stop)
			for range chunks { // wait for the reader's end
			}
		}()
		for chunk := range chunks {
			for i := range chunk {
				if !yield(chunk[i].d, chunk[i].err) {
					return
				}
			}
		}
	}
}

// keeper puts decisions aside (adds them up, encodes them, spools them) while the next ones are made. Until end has
// returned, nobody else may touch the run's tally, spools and counters.
type keeper struct {
	lists chan []decided
	done  chan error
}

func (r *pass) newKeeper() *keeper {
	k := &keeper{lists: make(chan []decided, 1), done: make(chan error, 1)}
	go func() {
		var failed error
		for list := range k.lists {
			for i := range list {
				if failed == nil {
					failed = r.keep(&list[i])
				}
			}
		}
		k.done <- failed
	}()
	return k
}

func (k *keeper) put(list []decided) error {
	k.lists <- list
	return nil
}

// end waits until everything is put aside. Its error is the first one of all that was put.
func (k *keeper) end() error {
	close(k.lists)
	return <-k.done
}

// keepAll puts decisions aside at once.
func (r *pass) keepAll(list []decided) error {
	for i := range list {
		if err := r.keep(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// decidePeople decides about everything that was staged, with a second processor when it is much.
func (r *pass) decidePeople(ctx context.Context, o *observer) error {
	if o.people.count < aheadFrom {
		return r.decideStaged(ctx, o, r.keepAll)
	}
	k := r.newKeeper()
	err := r.decideStaged(ctx, o, k.put)
	return errors.Join(err, k.end())
}
