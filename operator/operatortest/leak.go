package operatortest

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// leakWait is how long goroutines may take to end after a test.
const leakWait = 5 * time.Second

// NoLeaks fails the test if goroutines that began after the call still run five
// seconds after the test has ended. It does not go with t.Parallel: other
// tests' goroutines would count.
func NoLeaks(t testing.TB) {
	t.Helper()
	before := goroutines()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		var left []string
		for pause, deadline := time.Millisecond, time.Now().Add(leakWait); ; pause *= 2 {
			left = left[:0]
			for id, stack := range goroutines() {
				if _, old := before[id]; !old {
					left = append(left, stack)
				}
			}
			if len(left) == 0 || !time.Now().Before(deadline) {
				break
			}
			time.Sleep(min(pause, time.Until(deadline)))
		}
		if len(left) > 0 {
			t.Errorf("%d goroutines are left:\n\n%s", len(left), strings.Join(left, "\n\n"))
		}
	})
}

// goroutines returns the stacks of all goroutines but this one, and those that
// the runtime and package testing have for themselves.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	stacks := strings.Split(string(buf), "\n\n")
	out := make(map[string]string)
	for _, stack := range stacks[1:] { // the first is this one
		id, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		if !isRuntime(stack) {
			out[id] = stack
		}
	}
	return out
}

func isRuntime(stack string) bool {
	for _, own := range []string{
		"testing.(*T).Run(", "testing.(*M).", "testing.tRunner.func", "testing.runTests(",
		"os/signal.signal_recv(", "os/signal.loop(", "runtime.ensureSigM(", "runtime/trace.Start", "testing/synctest.",
	} {
		if strings.Contains(stack, own) {
			return true
		}
	}
	return false
}
