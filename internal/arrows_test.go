// Package internal_test holds what is true of the module as a whole.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/brokerdojo/brokerdojo"

// arrows says, by folder, which other folders of the module a package may import. The longest folder that a package is in applies.
var arrows = map[string]struct {
	may []string
	why string
}{
	"":                    {[]string{"internal/cli"}, "the command only dispatches"},
	"internal/cli":        {[]string{"internal", "localstack/embedded"}, "the verbs put everything together"},
	"internal/course":     {[]string{"internal/course", "internal/quiz"}, "the catalogue is about files, not about running them"},
	"internal/functions":  {[]string{"internal/functions", "localstack/embedded"}, "it builds the handlers, and its tests run them on the local cloud"},
	"internal/quiz":       {[]string{"internal/quiz"}, "a quiz stands alone"},
	"internal/grade":      {[]string{"internal/grade", "localstack/embedded"}, "the graders' engine knows the brokers and no exercise but its own tests'"},
	"internal/grade/lab":  {nil, "it is all that a learner's file imports from here"},
	"exercises":           {[]string{"exercises", "internal/grade", "localstack/embedded"}, "an exercise knows its grader, and lessons the local cloud"},
	"localstack/embedded": {[]string{"localstack/embedded"}, "someone could lift the local cloud out whole"},
	"localstack":          {[]string{"localstack"}, "the rules are about the local cloud alone"},
	"functions":           {[]string{"functions"}, "what runs in the cloud carries nothing of the course along"},
	"scripts":             {nil, "a script stands alone"},
	"internal":            {nil, "only tests are in the folder itself"},
	"infra":               {[]string{"infra"}, "infrastructure is deployed without the course"},
}

func TestPackagesImportOnlyAlongTheArrows(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	n := 0
	for ; ; n++ {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, problem := range against(p.ImportPath, append(append(p.Imports, p.TestImports...), p.XTestImports...)) {
			t.Error(problem)
		}
	}
	if n == 0 {
		t.Fatal("go list found no package")
	}
}

func TestAnImportAgainstTheArrowsIsFound(t *testing.T) {
	for name, tc := range map[string]struct {
		from, to string
		found    bool
	}{
		"the local cloud must not know the course":       {"localstack/embedded/queue", "internal/grade", true},
		"the local cloud may know its own packages":      {"localstack/embedded/aws/sqs", "localstack/embedded/queue", false},
		"a grader may use the engine":                    {"exercises/week01/01-hello-pubsub/grader", "internal/grade", false},
		"the engine must not know an exercise":           {"internal/grade", "exercises/week01/01-hello-pubsub/grader", true},
		"what a learner imports must not bring the rest": {"internal/grade/lab", "internal/grade", true},
		"a folder is not all that begins like it":        {"internal/quiz", "internal/quizzes", true},
	} {
		t.Run(name, func(t *testing.T) {
			problems := against(module+"/"+tc.from, []string{module + "/" + tc.to})
			if found := len(problems) > 0; found != tc.found {
				t.Errorf("found %v, want %v", problems, tc.found)
			}
		})
	}
}

// against returns what is wrong with a package's imports.
func against(importPath string, imports []string) (problems []string) {
	folder, ok := inModule(strings.TrimSuffix(importPath, "_test"))
	if !ok {
		return nil
	}
	rule, found := "", false
	for candidate := range arrows {
		if within(folder, candidate) && len(candidate) >= len(rule) {
			rule, found = candidate, true
		}
	}
	if !found {
		return []string{folder + " is in no folder that the arrows speak of: add it to arrows_test.go and to the design"}
	}
next:
	for _, path := range imports {
		target, ok := inModule(path)
		if !ok || target == folder { // or a test outside its package
			continue
		}
		for _, allowed := range arrows[rule].may {
			if within(target, allowed) {
				continue next
			}
		}
		problems = append(problems, folder+" must not import "+target+": "+arrows[rule].why)
	}
	return problems
}

func inModule(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// within says whether a folder is another or below it. What holds for the root holds for the root alone.
func within(folder, other string) bool {
	return folder == other || other != "" && strings.HasPrefix(folder, other+"/")
}
