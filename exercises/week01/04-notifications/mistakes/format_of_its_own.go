// want: not-the-format

package mistakes

import (
	"bytes"
	"encoding/gob"

	"github.com/brokerdojo/brokerdojo/exercises/week01/04-notifications/grader"
)

// FormatOfItsOwn sends what only Go programs can read.
var FormatOfItsOwn = with(func(h *hub) {
	h.encode = func(n grader.Notification) ([]byte, error) {
		var b bytes.Buffer
		err := gob.NewEncoder(&b).Encode(n)
		return b.Bytes(), err
	}
	h.decode = func(b []byte, n *grader.Notification) error {
		return gob.NewDecoder(bytes.NewReader(b)).Decode(n)
	}
})
