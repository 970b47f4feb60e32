// Package sum is solved.
package sum

// Sum adds.
func Sum(a, b int) int { return a + b }
