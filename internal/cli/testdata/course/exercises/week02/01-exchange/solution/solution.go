// Package solution is the reference.
package solution

func It() int {
	return 1
}
