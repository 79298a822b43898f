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

// childArgument is the first argument of a child process.
const childArgument = "child"

// child is a process of this program in one of its modes, seen from its parent.
type child struct {
	mode    string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers *json.Decoder
}

// call is what a child is asked for, a line on its stdin.
type call struct {
	Command   string
	Arguments json.RawMessage
}

// answer is what it says, a line on its stdout.
type answer struct {
	Error  string
	Result json.RawMessage
}

// start starts a child. The caller stops it; should the caller die, the child's stdin ends, and with it the child.
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

// stop ends the child.
func (c *child) stop() {
	_ = c.stdin.Close() // the child ends by itself
	_ = c.cmd.Wait()    // with whatever exit code
}

// do has the child carry out a command, and decodes its answer into result, unless that is nil.
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

// once starts a child for one command.
func (b *bench) once(ctx context.Context, mode, command string, arguments, result any) error {
	c, err := b.start(ctx, mode)
	if err != nil {
		return err
	}
	defer c.stop()
	return c.do(command, arguments, result)
}
