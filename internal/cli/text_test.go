package cli_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/brokerdojo/brokerdojo/internal/cli"
)

func TestExportQuotesForEachShell(t *testing.T) {
	for _, tt := range []struct{ shell, value, want string }{
		{"bash", "plain", `export X='plain'`},
		{"bash", `it's "$HOME" \ !`, `export X='it'\''s "$HOME" \ !'`},
		{"zsh", "", `export X=''`},
		{"fish", `it's \n $HOME (x)`, `set -gx X 'it\'s \\n $HOME (x)'`},
		{"powershell", "it's $env:HOME `n", "$env:X = 'it''s $env:HOME `n'"},
		{"pwsh", "‘typographic’", "$env:X = '‘‘typographic’’'"},
		{"cmd", "a&b|c^d %PATH%", `@set "X=a&b|c^d %%PATH%%"`},
	} {
		t.Run(tt.shell+" gets "+tt.value, func(t *testing.T) {
			if got, err := cli.Export(tt.shell, "X", tt.value); err != nil || got != tt.want {
				t.Errorf("got %s, %v; want %s", got, err, tt.want)
			}
		})
	}
	t.Run("cmd refuses what it cannot hold", func(t *testing.T) {
		for _, value := range []string{`say "hi"`, "two\nlines"} {
			if line, err := cli.Export("cmd", "X", value); err == nil {
				t.Errorf("%q became %s", value, line)
			}
		}
	})
}

func TestAShellReadsBackWhatWasExported(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh to ask")
	}
	value := "it's \"$HOME\" `date` \\ * \n second line"
	line, err := cli.Export("bash", "X", value)
	if err != nil {
		t.Fatal(err)
	}
	got, err := exec.Command(sh, "-c", line+"\nprintf %s \"$X\"").Output()
	if err != nil || string(got) != value {
		t.Errorf("sh has %q, %v; want %q", got, err, value)
	}
}

func TestDefaultShell(t *testing.T) {
	usual := "bash"
	if runtime.GOOS == "windows" {
		usual = "powershell"
	}
	for shell, want := range map[string]string{
		"":                      usual,
		"SHELL=/usr/bin/fish":   "fish",
		"SHELL=/bin/zsh":        "bash",
		"SHELL=/opt/bin/pwsh":   "powershell",
		"SHELL=/bin/tcsh":       usual,
		`SHELL=C:\bin\bash.exe`: "bash",
	} {
		if got := cli.DefaultShell([]string{"HOME=/home/ada", shell}); got != want {
			t.Errorf("with %s the shell is %s, want %s", shell, got, want)
		}
	}
}

func TestName(t *testing.T) {
	root := filepath.Join("testdata", "course")
	inside := filepath.Join(root, "exercises", "week01")
	digest := strings.Repeat("0a", 32)
	for _, tt := range []struct{ name, program, dir, want string }{
		{"built and called by name", "brokerdojo", root, "brokerdojo"},
		{"built, on Windows", `brokerdojo.exe`, root, "brokerdojo"},
		{"go run, from a temporary folder", "/tmp/go-build2718/b001/exe/brokerdojo", root, "go run ."},
		{"go run, from the cache", "/home/ada/.cache/go-build/0a/" + digest + "-d/brokerdojo", root, "go run ."},
		{"go run, from the cache on Windows", `C:\Users\Ada\AppData\Local\go-build\0a\` + digest + `-d\brokerdojo.exe`, root, "go run ."},
		{"go run, in a folder below", "/tmp/go-build2718/b001/exe/brokerdojo", inside, "go run " + filepath.Join("..", "..")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, err := filepath.Abs(tt.dir)
			if err != nil {
				t.Fatal(err)
			}
			if got := cli.Name(tt.program, dir); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNumberFootnotes(t *testing.T) {
	page := "One[^b] two[^a] one[^b], `[^x]` and [^y].\n\n```go\n[^a]\n```\n\n[^a]: A\n  goes on.\n\n[^b]: B.\n\nThe end.\n"
	want := "One\\[1\\] two\\[2\\] one\\[1\\], `[^x]` and [^y].\n\n```go\n[^a]\n```\n\n\n\nThe end.\n\n\\[1\\] B.\n\n\\[2\\] A\n  goes on.\n"
	if got := cli.NumberFootnotes(page); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAFenceIsLongerThanAnyInside(t *testing.T) {
	if got := cli.Fence("a\n````\nb", "go"); got != "`````go\na\n````\nb\n`````\n" {
		t.Errorf("got %q", got)
	}
}

func TestEscapeMarkdownKeepsATextOnOneLine(t *testing.T) {
	if got := cli.EscapeMarkdown("a | <b>\n# *c* `d` [e](f)"); got != "a \\| \\<b\\> \\# \\*c\\* \\`d\\` \\[e\\]\\(f\\)" {
		t.Errorf("got %s", got)
	}
}

func TestColumns(t *testing.T) {
	got := cli.Columns("> ", [][]string{{"a", "bb", "c"}, {"", "ü", ""}, {"aaa", "", "c"}, {}})
	want := "> a    bb  c\n>      ü\n> aaa      c\n\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
