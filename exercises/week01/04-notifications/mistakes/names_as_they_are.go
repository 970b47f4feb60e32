// want: told-the-wrong-user

package mistakes

// NamesAsTheyAre trusts that no name contains the separator or a star.
var NamesAsTheyAre = with(func(h *hub) {
	h.name = func(part string) string { return part }
})
