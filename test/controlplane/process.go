package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A process is a running child of the test.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended
	err  error         // what Wait returned; set before done is closed
}

// startProcess starts a command such that it cannot outlive this process, where
// the system has a means for that.
func startProcess(cmd *exec.Cmd) (*process, error) {
	endWithParent(cmd)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux sends a child the death signal when the thread that started it
		// ends, so that thread must be kept until the child has ended:
		// https://github.com/golang/go/issues/27505
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return p, nil
}

// runProcess runs a command to its end as startProcess starts it.
func runProcess(cmd *exec.Cmd) error {
	cmd.WaitDelay = time.Second // for children of the command that keep its output open
	p, err := startProcess(cmd)
	if err != nil {
		return err
	}
	<-p.done
	return p.err
}

// kill ends the process at once and waits until it has ended.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing %s: %w", p.cmd.Path, err)
	}
	<-p.done
	return nil
}

// ended tells whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// A server is a process that runs until it is killed and writes a log.
type server struct {
	*process
	log string // path of the file with everything it prints
}

// startServer starts the program at path. Its log is added to the file
// <program>.log in dir, which is also its working and home folder. It gets no
// environment of ours, for etcd takes settings from there.
func startServer(path, dir string, args ...string) (*server, error) {
	name := filepath.Base(path)
	file, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer func() { _ = file.Close() }()                             // the child has its own copy
	cmd := exec.CommandContext(context.Background(), path, args...) // it runs until it is killed
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir}
	cmd.Stdout, cmd.Stderr = file, file
	p, err := startProcess(cmd)
	if err != nil {
		return nil, err
	}
	return &server{process: p, log: file.Name()}, nil
}

// errPortTaken says that a server could not listen on the port chosen for it.
var errPortTaken = errors.New("another process has taken the port")

// explain adds to err how the server is doing and the end of its log.
func (s *server) explain(err error) error {
	name, state, log := filepath.Base(s.cmd.Path), "is running", tail(s.log)
	if s.ended() {
		state = s.cmd.ProcessState.String()
		if strings.Contains(log, syscall.EADDRINUSE.Error()) {
			err = fmt.Errorf("%w: %w", err, errPortTaken)
		}
	}
	return fmt.Errorf("%w\n%s: %s; the end of its log:\n%s", err, name, state, log)
}

// tail returns about the last lines of a file, or why it cannot be read.
func tail(path string) string {
	const size = 4 << 10
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > size {
		if _, err := file.Seek(-size, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}
