package lambda

import (
	"os/exec"
	"syscall"
)

// confine gives a process a group of its own, which ends with this process however that ends.
func confine(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
