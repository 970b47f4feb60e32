// want: done-twice

package mistakes

// NoHeartbeat takes the visibility timeout for a lock.
var NoHeartbeat = with(func(c *consumer) {
	c.heartbeat = 0
})
