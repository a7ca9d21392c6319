package scan

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unsafe"

	"github.com/kubevitals/kubevitals/operator/exposition"
)

const (
	// maxPlain is the length up to which a number without an exponent, or with
	// one of two digits, is certain to be within what float64 has.
	maxPlain = 200
	// maxStamp is how many digits fit into an int64 whatever they are.
	maxStamp = 18
)

// plain reads a number that is written in the usual way, -1.5e+06, and a
// timestamp, up to the end of the line. It returns where the next line starts, 0
// if it must be read by [Exposition.tail].
func (x *Exposition) plain(b []byte, i int) (next int, flags Flags) {
	start := i
	if i < len(b) && b[i] == '-' {
		i++
	}
	end := digits(b, i)
	if end == i || end >= len(b) {
		return 0, 0
	}
	if b[end] == '\n' && end-start < maxPlain {
		return end + 1, 0
	}
	if end = fraction(b, end); end >= len(b) || end-start > maxPlain {
		return 0, 0
	}
	switch b[end] {
	case '\n':
		return end + 1, 0
	case ' ':
		start = end + 1
		if end = digits(b, start); end == start || end-start > maxStamp || end >= len(b) {
			return 0, 0
		}
		if b[end] == '.' && x.Format == exposition.OpenMetrics {
			end = digits(b, end+1)
		}
		if end >= len(b) || b[end] != '\n' {
			return 0, 0
		}
		return end + 1, Stamped
	default:
		return 0, 0
	}
}

// fraction reads on behind the first digits of a number.
func fraction(b []byte, i int) int {
	if i < len(b) && b[i] == '.' {
		i = digits(b, i+1)
	}
	if i+2 >= len(b) || b[i] != 'e' {
		return i
	}
	exponent := i + 1
	if b[exponent] == '+' || b[exponent] == '-' {
		exponent++
	}
	if end := digits(b, exponent); end > exponent && end <= exponent+2 {
		return end
	}
	return i
}

// tail reads b[i:end], what a line has behind its series and the space there.
func (x *Exposition) tail(b []byte, i, end int) (Flags, error) {
	if x.Format == exposition.OpenMetrics {
		return x.tailOpenMetrics(b, i, end)
	}
	var flags Flags
	at := token(b, i, end)
	if err := checkFloat(b[i:at]); err != nil {
		return 0, err
	}
	next := blanks(b, at, end)
	if next == end {
		if next > at {
			flags |= Odd
		}
		return flags, nil
	}
	flags |= Stamped
	if next != at+1 || b[at] != ' ' {
		flags |= Odd
	}
	at = token(b, next, end)
	if err := checkMillis(b[next:at]); err != nil {
		return 0, err
	}
	if at < end {
		flags |= Odd
	}
	if blanks(b, at, end) != end {
		return 0, syntax("more than a value and a timestamp")
	}
	return flags, nil
}

// tailOpenMetrics is tail for OpenMetrics, where everything is separated by one
// space, and there can be an exemplar.
func (x *Exposition) tailOpenMetrics(b []byte, i, end int) (flags Flags, err error) {
	at := word(b, i, end)
	if err := checkFloat(b[i:at]); err != nil {
		return 0, err
	}
	if at < end && !exemplarAt(b, at, end) {
		next := at + 1
		at = word(b, next, end)
		if err := checkSeconds(b[next:at]); err != nil {
			return 0, err
		}
		flags |= Stamped
	}
	if at == end {
		return flags, nil
	}
	if !exemplarAt(b, at, end) {
		return 0, syntax("more than a value and a timestamp")
	}
	utf8, err := x.exemplar(b, at+len(" # "), end)
	return flags | Exemplars | utf8, err
}

func exemplarAt(b []byte, i, end int) bool { return i+4 <= end && string(b[i:i+4]) == " # {" }

// exemplar reads what is behind " # ".
func (x *Exposition) exemplar(b []byte, i, end int) (Flags, error) {
	x.series.reset()
	x.series.strict, x.series.exemplar = true, true
	at, err := x.series.readLabels(b, i+1, end)
	if err != nil {
		return 0, err
	}
	if at == end || b[at] != ' ' {
		return 0, syntax("no value of the exemplar")
	}
	i, at = at+1, word(b, at+1, end)
	if err := checkFloat(b[i:at]); err != nil {
		return 0, err
	}
	if at < end {
		i, at = at+1, word(b, at+1, end)
		if err := checkSeconds(b[i:at]); err != nil {
			return 0, err
		}
	}
	if at != end {
		return 0, syntax("more than a value and a timestamp of the exemplar")
	}
	return x.series.flags & UTF8, nil
}

// token returns the end of what is up to the next blank.
func token(b []byte, i, end int) int {
	for i < end && b[i] != ' ' && b[i] != '\t' {
		i++
	}
	return i
}

// word is token where only a space is a blank.
func word(b []byte, i, end int) int {
	for i < end && b[i] != ' ' {
		i++
	}
	return i
}

func blanks(b []byte, i, end int) int {
	for i < end && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	return i
}

var (
	errNumber = errors.New("not a number")
	errRange  = errors.New("out of range")
)

// parseFloat reads a number as Prometheus does: as Go, but for hexadecimal
// numbers and underscores.
func parseFloat(b []byte) (float64, error) {
	s := unsafe.String(unsafe.SliceData(b), len(b))
	if s == "" || strings.ContainsAny(s, "pP_") {
		return 0, errNumber
	}
	v, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) {
		return 0, errRange
	}
	if err != nil {
		return 0, errNumber
	}
	return v, nil
}

func checkFloat(b []byte) error {
	if _, err := parseFloat(b); err != nil {
		return syntax("the value is " + err.Error())
	}
	return nil
}

// checkSeconds says what is wrong with a timestamp of OpenMetrics.
func checkSeconds(b []byte) error {
	v, err := parseFloat(b)
	if err != nil {
		return syntax("the timestamp is " + err.Error())
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return syntax("the timestamp is not finite")
	}
	return nil
}

// checkMillis says what is wrong with a timestamp of the text format.
func checkMillis(b []byte) error {
	if digits(b, 0) != len(b) {
		return syntax("the timestamp is not a whole number of milliseconds")
	}
	if _, err := strconv.ParseInt(unsafe.String(unsafe.SliceData(b), len(b)), 10, 64); err != nil {
		return syntax("the timestamp is out of range")
	}
	return nil
}
