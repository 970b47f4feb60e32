// want: no-answer

package mistakes

// AttributesNotAskedFor wonders why every reply has an empty correlation id.
var AttributesNotAskedFor = asking(func(r *requester) {
	r.names = nil
})
