// want: request-lost-in-crash

package mistakes

import "context"

// DeletesTheRequestFirst wants nobody else to answer.
var DeletesTheRequestFirst = answering(func(s step) {
	answer, err := s.answer(context.WithoutCancel(s.ctx))
	if err != nil {
		return
	}
	s.remove()
	_ = s.reply(context.WithoutCancel(s.ctx), answer)
})
