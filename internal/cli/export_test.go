package cli

// What the tests of this package look at from outside.
var (
	Name            = name
	NumberFootnotes = numberFootnotes
	EscapeMarkdown  = escapeMarkdown
	Fence           = fence
	Columns         = columns
)

// DefaultShell returns the name of the shell that an environment speaks of.
func DefaultShell(environ []string) string { return defaultShell(environ).name }

// Export returns the line that sets a variable in a shell.
func Export(shellName, variable, value string) (string, error) {
	sh, _ := findShell(shellName)
	return sh.export(variable, value)
}
