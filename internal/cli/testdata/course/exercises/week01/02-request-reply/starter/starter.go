package it

import "lab"

func It() int {
	lab.TODO("return one")
	return 0
}
