package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"

	"github.com/stripe-connector/stripe-connector/client"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// usageError is the error of an invalid command line. Its exit code is exitUsage.
type usageError struct {
	error
	command string
}

func (e usageError) Unwrap() error { return e.error }

// failedError is an error that has already been reported, so explain prints nothing.
type failedError struct{ error }

// explain prints an error for the user and returns the exit code.
func (a *app) explain(ctx context.Context, err error) int {
	if usage, ok := errors.AsType[usageError](err); ok {
		words := strings.Join(strings.Fields(usage.Error()), " ") // cobra's suggestions span several lines
		a.complain("%s. Try '%s --help'.", strings.TrimSuffix(words, "."), usage.command)
		return exitUsage
	}
	if _, said := errors.AsType[failedError](err); said {
		return exitFailure
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		a.complain("Interrupted. The stored data is consistent; the same command resumes from there.")
		return exitFailure
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		a.complain("%s", strings.Replace(err.Error(), e.Error(), headline(e.Failure), 1))
		a.details(e.Failure)
		return exitFailure
	}
	a.complain("%s", err)
	return exitFailure
}

// complain writes an error message to stderr.
func (a *app) complain(format string, args ...any) {
	writeLine(a.stderr, "stripe-connector: "+format, args...)
}

// inform writes a progress message to stderr, unless --quiet is set.
func (a *app) inform(format string, args ...any) {
	if !a.quiet {
		writeLine(a.stderr, format, args...)
	}
}

// writeLine writes a line for the user, with control characters replaced and API keys hidden. It ignores write errors:
// there is no way left to report them.
func writeLine(w io.Writer, format string, args ...any) {
	_, _ = io.WriteString(w, printable(hideKeys(fmt.Sprintf(format, args...)))+"\n")
}

// printable replaces control characters, which a terminal would obey, since Stripe's data and errors contain text
// typed by its users.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.In(r, unicode.Bidi_Control) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// hideKeys replaces the API keys in text with "[key]".
func hideKeys(text string) string { return keyPattern.ReplaceAllString(text, "[key]") }

var keyPattern = regexp.MustCompile(`\b[srp]k_(live|test)_\w+`)

// headline returns a failure's message. If the message repeats a violation, headline returns a generic message
// instead, since details lists the violations.
func headline(f *connectorv1.Failure) string {
	for _, v := range f.GetViolations() {
		if strings.Contains(f.GetMessage(), v.GetDescription()) {
			return "The request is invalid. Fix these fields and try again:"
		}
	}
	return f.GetMessage()
}

// details prints the rest of a failure that helps to fix it: violations, the request ID, and for a system failure the
// internal message.
func (a *app) details(f *connectorv1.Failure) {
	for _, v := range f.GetViolations() {
		writeLine(a.stderr, "  %s: %s", v.GetField(), v.GetDescription())
	}
	if id := f.GetRequestId(); id != "" {
		writeLine(a.stderr, "  Stripe's request id, for Stripe support: %s", id)
	}
	if f.GetClass() == connectorv1.FailureClass_FAILURE_CLASS_SYSTEM && f.GetInternalMessage() != "" {
		writeLine(a.stderr, "  Details for the bug report: %s", firstLine(f.GetInternalMessage()))
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
