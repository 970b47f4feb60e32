// want: hidden-too-long

package mistakes

import "context"

// HoldsForAnHour wants to be sure that nobody else answers, however long it takes.
var HoldsForAnHour = answering(func(s step) {
	s.hold(60 * 60)
	answer, err := s.answer(context.WithoutCancel(s.ctx))
	if err == nil && s.reply(context.WithoutCancel(s.ctx), answer) == nil {
		s.remove()
	}
})
