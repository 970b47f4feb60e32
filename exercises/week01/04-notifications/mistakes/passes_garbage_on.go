// want: garbage-passed-on

package mistakes

import (
	"encoding/json"

	"github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"
)

// PassesGarbageOn does not look at the error, and shows what there is.
var PassesGarbageOn = with(func(h *hub) {
	h.decode = func(b []byte, n *grader.Notification) error {
		_ = json.Unmarshal(b, n)
		return nil
	}
})
