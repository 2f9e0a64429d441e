package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"runtime"

	"assay/order"
)

func processors() int { return runtime.GOMAXPROCS(0) }

// readChunks cuts the input into chunks of whole lines. It hands a chunk on as
// soon as nothing more is waiting, so that a slow producer gets its answers,
// and stops when the context ends. Both channels are closed at the end.
func readChunks(ctx context.Context, in io.Reader, most int, free, work, inOrder chan *chunk) {
	defer close(work)
	defer close(inOrder)
	lines := &lineReader{r: bufio.NewReaderSize(in, 256<<10)}
	number := 1
	for {
		var c *chunk
		select {
		case c = <-free:
		case <-ctx.Done():
			return
		}
		c.reset(number)
		more := c.fill(lines, most)
		number += len(c.ends)
		if ctx.Err() != nil {
			return
		}
		if len(c.ends) > 0 || c.failure != nil {
			inOrder <- c
			work <- c
		}
		if !more {
			return
		}
	}
}

// fill reads lines until the chunk is full or no more are waiting; more is
// false at the end of the input.
func (c *chunk) fill(lines *lineReader, most int) (more bool) {
	for len(c.ends) < most && len(c.buf) < chunkBytes {
		if len(c.ends) > 0 && lines.r.Buffered() == 0 {
			return true
		}
		before := len(c.buf)
		var err error
		c.buf, err = lines.next(c.buf)
		switch {
		case errors.Is(err, errLineTooLong):
			c.buf = c.buf[:before]
			c.ends = append(c.ends, -1)
			continue
		case errors.Is(err, io.EOF):
			return false
		case err != nil:
			c.failure = err
			return false
		}
		c.ends = append(c.ends, len(c.buf))
	}
	c.tally.bytes = lines.taken
	lines.taken = 0
	return true
}

var errLineTooLong = errors.New("line too long")

// lineReader reads lines of at most [order.MaxFileBytes]; of a longer one it
// holds no more than that, and skips the rest.
type lineReader struct {
	r     *bufio.Reader
	taken int64
}

// next appends the next line without its line break. The error is
// errLineTooLong for a line that was skipped, io.EOF after the last.
func (l *lineReader) next(buf []byte) ([]byte, error) {
	start := len(buf)
	tooLong, any := false, false
	for {
		part, err := l.r.ReadSlice('\n')
		l.taken += int64(len(part))
		any = any || len(part) > 0
		ended := err == nil
		if ended {
			part = part[:len(part)-1]
		}
		if tooLong = tooLong || len(buf)-start+len(part) > order.MaxFileBytes; !tooLong {
			buf = append(buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || !any):
			return buf, err
		case tooLong:
			return buf, errLineTooLong
		}
		return buf, nil
	}
}
