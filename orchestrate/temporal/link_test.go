package temporal_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// link is what connects a worker with the Temporal server, until it is cut.
type link struct {
	listener net.Listener
	mutex    sync.Mutex
	conns    []net.Conn // to the server
	isCut    bool
}

// newLink returns a link to the tests' server. It ends with its worker's connections.
func newLink(t *testing.T) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // it is closed
			}
			serving.Go(func() { l.forward(near) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

// forward copies what the worker and the server send to each other.
func (l *link) forward(near net.Conn) {
	defer near.Close()
	if far := l.dial(); far != nil {
		defer far.Close()
		go func() { _, _ = io.Copy(near, far) }() // until far is closed
		_, _ = io.Copy(far, near)
	}
	_, _ = io.Copy(io.Discard, near)
}

// dial returns a new connection to the server, or nil if the link is cut.
func (l *link) dial() net.Conn {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.isCut {
		return nil
	}
	far, err := net.Dial("tcp", server.Address)
	if err != nil {
		return nil
	}
	l.conns = append(l.conns, far)
	return far
}

// cut closes the connections to the server. The worker's remain open: it doesn't learn that what it sends is lost.
func (l *link) cut() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.isCut = true
	for _, c := range l.conns {
		_ = c.Close()
	}
}
