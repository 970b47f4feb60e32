// Package sum never returns.
package sum

// Sum goes round and round.
func Sum(a, b int) int {
	for {
		a, b = b, a
	}
}
