// want: waited-too-long

package mistakes

// TenAtATime saves requests: nine jobs wait for the first one, and their leases run.
var TenAtATime = with(func(c *consumer) {
	c.batch = 10
})
