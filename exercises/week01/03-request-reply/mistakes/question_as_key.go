// want: late-reply-taken

package mistakes

// QuestionAsKey makes the id of what it identifies, so the same question has the same id.
var QuestionAsKey = asking(func(r *requester) {
	r.newID = func(question string) string { return question }
})
