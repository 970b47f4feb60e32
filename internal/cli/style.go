package cli

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"charm.land/glamour/v2"
	"charm.land/glamour/v2/ansi"
	"charm.land/glamour/v2/styles"
	"charm.land/lipgloss/v2"
	"golang.org/x/term"
)

// The colours are of the terminal's own palette, so that they suit its
// background. They are stripped on output where colour is not wanted.
var (
	styleTitle = lipgloss.NewStyle().Bold(true)
	styleGood  = lipgloss.NewStyle().Foreground(lipgloss.Green)
	styleBad   = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true)
	styleNote  = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	styleCode  = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	styleFaint = lipgloss.NewStyle().Faint(true)
)

// columns lays rows out in columns, two spaces apart, each line indented and
// without spaces at its end.
func columns(margin string, rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		pad := 0
		for i, cell := range row {
			if cell != "" {
				line.WriteString(strings.Repeat(" ", pad) + cell)
				pad = 0
			}
			pad += widths[i] - lipgloss.Width(cell) + 2
		}
		if line.Len() > 0 {
			b.WriteString(margin + line.String())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// indent puts a margin before every line that is not empty.
func indent(s, margin string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = margin + line
		}
	}
	return strings.Join(lines, "\n")
}

// The width of running text: narrow enough to read, and what is assumed where
// there is no terminal to ask.
const (
	maxWidth   = 100
	plainWidth = 80
)

func (a *app) width() int {
	fd, ok := terminal(a.Stdout)
	if !ok {
		return plainWidth
	}
	width, _, err := term.GetSize(fd)
	if err != nil || width <= 0 {
		return plainWidth
	}
	return min(width, maxWidth)
}

// inCourse begins the address of a file of the course while a page is rendered:
// the renderer would make a bare relative path an absolute one.
const inCourse = "course:///"

// markdown renders a text for the terminal, or as plain text where the output is
// none.
func (a *app) markdown(text string) (string, error) { return a.page(text, "") }

// page renders the text of a page in a folder of the course; its relative links
// are shown as paths under the root.
func (a *app) page(page, folder string) (string, error) {
	style := styles.NoTTYStyleConfig
	_, tty := terminal(a.Stdout)
	if tty {
		style = pageStyle()
	} else {
		style.Strong = ansi.StylePrimitive{} // no ** around what is bold
	}
	margin := uint(0)
	style.Document.Margin, style.Document.BlockPrefix, style.Document.BlockSuffix = &margin, "", ""
	r, err := glamour.NewTermRenderer(glamour.WithStyles(style), glamour.WithWordWrap(a.width()), glamour.WithTableWrap(true), glamour.WithBaseURL(inCourse+folder+"/"))
	if err != nil {
		return "", err
	}
	page, err = r.Render(numberFootnotes(page))
	if err != nil {
		return "", err
	}
	page = strings.ReplaceAll(page, inCourse, "")
	if !tty {
		page = trimLines(page)
	}
	return strings.Trim(page, "\n") + "\n", nil
}

var (
	footnote     = regexp.MustCompile(`\[\^([^\]\s]+)\]`)
	footnoteText = regexp.MustCompile(`(?m)^\[\^([^\]\s]+)\]: `)
)

// numberFootnotes turns footnotes, which the renderer does not know, into
// numbers in the order of their first mention, and puts the notes at the end.
func numberFootnotes(page string) string {
	defined := map[string]bool{}
	for _, m := range footnoteText.FindAllStringSubmatch(page, -1) {
		defined[m[1]] = true
	}
	numbers := map[string]int{}
	number := func(mark string) string {
		name := footnote.FindStringSubmatch(mark)[1]
		if !defined[name] { // something else that looks like it, such as a regular expression
			return mark
		}
		if numbers[name] == 0 {
			numbers[name] = len(numbers) + 1
		}
		return fmt.Sprintf(`\[%d\]`, numbers[name])
	}
	var body, note strings.Builder
	notes := map[string]string{} // by name
	name, code := "", false
	for line := range strings.Lines(page) {
		switch fence := strings.HasPrefix(line, "```"); {
		case fence:
			code = !code
		case code:
		case footnoteText.MatchString(line):
			name = footnoteText.FindStringSubmatch(line)[1]
			line = footnoteText.ReplaceAllString(line, "")
		case strings.TrimSpace(line) == "":
			name = ""
		}
		if name != "" {
			notes[name] += line
			continue
		}
		if !code {
			line = footnote.ReplaceAllStringFunc(line, number)
		}
		body.WriteString(line)
	}
	for _, name := range slices.SortedFunc(maps.Keys(numbers), func(a, b string) int { return numbers[a] - numbers[b] }) {
		fmt.Fprintf(&note, "\n\\[%d\\] %s", numbers[name], notes[name])
	}
	return body.String() + note.String()
}

// pageStyle is readable on light and on dark backgrounds: text keeps the
// terminal's own colour.
func pageStyle() ansi.StyleConfig {
	style := styles.DarkStyleConfig
	style.Document.Color = nil
	chroma := *style.CodeBlock.Chroma
	chroma.Text.Color, chroma.Name.Color, chroma.Operator.Color, chroma.Punctuation.Color = nil, nil, nil, nil
	chroma.Background.BackgroundColor = nil
	style.CodeBlock.Chroma = &chroma
	return style
}

func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
	}
	return strings.Join(lines, "\n")
}
