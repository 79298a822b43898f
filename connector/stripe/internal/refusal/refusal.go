// Package refusal contains test helpers that check how invalid requests are rejected.
package refusal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Expect fails the test unless err names exactly the given fields, each with a description that contains the given words,
// and reveals no planted secret.
func Expect(t *testing.T, err error, fields map[string]string) {
	t.Helper()
	failure, ok := errors.AsType[*connector.Failure](err)
	if !ok || failure.Class != connector.ConfigError {
		t.Fatalf("got %v", err)
	}
	got := map[string]string{}
	for _, v := range failure.Violations {
		got[v.Field] = v.Description
	}
	for field, words := range fields {
		if !strings.Contains(got[field], words) {
			t.Errorf("%s: got %q, want %q in it", field, got[field], words)
		}
	}
	if len(got) != len(fields) {
		t.Errorf("got %d violations, want %d: %v", len(got), len(fields), got)
	}
	if strings.Contains(fmt.Sprintf("%v %+v", failure, *failure), "Planted") {
		t.Errorf("the failure shows the key: %+v", failure)
	}
}

// Is reports whether err rejects the request. It fails the test if err names a field that isn't one of the given paths or
// below one.
func Is(t *testing.T, err error, below ...string) bool {
	t.Helper()
	if err == nil {
		return false
	}
	failure, ok := errors.AsType[*connector.Failure](err)
	if !ok || failure.Class != connector.ConfigError || len(failure.Violations) == 0 || failure.Retryable {
		t.Fatalf("got %#v", err)
	}
	for _, v := range failure.Violations {
		known := false
		for _, prefix := range below {
			known = known || v.Field == prefix || strings.HasPrefix(v.Field, prefix+".") || strings.HasPrefix(v.Field, prefix+"[")
		}
		if !known || v.Description == "" || !utf8.ValidString(v.Field) || !utf8.ValidString(v.Description) {
			t.Fatalf("violation %+q", v)
		}
	}
	return true
}
