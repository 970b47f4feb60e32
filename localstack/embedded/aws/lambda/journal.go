package lambda

import (
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"
)

// Limits of a log.
const (
	tailSize     = 4096        // bytes of an invocation's log that LogType Tail returns
	maxPerRun    = 1 << 20     // bytes kept of what one invocation writes: a flood is cut off
	maxLine      = 256 << 10   // bytes of one event: "CloudWatch Logs quotas"
	flushAfter   = time.Second // at which a log under way is shown
	cutOffNotice = "[the rest of this invocation's output is not kept: it is over 1 MiB]"
)

// A journal is the log of one environment.
type journal struct {
	json bool // LogFormat
	put  func([]LogEvent)

	mu      sync.Mutex
	pending []LogEvent
	flusher *time.Timer
	tail    []byte
	written int
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.append(line)
}

// append adds a line. The caller holds mu.
func (j *journal) append(line string) {
	if j.written > maxPerRun {
		return
	}
	if j.written += len(line); j.written > maxPerRun {
		line = cutOffNotice
	}
	line = line[:min(len(line), maxLine)]
	j.tail = append(append(j.tail, line...), '\n')
	if n := len(j.tail) - tailSize; n > 0 {
		j.tail = j.tail[n:]
	}
	if j.put == nil {
		return
	}
	j.pending = append(j.pending, LogEvent{time.Now(), line})
	if j.flusher == nil {
		j.flusher = time.AfterFunc(flushAfter, j.flush)
	}
}

func (j *journal) flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.flusher != nil {
		j.flusher.Stop()
		j.flusher = nil
	}
	if len(j.pending) > 0 { // put holds no lock of ours, and takes no time
		j.put(j.pending)
		j.pending = nil
	}
}

// platform adds a line of the service's, in the format of the function's log.
func (j *journal) platform(kind, text string, record map[string]any) {
	if j.json {
		b, err := json.Marshal(map[string]any{"time": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "type": "platform." + kind, "record": record})
		if err != nil {
			panic("lambda: a record that is no JSON: " + err.Error())
		}
		text = string(b)
	}
	j.append(text)
}

func (j *journal) start(in *invocation, version string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.platform("start", "START RequestId: "+in.id+" Version: "+version, map[string]any{"requestId": in.id, "version": version})
}

// report ends an invocation's log and returns its tail.
func (j *journal) report(in *invocation, took, initTime time.Duration, memory int, cold bool) []byte {
	j.mu.Lock()
	j.written = 0 // for the next; and the report is never cut off
	billed := math.Ceil((took + initTime).Seconds() * 1000)
	text := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %.0f ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t", in.id, ms(took), billed, memory, memory)
	metrics := map[string]any{"durationMs": ms(took), "billedDurationMs": billed, "memorySizeMB": memory, "maxMemoryUsedMB": memory}
	if cold {
		text += fmt.Sprintf("Init Duration: %.2f ms\t", ms(initTime))
		metrics["initDurationMs"] = ms(initTime)
	}
	if !j.json {
		j.append("END RequestId: " + in.id)
	}
	j.platform("report", text, map[string]any{"requestId": in.id, "metrics": metrics})
	tail := j.tail
	j.tail = nil
	j.mu.Unlock()
	j.flush()
	return tail
}

// initFailed reports that the environment did not come up.
func (j *journal) initFailed(took time.Duration, out outcome) {
	var e struct{ ErrorType string }
	_ = json.Unmarshal(out.payload, &e) // what a bootstrap reports of itself may be anything
	j.mu.Lock()
	defer j.mu.Unlock()
	j.platform("initReport", fmt.Sprintf("INIT_REPORT Init Duration: %.2f ms\tPhase: init\tStatus: error\tError Type: %s", ms(took), e.ErrorType),
		map[string]any{"initializationType": "on-demand", "phase": "init", "status": "error", "errorType": e.ErrorType, "metrics": map[string]any{"durationMs": ms(took)}})
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
