// want: answer-from-before

package mistakes

import "strconv"

// NumberedRequests numbers its requests, from 1 in each process.
var NumberedRequests = asking(func(r *requester) {
	n := 0
	r.newID = func(string) string {
		r.mu.Lock()
		defer r.mu.Unlock()
		n++
		return strconv.Itoa(n)
	}
})
