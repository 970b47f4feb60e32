// want: answer-cut-off

package mistakes

// StopsInTheMiddle passes the context that ends on to the answer.
var StopsInTheMiddle = answering(func(s step) {
	answer, err := s.answer(s.ctx)
	if err == nil && s.reply(s.ctx, answer) == nil {
		s.remove()
	}
})
