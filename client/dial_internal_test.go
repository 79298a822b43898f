package client

import "testing"

func TestLocal(t *testing.T) {
	tests := map[string]bool{
		"127.0.0.1:50051": true, "127.1.2.3:1": true, "localhost:50051": true, "[::1]:50051": true,
		"dns:///localhost:50051": true, "dns:localhost:1": true, "unix:/run/x.sock": true, "localhost": true,
		"10.0.0.1:50051": false, "stripe-connector:50051": false, "dns:///connector.ns.svc:50051": false,
		"localhost.evil.example:1": false, "dns://127.0.0.1/connector:1": false, "": false,
	}
	for target, want := range tests {
		if got := isLocal(target); got != want {
			t.Errorf("local(%q) = %t, want %t", target, got, want)
		}
	}
}
