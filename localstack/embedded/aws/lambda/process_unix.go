//go:build unix

package lambda

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// kill kills a process and those that it started.
func kill(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) } // no such process: it is gone

// tie makes a process end with this one. The process group and, where there is one, its death signal do (confine).
func tie(*os.Process) (release func()) { return func() {} }

// system is what a process needs on this system beyond what Lambda gives.
func system(string) map[string]string { return nil }

// collect reads the bootstrap's output until it ends.
func (p *process) collect(log *journal) {
	raw, err := p.output.SyscallConn()
	if err != nil {
		return
	}
	buffer := make([]byte, 32<<10)
	var rest []byte
	defer func() {
		if len(rest) > 0 {
			log.add(string(rest))
		}
	}()
	for {
		n, err := p.output.Read(buffer)
		rest = lines(log, rest, buffer[:n])
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || p.abandoned.Load() {
			return
		}
		// Somebody asks for what was written so far: read until nothing is there.
		_ = p.output.SetReadDeadline(time.Time{})
		for more := true; more; {
			err := raw.Read(func(fd uintptr) bool {
				n, err = syscall.Read(int(fd), buffer)
				return true
			})
			more = err == nil && n > 0
			if more {
				rest = lines(log, rest, buffer[:n])
			}
		}
		p.finishDrain()
	}
}

// drain waits until what the bootstrap has written so far is in the journal.
func (p *process) drain() {
	done := make(chan struct{})
	p.mu.Lock()
	p.drained = done
	p.mu.Unlock()
	_ = p.output.SetReadDeadline(time.Now())
	select {
	case <-done:
	case <-p.collected: // there is nothing more to read
	}
}

func (p *process) finishDrain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drained != nil {
		close(p.drained)
		p.drained = nil
	}
}
