package rule

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// ToNumber converts a value to a number as kube-state-metrics does, in this
// order: booleans are 1 and 0; of strings "true" and "yes" are 1, "false", "no"
// and "unknown" are 0, whatever their case; then RFC 3339 times in Unix seconds
// without their fraction, Kubernetes quantities, whole percentages, and what
// Go reads as a float. Note that a quantity takes "5m" for 0.005.
func ToNumber(v any) (float64, error) {
	switch x := v.(type) {
	case bool:
		if x {
			return 1, nil
		}
		return 0, nil
	case int64:
		return float64(x), nil
	case float64:
		return x, nil
	case int:
		return float64(x), nil
	case time.Time:
		return float64(x.Unix()), nil
	case time.Duration:
		return x.Seconds(), nil
	case string:
		return textToNumber(x)
	default:
		return 0, fmt.Errorf("%s is not a number", typeName(v))
	}
}

func textToNumber(s string) (float64, error) {
	switch {
	case s == "True":
		return 1, nil
	case s == "False", s == "Unknown":
		return 0, nil
	case isWord(s, "true"), isWord(s, "yes"):
		return 1, nil
	case isWord(s, "false"), isWord(s, "no"), isWord(s, "unknown"):
		return 0, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return float64(t.Unix()), nil
	}
	if mayBeQuantity(s) {
		if m := longExponent.FindStringSubmatch(s); m != nil {
			return outOfRange(m[1], m[2]), nil
		}
		if q, err := resource.ParseQuantity(s); err == nil {
			return q.AsApproximateFloat64(), nil
		}
	}
	if digits, ok := strings.CutSuffix(s, "%"); ok && isDigits(digits) {
		n, err := strconv.ParseFloat(digits, 64)
		return n / 100, err
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f, nil
	}
	return 0, fmt.Errorf("%q is not a number, a boolean, a time or a quantity", s)
}

// isWord reports whether s is a word but for the case of its letters. To
// strings.EqualFold the long s is one too.
func isWord(s, word string) bool {
	return strings.EqualFold(s, word) && !strings.Contains(s, "ſ")
}

// longExponent matches numbers whose exponent has four digits or more. The
// parser of quantities computes them exactly, for minutes or for ever.
var longExponent = regexp.MustCompile(`^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))[eE]([+-]?)0*[1-9][0-9]{3,}$`)

// outOfRange is what a quantity with a long exponent is in the end: infinite, or
// one nano, the smallest that there is. Zero times infinity is not a number.
func outOfRange(mantissa, sign string) float64 {
	m, err := strconv.ParseFloat(mantissa, 64)
	switch {
	case err != nil || m == 0 && sign == "-":
		return 0
	case m == 0:
		return math.NaN()
	case sign == "-":
		return math.Copysign(1e-9, m)
	default:
		return math.Inf(int(math.Copysign(1, m)))
	}
}

// mayBeQuantity keeps long texts, and such as are none at first sight, away from
// the parser of quantities. To that parser a unit alone is zero: "m", "Ki".
func mayBeQuantity(s string) bool {
	return s != "" && len(s) <= 64 && strings.Contains("+-.0123456789eEnumkKMGTP", s[:1])
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// typeName names the type of a value for people.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case map[string]any:
		return "a map"
	case []any:
		return "a list"
	case string:
		return "text"
	case bool:
		return "a boolean"
	default:
		return "a number"
	}
}

// text returns the label value of a scalar; ok is false for a list or a map.
func text(v any) (s string, ok bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case bool:
		return strconv.FormatBool(x), true
	case int64:
		return strconv.FormatInt(x, 10), true
	case int:
		return strconv.Itoa(x), true
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64), true
	case time.Time:
		return x.UTC().Format(time.RFC3339), true
	case time.Duration:
		return x.String(), true
	default:
		return "", false
	}
}
