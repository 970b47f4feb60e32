// want: silent-after-disconnect

package mistakes

import "context"

// ReaderGivesUp returns from its loop at the first error.
var ReaderGivesUp = with(func(h *hub) {
	h.read = func(h *hub) {
		for {
			m, err := h.sub.Receive(context.Background())
			if err != nil || !h.incoming(m) {
				return
			}
		}
	}
})
