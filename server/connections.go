package server

import (
	"container/list"
	"net"
	"sync"
)

// limitedListener bounds the open connections of a listener. Strangers, whose connection has had no call of a known caller yet,
// have a share of them: when it is used up, the stranger who came first is cut off for the next. So however many connections
// strangers open, a caller who authenticates soon after connecting gets in and stays.
type limitedListener struct {
	net.Listener
	most, share int

	mu        sync.Mutex
	room      *sync.Cond // signalled when a connection closes, or the listener
	closed    bool
	open      int
	strangers *list.List // of *limitedConn, the first to come in front
	byPeer    map[string]*limitedConn
}

// limitListener returns a listener with at most so many open connections, and so many of strangers.
func limitListener(listener net.Listener, most, share int) *limitedListener {
	l := &limitedListener{Listener: listener, most: most, share: max(1, share), strangers: list.New(), byPeer: map[string]*limitedConn{}}
	l.room = sync.NewCond(&l.mu)
	return l
}

// Accept accepts a connection. It waits for room only if all connections are of known callers.
func (l *limitedListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	for l.open >= l.most && l.strangers.Len() == 0 && !l.closed {
		l.room.Wait()
	}
	l.mu.Unlock()
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &limitedConn{Conn: conn, listener: l}
	l.mu.Lock()
	var cut []net.Conn
	for l.strangers.Len() > 0 && (l.strangers.Len() >= l.share || l.open >= l.most) {
		oldest := l.strangers.Front().Value.(*limitedConn)
		l.remove(oldest)
		cut = append(cut, oldest.Conn)
	}
	l.open++
	c.place = l.strangers.PushBack(c)
	l.byPeer[conn.RemoteAddr().String()] = c
	l.mu.Unlock()
	for _, stranger := range cut {
		_ = stranger.Close()
	}
	return c, nil
}

// Close closes the listener.
func (l *limitedListener) Close() error {
	l.mu.Lock()
	l.closed = true
	l.room.Broadcast()
	l.mu.Unlock()
	return l.Listener.Close()
}

// know notes that a call of a known caller came from an address.
func (l *limitedListener) know(peer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.byPeer[peer]; c != nil && c.place != nil {
		l.strangers.Remove(c.place)
		c.place = nil
	}
}

// remove forgets a connection. It is called with the lock held, and does nothing the second time.
func (l *limitedListener) remove(c *limitedConn) {
	if c.gone {
		return
	}
	c.gone = true
	if c.place != nil {
		l.strangers.Remove(c.place)
		c.place = nil
	}
	if peer := c.RemoteAddr().String(); l.byPeer[peer] == c {
		delete(l.byPeer, peer)
	}
	l.open--
	l.room.Signal()
}

// limitedConn is a connection of a limitedListener, whose lock guards it.
type limitedConn struct {
	net.Conn
	listener *limitedListener
	place    *list.Element // among the strangers; nil for a known caller
	gone     bool
}

// Close closes the connection.
func (c *limitedConn) Close() error {
	c.listener.mu.Lock()
	c.listener.remove(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
