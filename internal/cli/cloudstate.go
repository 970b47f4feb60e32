package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/natefinch/atomic"

	"github.com/brokerdojo/brokerdojo/internal/course"
)

// cloudState is the claim of a running cloud to be the one that env finds:
// .brokerdojo/up.json says where it is, and a lock that its process holds says
// that it is still there. The system drops the lock however the process ends, so
// that a file left behind is known to be stale. A process id would not tell: the
// system gives it to another process one day.
type cloudState struct {
	lock *flock.Flock
	path string
}

func cloudStatePath(root string) string { return filepath.Join(root, course.StateFolder, "up.json") }
func cloudLockPath(root string) string  { return filepath.Join(root, course.StateFolder, "up.lock") }

// claimPatience outlasts the moment for which findCloud tries the lock.
const claimPatience = 100 * time.Millisecond

// claimCloudState makes the cloud the one that env finds. If another one already
// is, it returns nil.
func claimCloudState(root string, running runningCloud) (*cloudState, error) {
	if err := course.CreateStateFolder(root); err != nil {
		return nil, err
	}
	s := &cloudState{lock: flock.New(cloudLockPath(root)), path: cloudStatePath(root)}
	ctx, cancel := context.WithTimeout(context.Background(), claimPatience)
	defer cancel()
	ok, err := s.lock.TryLockContext(ctx, claimPatience/20)
	if errors.Is(err, context.DeadlineExceeded) || err == nil && !ok {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", s.lock.Path(), err)
	}
	data, err := json.Marshal(running)
	if err == nil {
		err = atomic.WriteFile(s.path, bytes.NewReader(append(data, '\n')))
	}
	if err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

// release takes the claim back.
func (s *cloudState) release() error {
	if s == nil {
		return nil
	}
	err := os.Remove(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, s.lock.Close())
}

// errNoCloud means that no cloud of this course is running.
var errNoCloud = errors.New(textNoCloud)

// findCloud returns the running cloud of the course at root, or errNoCloud.
func findCloud(root string) (*runningCloud, error) {
	if _, err := os.Stat(cloudLockPath(root)); errors.Is(err, fs.ErrNotExist) {
		return nil, errNoCloud
	}
	lock := flock.New(cloudLockPath(root))
	free, err := lock.TryRLock()
	if err != nil {
		return nil, fmt.Errorf("try %s: %w", lock.Path(), err)
	}
	if free {
		return nil, errors.Join(errNoCloud, lock.Close())
	}
	return readCloudState(root)
}

func readCloudState(root string) (*runningCloud, error) {
	data, err := os.ReadFile(cloudStatePath(root))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w yet: it is just starting or ending", errNoCloud)
	}
	if err != nil {
		return nil, err
	}
	var running runningCloud
	if err := json.Unmarshal(data, &running); err != nil {
		return nil, fmt.Errorf("%s: %w", cloudStatePath(root), err)
	}
	return &running, nil
}
