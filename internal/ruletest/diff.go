package ruletest

import "strings"

// change is a line of a comparison: of both sides, of want or of got.
type change struct {
	op   byte // ' ', '-' or '+'
	text string
	line int // in want, from 0: where the line is, or would be
}

// maxChanges is how many changed lines are told apart; what differs more is
// shown as two blocks.
const maxChanges = 1000

// diffLines compares two texts line by line.
func diffLines(want, got []string) []change {
	var head, tail int
	for head < min(len(want), len(got)) && want[head] == got[head] {
		head++
	}
	for tail < min(len(want), len(got))-head && want[len(want)-1-tail] == got[len(got)-1-tail] {
		tail++
	}
	var out []change
	for i, text := range want[:head] {
		out = append(out, change{' ', text, i})
	}
	for _, c := range edits(want[head:len(want)-tail], got[head:len(got)-tail]) {
		c.line += head
		out = append(out, c)
	}
	for i, text := range want[len(want)-tail:] {
		out = append(out, change{' ', text, len(want) - tail + i})
	}
	return out
}

// edits finds the fewest changes that make got of want, by Myers' algorithm:
// reach[k] is how far into want one gets, with a number of changes, on the
// diagonal k, that is where k more lines of want than of got are behind.
func edits(want, got []string) []change {
	var history [][]int
	reach := make([]int, 2*maxChanges+3)
	const zero = maxChanges + 1
	for d := 0; d <= min(maxChanges, len(want)+len(got)); d++ {
		history = append(history, append([]int(nil), reach[zero-d-1:zero+d+2]...))
		for k := -d; k <= d; k += 2 {
			x := step(reach[zero-d-1:zero+d+2], d, k)
			for x < len(want) && x-k < len(got) && want[x] == got[x-k] {
				x++
			}
			reach[zero+k] = x
			if x >= len(want) && x-k >= len(got) {
				return walkBack(want, got, history)
			}
		}
	}
	var out []change
	for i, text := range want {
		out = append(out, change{'-', text, i})
	}
	for _, text := range got {
		out = append(out, change{'+', text, len(want)})
	}
	return out
}

// step returns where a diagonal begins after d changes; window is what d-1
// changes reach, around diagonal 0.
func step(window []int, d, k int) int {
	if down(window, d, k) {
		return window[d+1+k+1]
	}
	return window[d+1+k-1] + 1
}

// down reports whether the last change into a diagonal adds a line of got.
func down(window []int, d, k int) bool {
	return k == -d || k != d && window[d+1+k-1] < window[d+1+k+1]
}

// walkBack returns the way that led to the end.
func walkBack(want, got []string, history [][]int) []change {
	var out []change
	x, y := len(want), len(got)
	for d := len(history) - 1; d >= 0; d-- {
		window, k := history[d], x-y
		start := 0
		if d > 0 {
			start = step(window, d, k)
		}
		for ; x > start; x, y = x-1, y-1 {
			out = append(out, change{' ', want[x-1], x - 1})
		}
		switch {
		case d == 0:
		case down(window, d, k):
			y--
			out = append(out, change{'+', got[y], x})
		default:
			x--
			out = append(out, change{'-', want[x], x})
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// around is how many lines around a change are shown.
const around = 3

// hunks returns the changes with some lines around them, in blocks that do not
// touch.
func hunks(changes []change) [][]change {
	var out [][]change
	end := -1 // of what is in the last block
	for i, c := range changes {
		if c.op == ' ' {
			continue
		}
		from, to := max(i-around, 0), min(i+around+1, len(changes))
		if end >= from {
			last := len(out) - 1
			out[last] = append(out[last], changes[max(end, from):max(to, end)]...)
			end = max(end, to)
			continue
		}
		out = append(out, append([]change(nil), changes[from:to]...))
		end = to
	}
	return out
}

// splitLines returns the lines of a text without their ends.
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
