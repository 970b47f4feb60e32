//go:build unix && !linux

package lambda

import (
	"os/exec"
	"syscall"
)

// confine gives a process a group of its own. If this process is killed, the bootstrap loses its Runtime API: aws-lambda-go exits then.
func confine(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
