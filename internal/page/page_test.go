package page

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestMetricsConnectionsAreLimited opens more silent connections to --metrics-listen than it takes. The oldest must be closed,
// and a scrape must be answered.
func TestMetricsConnectionsAreLimited(t *testing.T) {
	listener, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	page := New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }))
	page.ReadHeaderTimeout = time.Hour // so that nothing else closes the connections
	var serving errgroup.Group
	serving.Go(func() error { return Serve(page, listener) })
	t.Cleanup(func() {
		_ = page.Close()
		if err := serving.Wait(); err != nil {
			t.Error(err)
		}
	})
	var silent []net.Conn
	for range mostWatchers + 20 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	resp, err := http.Get("http://" + listener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if err != nil || string(body) != "up 1\n" {
		t.Errorf("got %q, %v", body, err)
	}
	for i, conn := range silent[:20] {
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("connection %d stays open: %v", i, err)
		}
	}
	_ = silent[len(silent)-1].SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := silent[len(silent)-1].Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("the newest connection was closed: %v", err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error) //nolint:errorlint // as it came from the connection
	return ok && timeout.Timeout()
}
