package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long after a change files are read again: an editor writes in
// several steps.
const settle = 200 * time.Millisecond

// maxSettle is how long writing may go on before they are read all the same.
const maxSettle = 2 * time.Second

// WatchPaths calls changed when a file has changed, or one in a folder, and once
// at its beginning for what has changed before. It ends with ctx.
func WatchPaths(ctx context.Context, paths []string, log *slog.Logger, changed func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching files: %w", err)
	}
	defer func() { _ = watcher.Close() }()
	if err := watchFolders(watcher, paths); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	timer, running, first := time.NewTimer(settle), true, time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			log.Warn("Watching files failed, reading them again", "err", err)
			timer.Reset(settle)
		case event := <-watcher.Events:
			if !concerns(paths, event.Name) {
				continue
			}
			if !running {
				running, first = true, time.Now()
			}
			if time.Since(first) < maxSettle {
				timer.Reset(settle)
			}
		case <-timer.C:
			running = false
			changed()
			if err := watchFolders(watcher, paths); err != nil && !errors.Is(err, fs.ErrNotExist) {
				log.Warn("Watching files failed", "err", err)
			}
		}
	}
}

// concerns reports whether a changed file is one of ours, or may be what one of
// ours is a link to: Kubernetes changes mounted files by the link "..data".
func concerns(paths []string, name string) bool {
	if strings.HasPrefix(filepath.Base(name), "..") {
		return true
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		if target, err := filepath.EvalSymlinks(path); err == nil && target != path && concerns([]string{target}, name) {
			return true
		}
		rel, err := filepath.Rel(path, name)
		return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
	})
}

// watchFolders watches the folders that hold the files: a file that is replaced
// would be lost otherwise.
func watchFolders(w *fsnotify.Watcher, paths []string) error {
	var errs []error
	for _, path := range slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return p == "-" }) {
		if target, err := filepath.EvalSymlinks(path); err == nil && target != path {
			errs = append(errs, w.Add(filepath.Dir(target)))
			path = target
		}
		err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				return w.Add(p)
			}
			return nil
		})
		errs = append(errs, err, w.Add(filepath.Dir(path)))
	}
	return errors.Join(errs...)
}
