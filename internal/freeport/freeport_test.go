package freeport

import (
	"net"
	"testing"
)

func TestAddress(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		address, err := Address(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if seen[address] {
			t.Errorf("got %s again", address)
		}
		seen[address] = true
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
	}
}
