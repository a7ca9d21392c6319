// Package ruletest is the format of tests of rules: a txtar archive with rules,
// objects and what is expected of them. docs/testing-rules.md describes it.
//
// How objects are evaluated, and which flags there are, comes in with an [Env], so
// that a test gives what the command eval prints.
package ruletest
