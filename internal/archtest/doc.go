// Package archtest holds the house together: its tests check which package may
// import which, how long files may grow, and that every package says what it is
// for. The table of imports is part of docs/design/0001-layout.md; both change
// in the commit that needs it.
package archtest
