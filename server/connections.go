package server

import (
	"container/list"
	"net"
	"sync"
)

// limitedListener limits the open connections of a listener. Connections that have not made an authenticated call yet only
// get a share of them. When the share is used up, each new connection replaces the oldest one in it. So however many
// connections unauthenticated clients open, a caller that authenticates soon after connecting keeps its connection.
type limitedListener struct {
	net.Listener
	most, share int

	mu              sync.Mutex
	room            *sync.Cond // signalled when a connection or the listener closes
	closed          bool
	open            int
	unauthenticated *list.List // of *limitedConn: the unauthenticated connections, oldest first
	byPeer          map[string]*limitedConn
}

// limitListener returns a listener with at most maximum open connections, of which at most share are unauthenticated.
func limitListener(listener net.Listener, maximum, share int) *limitedListener {
	l := &limitedListener{Listener: listener, most: maximum, share: max(1, share), unauthenticated: list.New(), byPeer: map[string]*limitedConn{}}
	l.room = sync.NewCond(&l.mu)
	return l
}

// LimitListener returns a listener with at most maximum open connections. Each further one replaces the oldest, so that a client who
// connects is served, however many connections others hold.
func LimitListener(listener net.Listener, maximum int) net.Listener {
	return limitListener(listener, maximum, maximum)
}

// Accept accepts a connection. If authenticated callers hold all connections, it waits until one closes.
func (l *limitedListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	for l.open >= l.most && l.unauthenticated.Len() == 0 && !l.closed {
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
	for l.unauthenticated.Len() > 0 && (l.unauthenticated.Len() >= l.share || l.open >= l.most) {
		oldest := l.unauthenticated.Front().Value.(*limitedConn)
		l.remove(oldest)
		cut = append(cut, oldest.Conn)
	}
	l.open++
	c.place = l.unauthenticated.PushBack(c)
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

// markAuthenticated marks the connection from an address as authenticated.
func (l *limitedListener) markAuthenticated(peer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.byPeer[peer]; c != nil && c.place != nil {
		l.unauthenticated.Remove(c.place)
		c.place = nil
	}
}

// remove removes a connection from the listener's state. It must be called with the lock held, and is idempotent.
func (l *limitedListener) remove(c *limitedConn) {
	if c.gone {
		return
	}
	c.gone = true
	if c.place != nil {
		l.unauthenticated.Remove(c.place)
		c.place = nil
	}
	if peer := c.RemoteAddr().String(); l.byPeer[peer] == c {
		delete(l.byPeer, peer)
	}
	l.open--
	l.room.Signal()
}

// limitedConn is a connection of a limitedListener. The listener's lock guards place and gone.
type limitedConn struct {
	net.Conn
	listener *limitedListener
	place    *list.Element // in the listener's list of unauthenticated connections; nil once a caller has authenticated
	gone     bool
}

// Close closes the connection.
func (c *limitedConn) Close() error {
	c.listener.mu.Lock()
	c.listener.remove(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
