package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// childArgument is the first command-line argument of a child process.
const childArgument = "child"

// child is the parent's handle of a child process.
type child struct {
	mode    string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *json.Decoder
}

// call is a command to a child, one line on its stdin.
type call struct {
	Command   string
	Arguments json.RawMessage
}

// answer is the child's response, one line on its stdout.
type answer struct {
	Error  string
	Result json.RawMessage
}

// start starts a child. The caller must stop it. If the caller dies, the child's stdin ends, and the child exits.
func (b *bench) start(ctx context.Context, mode string) (*child, error) {
	cmd := exec.CommandContext(ctx, b.executable, childArgument, mode)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", mode, err)
	}
	return &child{mode: mode, cmd: cmd, stdin: stdin, answers: json.NewDecoder(stdout)}, nil
}

// stop ends the child and waits for it.
func (c *child) stop() {
	_ = c.stdin.Close() // makes the child exit
	_ = c.cmd.Wait()    // the exit code doesn't matter
}

// do makes the child execute a command, and decodes its answer into result, unless that is nil.
func (c *child) do(command string, arguments, result any) error {
	encoded, err := json.Marshal(arguments)
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.mode, command, err)
	}
	if err := json.NewEncoder(c.stdin).Encode(call{command, encoded}); err != nil {
		return fmt.Errorf("%s %s: %w", c.mode, command, err)
	}
	var a answer
	if err := c.answers.Decode(&a); err != nil {
		return fmt.Errorf("%s %s: the process ended: %w", c.mode, command, err)
	}
	if a.Error != "" {
		return fmt.Errorf("%s %s: %w", c.mode, command, errors.New(a.Error))
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(a.Result, result)
}

// ended returns when the child has died or was stopped. No command may be executed meanwhile or later.
func (c *child) ended() {
	for c.answers.Decode(&answer{}) == nil {
	}
}

// once starts a child, executes one command, and stops it.
func (b *bench) once(ctx context.Context, mode, command string, arguments, result any) error {
	c, err := b.start(ctx, mode)
	if err != nil {
		return err
	}
	defer c.stop()
	return c.do(command, arguments, result)
}
