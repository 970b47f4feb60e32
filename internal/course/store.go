package course

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/natefinch/atomic"
)

// StateFolder is the folder under the root for what the program remembers. It
// tells git to ignore it.
const StateFolder = ".brokerdojo"

// Store keeps the progress in a file. Many processes may use the same file: a
// lock beside it lets one change it at a time, and it is replaced as a whole,
// so that nobody ever sees half of it.
type Store struct {
	// SetAside is told, when not nil, that the file could not be understood and
	// was renamed to path; the progress starts anew.
	SetAside func(path string, cause error)

	folder string
}

// NewStore returns the store of the course at root.
func NewStore(root string) *Store { return &Store{folder: filepath.Join(root, StateFolder)} }

// Path returns the progress file's name.
func (s *Store) Path() string { return filepath.Join(s.folder, "progress.json") }

// ErrNewer means that a newer version of the program wrote the progress file.
var ErrNewer = errors.New("the progress file was written by a newer version of this program")

// ErrBusy means that other processes held the lock for all of LockPatience.
var ErrBusy = errors.New("another command is changing the progress file")

// LockPatience is how long Load and Update wait for other processes, which hold
// the lock for milliseconds.
const LockPatience = 10 * time.Second

// lockRetry is how often a taken lock is tried again: the operating systems
// offer no wait for a lock that can be given up.
const lockRetry = 5 * time.Millisecond

// Load reads the progress. Before anything was done it is empty, and nothing is
// created.
func (s *Store) Load() (*Progress, error) {
	if _, err := os.Stat(s.Path()); errors.Is(err, fs.ErrNotExist) {
		return newProgress(), nil
	}
	var progress *Progress
	err := s.locked((*flock.Flock).TryRLockContext, func() (err error) {
		progress, err = s.read()
		return err
	})
	var corrupt *corruptError
	if errors.As(err, &corrupt) {
		// Renaming takes the lock alone; by then somebody may have done it.
		return s.Update(func(*Progress) error { return errUnchanged })
	}
	return progress, err
}

// errUnchanged makes Update leave the file as it is.
var errUnchanged = errors.New("unchanged")

// Update reads the progress, lets change alter it and writes it back, while no
// other process can. When change returns an error nothing is written and Update
// returns that error.
func (s *Store) Update(change func(*Progress) error) (*Progress, error) {
	if err := s.createFolder(); err != nil {
		return nil, err
	}
	var progress *Progress
	err := s.locked((*flock.Flock).TryLockContext, func() (err error) {
		progress, err = s.read()
		var corrupt *corruptError
		if errors.As(err, &corrupt) {
			if err := s.setAside(corrupt.cause); err != nil {
				return err
			}
			progress, err = newProgress(), nil
		}
		if err != nil {
			return err
		}
		if err := change(progress); err != nil {
			return err
		}
		return s.write(progress)
	})
	if errors.Is(err, errUnchanged) {
		return progress, nil
	}
	if err != nil {
		return nil, err
	}
	return progress, nil
}

func (s *Store) locked(lock func(*flock.Flock, context.Context, time.Duration) (bool, error), work func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), LockPatience)
	defer cancel()
	l := flock.New(filepath.Join(s.folder, "progress.lock"))
	if ok, err := lock(l, ctx, lockRetry); errors.Is(err, context.DeadlineExceeded) {
		return ErrBusy
	} else if err != nil || !ok {
		return fmt.Errorf("lock the progress file: %w", err)
	}
	return errors.Join(work(), l.Close())
}

// corruptError means that the file holds no progress.
type corruptError struct{ cause error }

func (e *corruptError) Error() string { return "the progress file is damaged: " + e.cause.Error() }

func (s *Store) read() (*Progress, error) {
	data, err := os.ReadFile(s.Path())
	if errors.Is(err, fs.ErrNotExist) {
		return newProgress(), nil
	}
	if err != nil {
		return nil, err
	}
	var format struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &format); err != nil {
		return nil, &corruptError{err}
	}
	if format.Version > ProgressVersion {
		return nil, fmt.Errorf("%w (%s: version %d; this program knows %d)", ErrNewer, s.Path(), format.Version, ProgressVersion)
	}
	if format.Version < 1 {
		return nil, &corruptError{errors.New("it has no version")}
	}
	progress := newProgress()
	if err := json.Unmarshal(data, progress); err != nil {
		return nil, &corruptError{err}
	}
	return progress.repaired(), nil
}

// repaired replaces what a hand-edited file has as null.
func (p *Progress) repaired() *Progress {
	if p.Exercises == nil {
		p.Exercises = map[string]*ExerciseState{}
	}
	if p.Quizzes == nil {
		p.Quizzes = map[string]*QuizState{}
	}
	maps.DeleteFunc(p.Exercises, func(_ string, state *ExerciseState) bool { return state == nil })
	for week, quiz := range p.Quizzes {
		switch {
		case quiz == nil:
			delete(p.Quizzes, week)
		case quiz.Answers == nil:
			quiz.Answers = map[string]Answer{}
		}
	}
	return p
}

func (s *Store) write(p *Progress) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return atomic.WriteFile(s.Path(), bytes.NewReader(append(data, '\n')))
}

// setAside renames the damaged file. The lock is held, so that the name stays
// free between the look and the renaming.
func (s *Store) setAside(cause error) error {
	stamp := time.Now().UTC().Format("20060102T150405")
	for n := 1; ; n++ {
		name := fmt.Sprintf("progress.damaged-%s.json", stamp)
		if n > 1 {
			name = fmt.Sprintf("progress.damaged-%s-%d.json", stamp, n)
		}
		aside := filepath.Join(s.folder, name)
		if _, err := os.Lstat(aside); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Rename(s.Path(), aside); err != nil {
			return err
		}
		if s.SetAside != nil {
			s.SetAside(aside, cause)
		}
		return nil
	}
}

// createFolder makes the folder and has git ignore everything in it.
func (s *Store) createFolder() error { return CreateStateFolder(filepath.Dir(s.folder)) }

// CreateStateFolder makes StateFolder under root, with a .gitignore that ignores
// everything in it.
func CreateStateFolder(root string) error {
	folder := filepath.Join(root, StateFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	ignore := filepath.Join(folder, ".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return nil
	}
	return os.WriteFile(ignore, []byte("*\n"), 0o644)
}
