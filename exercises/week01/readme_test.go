package week01_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEverySnippetOfTheLessonIsCodeThatRuns(t *testing.T) {
	inGo := snippets(t, read(t, "example_test.go"))
	fence := regexp.MustCompile("(?ms)^```go ([a-z]+)\n(.*?)^```$")
	lesson := read(t, "README.md")
	blocks := fence.FindAllStringSubmatch(lesson, -1)
	if all := strings.Count(lesson, "\n```go"); all != len(blocks) {
		t.Errorf("%d of the lesson's %d Go blocks have no name: open them with \"```go name\"", all-len(blocks), all)
	}
	for _, b := range blocks {
		name, inLesson := b[1], b[2]
		code, ok := inGo[name]
		if !ok {
			t.Errorf("the lesson shows %q, which example_test.go does not have", name)
			continue
		}
		delete(inGo, name)
		if inLesson != code {
			t.Errorf("the lesson's %q is not the code that runs:\n--- README.md\n%s--- example_test.go\n%s", name, inLesson, code)
		}
	}
	for name := range inGo {
		t.Errorf("example_test.go has the snippet %q, which the lesson does not show", name)
	}
}

func TestTheLessonFitsATerminal(t *testing.T) {
	inBlock := false
	for i, line := range strings.Split(read(t, "README.md"), "\n") {
		if strings.HasPrefix(line, "```") {
			inBlock = !inBlock
			continue
		}
		if n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); inBlock && n > 78 {
			t.Errorf("README.md:%d is %d columns wide in a block that cannot be wrapped; 78 is the most", i+1, n)
		}
	}
}

// snippets returns the code between "// snippet: name" and "// end", without the indentation it has in common.
func snippets(t *testing.T, source string) map[string]string {
	t.Helper()
	found := map[string]string{}
	marked := regexp.MustCompile(`(?ms)^([\t ]*)// snippet: ([a-z]+)\n(.*?)^[\t ]*// end$`)
	for _, m := range marked.FindAllStringSubmatch(source, -1) {
		indent, name, code := m[1], m[2], m[3]
		lines := strings.SplitAfter(strings.TrimRight(code, "\n")+"\n", "\n")
		for i, line := range lines {
			lines[i] = strings.TrimPrefix(line, indent)
		}
		found[name] = strings.Join(lines, "")
	}
	if marks := strings.Count(source, "// snippet: "); marks-1 != len(found) { // one is in the package's comment
		t.Errorf("%d of %d snippets of example_test.go do not end or share a name", marks-1-len(found), marks-1)
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n") // a checkout on Windows
}
