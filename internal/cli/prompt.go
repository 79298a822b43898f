package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// prompt asks questions on stderr and reads the answers from stdin, one per line.
type prompt struct {
	out    io.Writer
	lines  *bufio.Reader
	hidden func() (string, error) // reads a line without echo; nil if stdin is not a terminal
	ended  bool                   // whether stdin is at EOF
}

func (a *app) prompt() *prompt {
	return &prompt{out: a.stderr, lines: bufio.NewReader(a.stdin), hidden: a.hidden}
}

// ask repeats a question until the answer passes check, which may be nil. An empty answer stands for otherwise. At
// the end of stdin, every answer is empty, and one that fails check is an error.
func (p *prompt) ask(ctx context.Context, question, otherwise string, check func(string) error) (string, error) {
	return p.until(ctx, question, otherwise, p.line, check)
}

// secret is like ask, for an answer that must not be echoed. There is no default.
func (p *prompt) secret(ctx context.Context, question string, check func(string) error) (string, error) {
	read := p.line
	if p.hidden != nil {
		read = func() (string, error) {
			answer, err := p.hidden()
			_, _ = fmt.Fprintln(p.out) // Enter wasn't echoed either
			return answer, err
		}
	}
	return p.until(ctx, question, "", read, check)
}

func (p *prompt) until(
	ctx context.Context, question, otherwise string, read func() (string, error), check func(string) error,
) (string, error) {
	for {
		if otherwise != "" {
			question = strings.TrimSuffix(question, ":")
			_, _ = fmt.Fprintf(p.out, "%s [%s]: ", question, otherwise)
		} else {
			_, _ = fmt.Fprint(p.out, question+" ")
		}
		answer, err := await(ctx, read)
		if err != nil {
			_, _ = fmt.Fprintln(p.out)
			return "", err
		}
		if answer = strings.TrimSpace(answer); answer == "" {
			answer = otherwise
		}
		if check != nil {
			err = check(answer)
		}
		if err == nil {
			if p.ended {
				_, _ = fmt.Fprintln(p.out)
			}
			return answer, nil
		}
		if p.ended {
			return "", err
		}
		writeLine(p.out, "  %s", err)
	}
}

// line reads a line from stdin. At the end of stdin, it sets ended.
func (p *prompt) line() (string, error) {
	line, err := p.lines.ReadString('\n')
	if errors.Is(err, io.EOF) {
		p.ended = true
		err = nil
	}
	return line, err
}

// await calls read, but returns early if ctx is done. The read itself can't be interrupted, so it is left behind.
func await(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case a := <-answers:
		return a.text, a.err
	}
}
