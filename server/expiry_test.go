package server

import (
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestVanishedTokensAreRefusedInTime removes the token file. The loaded tokens stay valid for a while; then all calls are
// refused until the file is back.
func TestVanishedTokensAreRefusedInTime(t *testing.T) {
	tokens, path, logs := tokensIn(t, firstToken)
	_, address := listen(t, Options{Tokens: tokens})
	call := func() error { return caller{address: address, token: "Bearer " + firstToken}.call(t, spec) }
	age := func(d time.Duration) {
		tokens.current.mu.Lock()
		defer tokens.current.mu.Unlock()
		tokens.current.looked = tokens.current.looked.Add(-d)
		tokens.current.good = tokens.current.good.Add(-d)
	}
	for what, spoil := range map[string]func() error{
		"gone":     func() error { return os.Remove(path) },
		"nonsense": func() error { return os.WriteFile(path, []byte("?"), 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		age(2 * lookAgain)
		if err := call(); err != nil {
			t.Errorf("%s a moment ago: %v", what, err)
		}
		age(staleAfter)
		if err := call(); status.Code(err) != codes.Unavailable {
			t.Errorf("%s for long: %v, want UNAVAILABLE", what, err)
		}
		if text := logs.String(); !strings.Contains(text, "in force for") {
			t.Errorf("the log does not say for how long: %s", text)
		}
		if err := os.WriteFile(path, []byte(firstToken), 0o600); err != nil {
			t.Fatal(err)
		}
		age(2 * lookAgain)
		if err := call(); err != nil {
			t.Errorf("%s, and back: %v", what, err)
		}
	}
}
