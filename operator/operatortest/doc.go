// Package operatortest helps to test collectors, sources and whole Operators:
// [Compare] holds what they give against an exposition, [NoLeaks] finds
// goroutines that they leave behind. Both work inside a bubble of
// [testing/synctest].
//
//	func TestQueue(t *testing.T) {
//		operatortest.NoLeaks(t)
//		q := queue{"a": 2}
//		operatortest.Compare(t, operatortest.Collector(q.collect), `
//			# HELP queue_depth Items that wait.
//			# TYPE queue_depth gauge
//			queue_depth{queue="a"} 2
//		`)
//	}
package operatortest
