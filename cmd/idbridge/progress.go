package main

import (
	"io"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/idbridge/idbridge/sync/engine"
)

// bars show on a terminal how far a run is: one bar per stage.
type bars struct {
	all   *mpb.Progress
	stage engine.Stage
	bar   *mpb.Bar
}

func newBars(out io.Writer) *bars {
	return &bars{all: mpb.New(mpb.WithOutput(out), mpb.WithWidth(40))}
}

// update draws one step of progress. The engine calls it one at a time.
func (b *bars) update(p engine.Progress) {
	if p.Stage != b.stage {
		b.finish()
		b.stage = p.Stage
		b.bar = b.all.AddBar(0, mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(p.Directory+" "+string(p.Stage)+" ")),
			mpb.AppendDecorators(decor.CountersNoUnit(" %d of %d")))
	}
	b.bar.SetTotal(int64(max(p.Of, p.Done)), false)
	b.bar.SetCurrent(int64(p.Done))
}

func (b *bars) finish() {
	if b.bar != nil {
		b.bar.SetTotal(-1, true)
		b.bar = nil
	}
}

// end takes the bars off the screen.
func (b *bars) end() {
	b.finish()
	b.all.Wait()
}
