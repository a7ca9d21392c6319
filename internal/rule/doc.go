// Package rule is the language in which Kubevitals is told what to measure.
//
// A rule file is parsed into [Document] values ([Parse]), documents are
// compiled into a [Set] ([Compile]), and the set gives a [Program] for each
// kind of object. [Program.Eval] turns one object into samples:
//
//	file --Parse--> Document --Compile--> Set --For(kind)--> Program --Eval(object)--> samples
//
// Objects are what JSON gives: map[string]any, []any, string, int64, float64,
// bool and nil. Everything that can be known without an object (names, label
// order, paths) is worked out once, when the rules are loaded; evaluating a
// plain path allocates nothing.
//
// The language is described in docs/rules.md. The legacy dialect, the "each"
// blocks of kube-state-metrics' CustomResourceStateMetrics, is compiled by
// package crs, which a caller passes to Compile.
package rule
