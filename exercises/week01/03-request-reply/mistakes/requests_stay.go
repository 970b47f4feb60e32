// want: request-left-behind

package mistakes

import "context"

// RequestsStay answers the same request until it expires.
var RequestsStay = answering(func(s step) {
	if answer, err := s.answer(context.WithoutCancel(s.ctx)); err == nil {
		_ = s.reply(context.WithoutCancel(s.ctx), answer)
	}
})
