// want: failed-request-dropped

package mistakes

import "context"

// RepliesToFailures does not look at the error, and sends what is not an answer.
var RepliesToFailures = answering(func(s step) {
	answer, _ := s.answer(context.WithoutCancel(s.ctx))
	if s.reply(context.WithoutCancel(s.ctx), answer) == nil {
		s.remove()
	}
})
