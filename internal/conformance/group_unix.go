//go:build unix

package conformance

import (
	"os/exec"
	"syscall"
)

// killGroup makes the end of cmd's context kill the processes that cmd started, too: a shell's client, for example.
func killGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
