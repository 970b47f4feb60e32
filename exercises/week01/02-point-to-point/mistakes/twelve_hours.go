// want: hidden-too-long

package mistakes

// TwelveHours needs no heartbeat, and pays for it when a job fails or a process dies.
var TwelveHours = with(func(c *consumer) {
	c.lease, c.heartbeat = 12*60*60, 0
})
