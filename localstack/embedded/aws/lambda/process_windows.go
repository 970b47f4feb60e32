package lambda

import (
	"os"
	"os/exec"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

func kill(p *os.Process) { _ = p.Kill() } // an error: it is gone

func confine(*exec.Cmd) {}

// tie puts a process into a job that ends with this process however that ends.
func tie(p *os.Process) (release func()) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return func() {}
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE}}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err == nil {
		var handle windows.Handle
		if handle, err = windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(p.Pid)); err == nil {
			err = windows.AssignProcessToJobObject(job, handle)
			_ = windows.CloseHandle(handle)
		}
	}
	_ = err // without a job it still ends when its Runtime API does
	return func() { _ = windows.CloseHandle(job) }
}

// system is what a process needs on Windows beyond what Lambda gives.
func system(folder string) map[string]string {
	return map[string]string{"SYSTEMROOT": os.Getenv("SYSTEMROOT"), "PATH": os.Getenv("PATH"), "TMP": folder, "TEMP": folder, "USERPROFILE": folder}
}

// collect reads the bootstrap's output until it ends.
func (p *process) collect(log *journal) {
	buffer := make([]byte, 32<<10)
	var rest []byte
	for {
		n, err := p.output.Read(buffer)
		rest = lines(log, rest, buffer[:n])
		if err != nil {
			if len(rest) > 0 {
				log.add(string(rest))
			}
			return
		}
	}
}

// drain gives what the bootstrap has written a moment to reach the journal: a pipe cannot be asked whether it is empty here.
func (p *process) drain() {
	timer := time.NewTimer(2 * time.Millisecond)
	defer timer.Stop()
	<-timer.C
}
