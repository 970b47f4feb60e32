// want: answer-from-before

package mistakes

import (
	"strconv"
	"sync/atomic"
)

var requests atomic.Int64 // since the process started

// NumberedByThePackage believes that a package's variable is there for ever.
var NumberedByThePackage = asking(func(r *requester) {
	r.newID = func(string) string { return strconv.FormatInt(requests.Add(1), 10) }
})
