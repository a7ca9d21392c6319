package schema

import "strings"

// nameLimit is the length of the longest name that a nearest one is looked for.
const nameLimit = 100

// nearest returns the candidate whose name is most like a name: equal but for
// upper and lower case, or else with the fewest letters changed, or empty when
// none is near. Of equally near ones it is the first.
func nearest(name string, candidates []string) string {
	if len(name) > nameLimit {
		return ""
	}
	for _, c := range candidates {
		if strings.EqualFold(c, name) {
			return c
		}
	}
	// A name of which nothing is left is not near.
	best, limit := "", min(1+len(name)/3, len(name)-1)
	lower := strings.ToLower(name)
	for _, c := range candidates {
		if len(c) > len(name)+limit || len(c) < len(name)-limit {
			continue
		}
		if d := distance(lower, strings.ToLower(c)); d <= limit {
			best, limit = c, d-1
		}
	}
	return best
}

// distance is the Levenshtein distance of two short strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
