package main

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// distant returns the address of a proxy that forwards to another address and delays each direction by half of
// roundTrip.
func distant(ctx context.Context, to string, roundTrip time.Duration) (address string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // the listener is closed
			}
			far, err := new(net.Dialer).DialContext(ctx, "tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			go copyDelayed(far, near, roundTrip/2)
			go copyDelayed(near, far, roundTrip/2)
		}
	}()
	return listener.Addr().String(), func() { _ = listener.Close() }, nil
}

// copyDelayed copies from one connection to the other and delays each piece. Many pieces can be in flight.
func copyDelayed(to, from net.Conn, delay time.Duration) {
	type piece struct {
		due     time.Time
		content []byte
	}
	pieces := make(chan piece, 4096)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 64<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				pieces <- piece{time.Now().Add(delay), buffer[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	var failed error
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if failed == nil {
			_, failed = to.Write(p.content)
		}
	}
	if failed == nil || errors.Is(failed, io.EOF) {
		_ = to.Close()
	}
}
