package cli

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) envVerb() *cobra.Command {
	var name string
	var asJSON bool
	cmd := a.verb("env", groupCloud)
	cmd.Flags().StringVar(&name, "shell", "", fmt.Sprintf(flagShell, strings.Join(shellNames(), ", ")))
	cmd.Flags().BoolVar(&asJSON, "json", false, flagEnvJSON)
	if err := cmd.RegisterFlagCompletionFunc("shell", cobra.FixedCompletions(shellNames(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is that above
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		sh := defaultShell(a.Env)
		if name != "" {
			var ok bool
			if sh, ok = findShell(name); !ok {
				return usage(fmt.Sprintf(textFixShell, strings.Join(shellNames(), ", ")), textNoShell, name)
			}
		}
		if err := a.needRoot(); err != nil {
			return err
		}
		running, err := findCloud(a.root)
		if errors.Is(err, errNoCloud) {
			return broken(err, a.text(textFixNoCloud))
		}
		if err != nil {
			return err
		}
		if asJSON {
			return a.json(running.Env)
		}
		for _, variable := range slices.Sorted(maps.Keys(running.Env)) {
			line, err := sh.export(variable, running.Env[variable])
			if err != nil {
				return err
			}
			fmt.Fprintln(a.Stdout, line)
		}
		return nil
	}
	return cmd
}

// shell is a language for exports.
type shell struct {
	name   string
	eval   string // runs env's output; {cmd} starts the program
	export func(name, value string) (string, error)
}

var shells = []shell{
	{"bash", `eval "$({cmd} env --shell bash)"`, func(name, value string) (string, error) {
		return "export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'", nil
	}},
	{"fish", `{cmd} env --shell fish | source`, func(name, value string) (string, error) {
		return "set -gx " + name + " '" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(value) + "'", nil
	}},
	{"powershell", `{cmd} env --shell powershell | Out-String | Invoke-Expression`, func(name, value string) (string, error) {
		// PowerShell takes the typographic quotes for quotes too.
		return "$env:" + name + " = '" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(value) + "'", nil
	}},
	{"cmd", `{cmd} env --shell cmd > env.cmd && call env.cmd`, func(name, value string) (string, error) {
		if strings.ContainsAny(value, "\"\r\n") {
			return "", fmt.Errorf("cmd cannot hold the value of %s: it has a quote or a line end", name)
		}
		return `@set "` + name + "=" + strings.ReplaceAll(value, "%", "%%") + `"`, nil
	}},
}

func shellNames() []string {
	var names []string
	for _, sh := range shells {
		names = append(names, sh.name)
	}
	return names
}

// findShell knows a shell also by the name of one that speaks the same language.
func findShell(name string) (shell, bool) {
	switch name = strings.ToLower(name); name {
	case "zsh", "sh", "dash", "ksh":
		name = "bash"
	case "pwsh":
		name = "powershell"
	}
	i := slices.IndexFunc(shells, func(sh shell) bool { return sh.name == name })
	if i < 0 {
		return shell{}, false
	}
	return shells[i], true
}

// defaultShell guesses which shell the learner types in.
func defaultShell(environ []string) shell {
	name := "bash"
	if runtime.GOOS == "windows" {
		name = "powershell"
	}
	for _, variable := range environ {
		if value, ok := strings.CutPrefix(variable, "SHELL="); ok {
			base := strings.TrimSuffix(path.Base(strings.ReplaceAll(value, `\`, "/")), ".exe")
			if _, known := findShell(base); known {
				name = base
			}
		}
	}
	sh, _ := findShell(name)
	return sh
}
