package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/brokerdojo/brokerdojo/internal/course"
	"github.com/brokerdojo/brokerdojo/internal/grade"
)

const (
	// quiet is how long a folder must rest after a change: editors write a
	// file in several steps.
	quiet = 100 * time.Millisecond
	// lookEvents is how often to look for changes where file events are
	// available. Shared folders, network drives and containers accept the
	// subscription and then deliver nothing, so that looking is never given up.
	lookEvents = time.Second
	// lookAlone is how often to look where file events are not available.
	lookAlone = 300 * time.Millisecond
)

func (a *app) watchVerb() *cobra.Command {
	cmd := a.verb("watch [exercise]", groupLearn)
	cmd.ValidArgsFunction = a.completeExercise
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := a.load()
		if err != nil {
			return err
		}
		e, err := a.exercise(p, args)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(cmd.Context())
		defer cancel()
		keys, restore, err := a.keys(ctx)
		if err != nil {
			return err
		}
		defer restore()
		w := &watcher{app: a, exercise: e, keys: keys, results: make(chan result)}
		return w.run(ctx)
	}
	return cmd
}

// The keys of watch, beside those of its prompt.
const (
	keyCtrlC  = rune(3)
	keyCtrlD  = rune(4)
	keyEscape = 27
)

// keys returns what the learner types. On a terminal a key counts at once, and
// restore puts the terminal back; elsewhere it is the first letter of each line.
// When the input ends, watching goes on.
func (a *app) keys(ctx context.Context) (keys <-chan rune, restore func(), err error) {
	out := make(chan rune)
	send := func(r rune) bool {
		select {
		case out <- r:
			return true
		case <-ctx.Done():
			return false
		}
	}
	fd, ok := terminal(a.Stdin)
	if !ok {
		lines := a.lines(ctx)
		go func() {
			for line := range lines {
				if r, _ := utf8.DecodeRuneInString(strings.TrimSpace(line)); !send(r) {
					return
				}
			}
		}()
		return out, func() {}, nil
	}
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, nil, fmt.Errorf("switch the terminal to single keys: %w", err)
	}
	plainOut, plainErr := a.out, a.err
	a.out, a.err = returns{plainOut}, returns{plainErr}
	go func() {
		key := make([]byte, 64)
		for {
			n, err := a.Stdin.Read(key)
			if err != nil {
				return
			}
			if key[0] == keyEscape { // begins the sequence of an arrow or the like
				continue
			}
			for _, r := range string(key[:n]) {
				if !send(r) {
					return
				}
			}
		}
	}()
	return out, func() {
		a.out, a.err = plainOut, plainErr
		_ = term.Restore(fd, state) // the process ends: there is nothing left to do
	}, nil
}

// returns gives each line the carriage return that a raw terminal needs.
type returns struct{ w io.Writer }

func (r returns) Write(p []byte) (int, error) {
	if _, err := r.w.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// watcher checks an exercise whenever its files change.
type watcher struct {
	*app
	exercise *course.Exercise
	keys     <-chan rune

	results chan result
	cancel  context.CancelFunc // ends the running check; nil when none runs
	seen    [sha256.Size]byte  // the files as they were when the last check began
}

// result is a finished check.
type result struct {
	verdict  grade.Verdict
	progress *course.Progress
	err      error
}

func (w *watcher) run(ctx context.Context) error {
	w.printf("%s\n", fmt.Sprintf(textWatching, w.exercise.ID))
	var events <-chan fsnotify.Event
	interval := lookAlone
	files, err := fsnotify.NewWatcher()
	if err == nil {
		defer files.Close()
		if err = files.Add(w.path(w.exercise.Folder())); err == nil {
			events, interval = files.Events, lookEvents
			go func() {
				for range files.Errors { // looking finds what an overflow dropped
				}
			}()
		}
	}
	if err != nil {
		w.printf("%s\n", styleNote.Render(fmt.Sprintf(textNoFileEvents, err)))
	}
	look := time.NewTicker(interval)
	defer look.Stop()
	var rested <-chan time.Time
	folder := w.path(w.exercise.Folder())
	w.start(ctx)
	defer func() {
		if w.cancel != nil {
			w.cancel()
			<-w.results
		}
	}()
	for {
		if now := w.path(w.exercise.Folder()); now != folder {
			if events != nil {
				_ = files.Remove(folder) // it may be gone
				if err := files.Add(now); err != nil {
					w.printf("%s\n", styleNote.Render(fmt.Sprintf(textNoFileEvents, err)))
				}
			}
			folder = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-events:
			rested = time.After(quiet)
		case <-rested:
			rested = nil
			w.restartIfChanged(ctx)
		case <-look.C:
			if rested == nil {
				w.restartIfChanged(ctx)
			}
		case r := <-w.results:
			w.cancel()
			w.cancel = nil
			if interrupted(r.err) {
				continue
			}
			if err := w.report(r); err != nil {
				return err
			}
		case key := <-w.keys:
			if quit, err := w.press(ctx, key); quit || err != nil {
				return err
			}
		}
	}
}

// start begins a check, after ending the one that runs.
func (w *watcher) start(ctx context.Context) {
	if w.cancel != nil {
		w.cancel()
		<-w.results
	}
	ctx, w.cancel = context.WithCancel(ctx)
	w.seen = w.fingerprint()
	e := w.exercise
	w.printf("\n%s\n", styleFaint.Render(fmt.Sprintf(textWatchCheck, time.Now().Format(time.TimeOnly), e.ID)))
	go func() {
		var r result
		stop := w.working(fmt.Sprintf(textChecking, e.ID))
		r.verdict, r.progress, r.err = w.check(ctx, e)
		stop()
		w.results <- r
	}()
}

func (w *watcher) restartIfChanged(ctx context.Context) {
	if w.fingerprint() != w.seen {
		w.start(ctx)
	}
}

// fingerprint stands for the contents of the exercise's Go files.
func (w *watcher) fingerprint() (sum [sha256.Size]byte) {
	files, _ := filepath.Glob(filepath.Join(w.path(w.exercise.Folder()), "*.go"))
	h := sha256.New()
	for _, file := range files {
		data, err := os.ReadFile(file)
		fmt.Fprintf(h, "%s %d %v\n", file, len(data), err)
		h.Write(data)
	}
	h.Sum(sum[:0])
	return sum
}

// report shows a finished check and the keys.
func (w *watcher) report(r result) error {
	if r.err != nil {
		w.exit(r.err)
	} else if err := w.show(r.verdict, r.progress, w.exercise); err != nil {
		return err
	}
	w.printf("\n%s\n", styleFaint.Render(textWatchKeys))
	return nil
}

// press acts on a key.
func (w *watcher) press(ctx context.Context, key rune) (quit bool, err error) {
	switch key {
	case 'q', keyCtrlC, keyCtrlD:
		return true, nil
	case 'r':
		w.start(ctx)
	case 'h':
		w.printf("\n")
		return false, w.hint(w.exercise, false, false)
	case 'l':
		p, err := w.store.Load()
		if err != nil {
			return false, err
		}
		w.printf("\n")
		return false, w.list(p)
	case 'n', 'N':
		p, err := w.store.Load()
		if err != nil {
			return false, err
		}
		next := w.course.After(p, w.exercise)
		switch {
		case next == nil && p.Passed(w.exercise.ID):
			w.printf("\n%s\n", w.text(textStatusAllPassed))
		case next == nil:
			w.printf("\n%s\n", textWatchLast)
		case key == 'n' && !p.Passed(w.exercise.ID):
			w.printf("\n%s\n", textWatchNotPassed)
		default:
			w.exercise = next
			if _, err := w.store.Update(func(p *course.Progress) error { p.Current = next.ID; return nil }); err != nil {
				return false, err
			}
			w.printf("\n%s", w.describe(next))
			w.start(ctx)
		}
	case '\r', '\n', utf8.RuneError:
	default:
		w.printf("\n%s\n", styleFaint.Render(textWatchKeys))
	}
	return false, nil
}
