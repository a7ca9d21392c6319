package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	// undeclared matches what CEL says of a name that it does not know.
	undeclared = regexp.MustCompile(`^undeclared reference to '([a-zA-Z_][a-zA-Z0-9_]*)'`)
	// word matches what may be meant as text.
	word = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_./-]*$`)
	// rootless matches a path that forgets where it begins.
	rootless = regexp.MustCompile(`^\.?(spec|status|metadata)\b`)
	// wildcard matches what other languages go through a list with.
	wildcard = regexp.MustCompile(`\[\*?\]`)
	// filter matches what other languages choose an element with.
	filter = regexp.MustCompile(`\[\??\(?@?\.?([a-zA-Z_]+)\s*==?\s*['"]?([^'"\]]*)['"]?\)?\]`)
	// assignment matches one sign where there should be two.
	assignment = regexp.MustCompile(`[^=!<>]=[^=]`)
)

// functions are names of functions that people may have meant.
var functions = []string{
	"size", "has", "exists", "exists_one", "all", "filter", "map", "contains", "startsWith", "endsWith", "matches", "find",
	"lowerAscii", "upperAscii", "replace", "split", "join", "substring", "trim", "format", "int", "double", "string", "bool",
	"timestamp", "duration", "quantity", "orValue", "hasValue", "getDate", "getHours", "sum", "min", "max", "url", "ip", "cidr",
}

// explainCEL makes of what CEL says about an expression what its author needs.
func explainCEL(src string, scope names, err error) error {
	m := undeclared.FindStringSubmatch(err.Error())
	choice := filter.FindStringSubmatch(src)
	switch {
	case wildcard.MatchString(src):
		return fmt.Errorf("%w: a list is gone through by forEach: [{as: NAME, in: PATH}]", err)
	case choice != nil:
		return fmt.Errorf("%w: the first element of a list that has a value is written [%s=%s], as a step of a path alone", err, choice[1], choice[2])
	case rootless.MatchString(src):
		return fmt.Errorf("a path begins with a name: did you mean object.%s?", strings.TrimPrefix(src, "."))
	case m != nil && strings.Contains(src, m[1]+"("):
		return fmt.Errorf("unknown function %q%s", m[1], suggest(m[1], functions))
	case m != nil && mayBeText(src) && suggest(m[1], scope) == "" && !slices.Contains(scope, src[:identifier(src)]):
		return fmt.Errorf("%w; a fixed text is written \"'%s'\"", unknownName(m[1], scope), src)
	case m != nil && strings.Contains(src, "."+m[1]) || m != nil && strings.Contains(src, "/"+m[1]):
		return fmt.Errorf("%w; a key with other characters than letters, digits and _ is written [\"a.b/c\"]", unknownName(m[1], scope))
	case m != nil:
		return unknownName(m[1], scope)
	case strings.Contains(err.Error(), "token recognition error") && assignment.MatchString(src):
		return fmt.Errorf("%w: values are compared with ==", err)
	}
	return err
}

// mayBeText reports whether an expression looks like a word that was meant as it
// is, such as a kind or an apiVersion.
func mayBeText(src string) bool {
	return word.MatchString(src) && (!strings.Contains(src, ".") || strings.Contains(src, "/"))
}

func unknownName(name string, scope names) error {
	known := slices.DeleteFunc(slices.Clone(scope), func(n string) bool { return n == "" })
	return fmt.Errorf("unknown name %q: in scope are %s%s", name, strings.Join(known, ", "), suggest(name, known))
}
