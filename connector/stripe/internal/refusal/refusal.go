// Package refusal checks, in tests, how requests are refused.
package refusal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stripe-connector/stripe-connector/connector"
)

// Expect fails the test unless err names exactly these fields, each with these words in its description, and no planted
// secret.
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

// Is reports whether err is a refusal. It fails the test if err names fields that are not below one of these paths.
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
