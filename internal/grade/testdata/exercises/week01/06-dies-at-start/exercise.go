// Package sum panics before anything runs.
package sum

var known = map[string]int(nil)

func init() { known["0+0"] = 0 }

// Sum adds.
func Sum(a, b int) int { return a + b }
