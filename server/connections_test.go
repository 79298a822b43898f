package server

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestUnauthenticatedClientsDoNotFillTheConnections opens more unauthenticated connections than the server accepts, before and after a
// caller with a token connects.
func TestUnauthenticatedClientsDoNotFillTheConnections(t *testing.T) {
	const most = 8
	tokens, _, _ := tokensIn(t, firstToken)
	_, address := listen(t, Options{Tokens: tokens, MaxConnections: most})
	var strangers []net.Conn
	flood := func() {
		for range 3 * most {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			strangers = append(strangers, conn)
		}
	}
	flood()
	c := dialed(t, address)
	if _, err := c.Spec(bearing(t, firstToken), &connectorv1.SpecRequest{}); err != nil {
		t.Fatalf("a caller with a token: %v", err)
	}
	flood()
	if _, err := c.Spec(bearing(t, firstToken), &connectorv1.SpecRequest{}); err != nil {
		t.Errorf("the same caller later: %v", err)
	}
	open := 0
	for _, conn := range strangers {
		_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		for {
			_, err := conn.Read(make([]byte, 256))
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // as it came from the connection
				open++
			}
			if err != nil {
				break
			}
		}
	}
	if open > most/4 {
		t.Errorf("%d unauthenticated connections are open, want at most %d", open, most/4)
	}
}

// dialed returns a client with its own connection.
func dialed(t *testing.T, address string) connectorv1.ConnectorServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return connectorv1.NewConnectorServiceClient(conn)
}

func bearing(t *testing.T, token string) context.Context {
	t.Helper()
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
}

// TestAuthenticatedCallersWaitForRoom checks that, when authenticated callers hold all connections, the next one waits until one
// closes.
func TestAuthenticatedCallersWaitForRoom(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limitListener(inner, 1, 1)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			l.markAuthenticated(conn.RemoteAddr().String())
			accepted <- conn
		}
	}()
	for range 2 {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Error("a second connection was accepted")
	case <-time.After(100 * time.Millisecond):
	}
	_ = first.Close()
	_ = first.Close() // a second Close has no effect on the count
	_ = (<-accepted).Close()
	_ = l.Close()
	for range accepted {
		t.Error("a connection that nobody opened")
	}
	if l.open != 0 || len(l.byPeer) != 0 || l.unauthenticated.Len() != 0 {
		t.Errorf("%d connections are counted, %d remembered, %d of them unauthenticated", l.open, len(l.byPeer), l.unauthenticated.Len())
	}
}

func TestUnauthenticatedCallsAreBounded(t *testing.T) {
	tokens, _, _ := tokensIn(t, firstToken)
	server, _ := listen(t, Options{Tokens: tokens, Health: Open})
	for range maxUnauthenticatedCalls {
		if err := server.gate.admitUnauthenticated(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.gate.admitUnauthenticated(t.Context()); err == nil {
		t.Error("one more is admitted")
	}
	if n := server.gate.unauthenticated.Load(); n != maxUnauthenticatedCalls {
		t.Errorf("%d are counted", n)
	}
}
