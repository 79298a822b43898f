// Package freeport chooses ports for programs that tests start and that can't choose one themselves.
package freeport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// Ports are taken from below those from which systems choose, so that no connection or listener of another test takes one before the
// program listens on it.
const (
	first = 20000
	ports = 12000
)

var tried atomic.Int64

// Address returns an unused address on the loopback interface, host:port. It returns no address twice in a row.
func Address(ctx context.Context) (string, error) {
	for range ports {
		port := first + (int64(os.Getpid())*100+tried.Add(1))%ports // other processes begin elsewhere
		address := fmt.Sprintf("127.0.0.1:%d", port)
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err == nil {
			return address, listener.Close()
		}
	}
	return "", errors.New("no port is free")
}
