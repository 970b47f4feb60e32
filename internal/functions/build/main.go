// Command build builds all handlers into a folder, each as PATTERN-HANDLER.zip, and prints their sizes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/brokerdojo/brokerdojo/internal/functions"
)

func main() {
	to := flag.String("o", "", "the folder to write to; without it only the sizes are printed")
	goos := flag.String("os", functions.Lambda.OS, "the system to build for")
	arch := flag.String("arch", functions.Lambda.Arch, "the architecture to build for")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Builds the handlers in functions/ as they are deployed. Run it in the module's folder.")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *to, functions.Target{OS: *goos, Arch: *arch}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, to string, target functions.Target) error {
	all, err := functions.All(".")
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("there is no handler in functions/ here: run this in the module's folder")
	}
	for _, name := range all {
		zipped, err := functions.Build(ctx, ".", name, target)
		if err != nil {
			return err
		}
		fmt.Printf("%-22s %5.2f MB\n", name, float64(len(zipped))/1e6)
		if len(zipped) > functions.MaxZip {
			return fmt.Errorf("functions/%s is over %d bytes", name, functions.MaxZip)
		}
		if to == "" {
			continue
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, strings.ReplaceAll(name, "/", "-")+".zip"), zipped, 0o644); err != nil {
			return err
		}
	}
	return nil
}
