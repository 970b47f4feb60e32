// Package sum does not compile.
package sum

// Sum adds.
func Sum(a, b int, c string) int {
	sum := a + c
	return a + b
}
