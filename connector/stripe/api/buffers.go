package api

import (
	"bytes"
	"context"
	"net/http"
)

const (
	// maxBodies is how many answers are read and cut at once in the process. Bodies come faster than they are cut, so
	// more would only cost memory: hundreds of Reads may begin in the same moment.
	maxBodies = 32
	// keptBody is the largest buffer that is kept for the next answer: a page has some hundred KB.
	keptBody = 1 << 20
)

// bodies lends the buffers that answers are read into.
var bodies = newBuffers(maxBodies)

// buffers is a fixed number of buffers, each nil until it is used.
type buffers chan *bytes.Buffer

func newBuffers(n int) buffers {
	b := make(buffers, n)
	for range n {
		b <- nil
	}
	return b
}

// take waits for a buffer with room for an answer. Its owner must give it back.
func (b buffers) take(ctx context.Context, res *http.Response) (*bytes.Buffer, error) {
	select {
	case body := <-b:
		if body == nil {
			body = new(bytes.Buffer)
		}
		body.Reset()
		if res.ContentLength > 0 && res.ContentLength < keptBody {
			body.Grow(int(res.ContentLength) + bytes.MinRead)
		}
		return body, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// give takes a buffer back.
func (b buffers) give(body *bytes.Buffer) {
	if body.Cap() > keptBody {
		body = nil
	}
	b <- body
}
