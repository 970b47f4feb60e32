// Command brokerdojo is the course's command: go run . tells where you are.
package main

import (
	"os"

	"github.com/brokerdojo/brokerdojo/internal/cli"
)

func main() { os.Exit(cli.Main()) }
